"""The inverse of `frozen`: a recording from its tables and tensors, which nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from pydantic import JsonValue

from parity.pytorch.plain import value_of
from parity.pytorch.recorder.data import (
    Application,
    AutogradNode,
    Backward,
    Call,
    Geometry,
    Identity,
    Leaf,
    Output,
    ParameterUpdate,
    Recorded,
    Root,
    Step,
    Update,
    UserFunction,
    Values,
)
from parity.pytorch.recorder.frozen import Event, NodeRan, by_stride
from parity.pytorch.recorder.senders import senders

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_BYTES = 2**28
"""Of one tensor, those numbers counted that a stride of 0 repeats."""

TYPES = {"str": str, "int": int, "bool": bool, "Mapping": dict, "dict": dict, "tuple": tuple}
TYPES |= {"Recorded": Recorded, "Call": Call}
"""What a field must be, by the name of its type."""

D = TypeVar("D", bound="DataclassInstance")
Table = dict[str, JsonValue]


def thaw(tables: Mapping[str, JsonValue], tensors: Mapping[str, Values]) -> list[Event]:
    """The events of a recording. Raises ValueError for tables that are none's."""
    try:
        return _Thawer(tables, tensors).events()
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


class _Thawer:
    """Reads the tables, in their order: a call may be that of a node, a node that of a pass."""

    def __init__(self, tables: Mapping[str, JsonValue], tensors: Mapping[str, Values]) -> None:
        self._tables = cast("Mapping[str, list[JsonValue]]", tables)
        self._tensors = [_tensor(cast("list[JsonValue]", row), tensors) for row in self._tables["tensors"]]
        self._bare = False  # an optimizer's own operation is being read
        self._calls = [self._call(cast("Table", entry)) for entry in self._tables["calls"]]
        self._passes = [self._pass(cast("Table", entry)) for entry in self._tables["passes"]]

    def events(self) -> list[Event]:
        return [self._event(*cast("list[JsonValue]", event)) for event in self._tables["events"]]

    def _event(self, kind: JsonValue, number: JsonValue, *rest: JsonValue) -> Event:
        place = _whole(number)
        if kind == "call":
            return self._calls[place]
        if kind == "node":
            passed, node = self._passes[place], _whole(rest[0])
            if node not in passed.nodes or node not in passed.grad_out or node not in passed.grad_in:
                raise KeyError(node)
            return NodeRan(passed, node)
        passes, updates = cast("tuple[list[int], list[Table]]", rest)
        return Step(
            place,
            backwards=tuple(self._passes[_whole(one)] for one in passes),
            updates=tuple(self._update(update) for update in updates),
        )

    def _read(self, written: JsonValue) -> object:
        """A value: of a table, a dictionary of its values."""
        if isinstance(written, list):
            return tuple(self._read(part) for part in written)
        if not isinstance(written, dict):
            return written
        if "tensor" in written:
            found = self._tensors[_whole(written["tensor"])]
            if not found.frozen and not self._bare:
                raise ValueError("a tensor without its numbers")
            return found
        if "call" in written and len(written) == 1:
            return self._calls[_whole(written["call"])]
        if "map" in written:
            pairs = cast("list[tuple[str, JsonValue]]", written["map"])
            return {key: self._read(value) for key, value in pairs}
        if written.keys() <= {"float", "complex"}:
            return value_of(written)
        return {key: self._read(value) for key, value in written.items()}

    def _made(self, kind: type[D], written: JsonValue, **parts: object) -> D:
        """One of the recorder's records; `parts` are those that are themselves records."""
        table = cast("Table", written)
        own = {key: self._read(value) for key, value in table.items() if key not in parts}
        made = kind(**own, **parts)
        for field in fields(made):
            if not _fits(str(field.type), getattr(made, field.name)):
                raise TypeError(f"{field.name} of a {kind.__name__}")
        return made

    def _call(self, entry: Table) -> Call:
        self._bare = entry["phase"] == "update"
        geometry = self._geometry(entry)
        made = self._made(Call, entry, outputs=_outputs(entry.get("outputs")), geometry=geometry)
        self._bare = False
        return made

    def _geometry(self, entry: Table) -> Geometry | None:
        written = entry.get("geometry")
        return None if written is None else self._made(Geometry, written)

    def _pass(self, entry: Table) -> Backward:
        nodes = {node.id: node for node in map(self._node, cast("list[Table]", entry["nodes"]))}
        inputs = entry.get("inputs")
        leaves = cast("dict[int, dict[str, Recorded]]", self._read(entry.get("leaves", {"map": []})))
        made = self._made(
            Backward,
            entry,
            nodes=nodes,
            roots=tuple(self._root(root) for root in cast("list[Table]", entry["roots"])),
            inputs=None if inputs is None else cast("tuple[Output, ...]", _outputs(inputs)),
            needed=frozenset(cast("list[int]", entry["needed"])),
            leaves={number: self._made(Leaf, {}, **leaf) for number, leaf in leaves.items()},
            senders=senders(nodes),
        )
        for gradients in (*made.grad_out.values(), *made.grad_in.values(), made.found):
            if not all(one is None or isinstance(one, Recorded) for one in gradients):
                raise TypeError("a gradient")
        if any(len(sent) < len(nodes[number].next) for number, sent in made.grad_in.items()):
            raise IndexError("an edge without a gradient")
        return made

    def _root(self, entry: Table) -> Root:
        (output,) = _outputs([entry["output"]])
        return self._made(Root, entry, output=output)

    def _node(self, entry: Table) -> AutogradNode:
        custom, application = entry.get("custom"), entry.get("application")
        return self._made(
            AutogradNode,
            entry,
            next=_outputs(entry["next"]),
            custom=None if custom is None else self._made(UserFunction, custom),
            application=None if application is None else self._application(application),
            geometry=self._geometry(entry),
        )

    def _application(self, entry: JsonValue) -> Application:
        made = self._made(Application, entry)
        if not all(isinstance(call, Call) for call in made.calls) or type(made.outputs) is not dict:
            raise TypeError("a function's calls")
        return made

    def _update(self, entry: Table) -> Update:
        rows = cast("list[Table]", entry["parameters"])
        updated = tuple(self._made(ParameterUpdate, row) for row in rows)
        if not all(isinstance(row.hyperparameters["lr"], int | float | Recorded) for row in updated):
            raise TypeError("lr")
        return self._made(Update, entry, parameters=updated)


def _fits(annotation: str, value: object) -> bool:
    """Whether a field's value is of the outermost type of its annotation."""
    if value is None and annotation.endswith(" | None"):
        return True
    wanted = TYPES.get(annotation.removesuffix(" | None").partition("[")[0])
    return wanted is None or type(value) is wanted


def _outputs(written: JsonValue) -> tuple[Output | None, ...]:
    pairs = cast("Sequence[Sequence[JsonValue] | None]", written or ())
    return tuple(None if pair is None else Output(*map(_whole, pair)) for pair in pairs)


def _whole(number: JsonValue) -> int:
    if type(number) is not int:
        raise TypeError(f"{str(number)[:40]!r} is no whole number")
    return number


def _tensor(row: Sequence[JsonValue], tensors: Mapping[str, Values]) -> Recorded:
    name, dtype, *rest = row
    shape, strides = (tuple(_whole(n) for n in cast("list[JsonValue]", part)) for part in rest[:2])
    offset, storage, state = map(_whole, rest[2:5])
    if name is None:
        return Recorded(Identity(storage, state), str(dtype), shape, strides, offset, _absent)
    if min((*shape, *strides, offset), default=0) < 0 or len(shape) != len(strides):
        raise ValueError("a tensor has a negative size")
    numbers = tensors[str(name)]
    if str(dtype).startswith("complex"):
        numbers = numbers.view(f"c{2 * numbers.itemsize}")
    if math.prod(shape) * numbers.itemsize > MOST_BYTES:
        raise ValueError(f"a tensor of shape {list(shape)}")
    made = Recorded(
        Identity(storage, state), str(dtype), shape, strides, offset, lambda: numbers, str(rest[5])
    )
    made.freeze(laid(numbers, shape, strides))
    return made


def laid(numbers: Values, shape: Sequence[int], strides: Sequence[int]) -> Values:
    """The inverse of `frozen.stretch`. Raises ValueError for another count of numbers."""
    order = by_stride(strides)
    once = [1 if strides[axis] == 0 and shape[axis] else shape[axis] for axis in order]
    found: Values = np.broadcast_to(numbers.reshape(once).transpose(np.argsort(order)), shape)
    return found


def _absent() -> Values:
    raise ValueError("the numbers of an optimizer's own operations are not kept")
