"""A recording as plain data: tables of JSON values, and each tensor's numbers once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np
from pydantic import JsonValue

from parity.pytorch.plain import Plain, plain
from parity.pytorch.recorder.data import Backward, Call, Identity, Recorded, Step, Values, flat

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class NodeRan(NamedTuple):
    """Autograd went back through a node."""

    passed: Backward
    number: int


Event: TypeAlias = "Call | NodeRan | Step"
"""What happened: an operation ran, autograd went back through a node, a step was over."""


@dataclass(frozen=True)
class FrozenRecording:
    """The tables of a recording, and the tensors that occur first in each of its steps, flat, by name."""

    tables: dict[str, JsonValue]
    tensors: list[dict[str, Values]]


def freeze(events: Sequence[Event]) -> FrozenRecording:
    """The events up to the last step's end.

    Left out are operations that only prepare data: they run outside every module and autograd's graph,
    on nothing that a module, the graph or an optimizer made. Of an optimizer's own operations only the
    identities of their results are kept, since its rules are certified on the parameters.
    """
    last = max((place for place, event in enumerate(events) if isinstance(event, Step)), default=-1)
    freezer = _Freezer()
    for event in of_steps(events[: last + 1]):
        freezer.enter(event)
    return freezer.frozen()


def step_bytes_of(step: Step) -> int:
    """The size in bytes of the tensors of a step, those of its optimizer's own operations left out."""
    found: dict[tuple[Identity, int, tuple[int, ...]], int] = {}
    for call in step.calls:
        if call.phase != "update":
            for tensor in (*flat(tuple(call.arguments.values())), *flat(call.results)):
                size = int(np.prod([n for n, s in zip(tensor.shape, tensor.strides, strict=True) if s]))
                itemsize = np.dtype(tensor.array.dtype).itemsize
                found[tensor.identity, tensor.offset, tuple(sorted(tensor.shape))] = size * itemsize
    return sum(found.values())


def of_steps(events: Sequence[Event]) -> Iterator[Event]:
    """The events without calls of no recorded step and without those that prepare data."""
    own = {id(call) for event in events if isinstance(event, Step) for call in event.calls}
    made: set[Identity] = set()
    for event in events:
        if not isinstance(event, Call):
            yield event
            continue
        taken = {tensor.identity for tensor in flat(tuple(event.arguments.values()))}
        inside = event.phase == "update" or event.module_class or any(event.outputs) or taken & made
        if inside and id(event) in own:
            made |= {tensor.identity for tensor in (*event.tensors(), *flat(tuple(event.written.values())))}
            yield event


def stretch(values: Values, strides: Sequence[int]) -> Values:
    """The numbers in the order of memory, those that a stride of 0 repeats once. (…) -> (n,)"""
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in strides)]
    found: Values = np.ascontiguousarray(once.transpose(by_stride(strides))).reshape(-1)
    return found


def by_stride(strides: Sequence[int]) -> list[int]:
    """The axes in the order of memory, the slowest first."""
    return sorted(range(len(strides)), key=lambda axis: -strides[axis])


class _Freezer:
    """Builds the tables; whatever occurs twice is entered once."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._passes: dict[int, int] = {}
        self._known: dict[tuple[int, bool], int] = {}
        self._names: dict[bytes, str] = {}
        self._tensors: list[JsonValue] = []
        self._call_table: list[JsonValue] = []
        self._pass_table: list[JsonValue] = []
        self._events: list[JsonValue] = []
        self._arrays: list[dict[str, Values]] = [{}]

    def enter(self, event: Event) -> None:
        if isinstance(event, Call):
            self._events.append(["call", self._call(event)])
        elif isinstance(event, NodeRan):
            self._events.append(["node", self._pass(event.passed), event.number])
        else:
            passes: list[JsonValue] = [self._pass(passed) for passed in event.backwards]
            updates = self._written(event.updates)
            self._events.append(["step", event.index, passes, updates])
            self._arrays.append({})

    def frozen(self) -> FrozenRecording:
        tables: dict[str, JsonValue] = {
            "tensors": self._tensors,
            "calls": self._call_table,
            "passes": self._pass_table,
            "events": self._events,
        }
        return FrozenRecording(tables, self._arrays[:-1])

    def _call(self, call: Call) -> int:
        if id(call) not in self._calls:
            entry = self._fields(call, without={"arguments", "results", "written", "region"})
            bare = call.phase == "update"
            entry["arguments"] = {"map": []} if bare else self._written(call.arguments)
            entry["results"] = self._written(call.results, bare=bare)
            entry["written"] = self._written(call.written, bare=bare)
            self._calls[id(call)] = len(self._call_table)
            self._call_table.append(entry)
        return self._calls[id(call)]

    def _pass(self, passed: Backward) -> int:
        if id(passed) not in self._passes:
            nodes: list[JsonValue] = [self._written(node) for node in passed.nodes.values()]
            entry = self._fields(passed, without={"nodes", "senders", "needed"})
            self._passes[id(passed)] = len(self._pass_table)
            entry |= {"nodes": nodes, "needed": self._written(sorted(passed.needed))}
            self._pass_table.append(entry)
        return self._passes[id(passed)]

    def _written(self, value: object, *, bare: bool = False) -> JsonValue:
        """Any part of a recording; `bare` leaves out the numbers of tensors."""
        if isinstance(value, Recorded):
            return {"tensor": self._tensor(value, bare=bare)}
        if isinstance(value, Call):
            return {"call": self._call(value)}
        if isinstance(value, Mapping):
            return {"map": [[key, self._written(one, bare=bare)] for key, one in value.items()]}
        if isinstance(value, tuple | list):
            return [self._written(one, bare=bare) for one in value]
        if is_dataclass(value) and not isinstance(value, type):
            return self._fields(value)
        return plain(cast("Plain", value))

    def _fields(self, value: DataclassInstance, without: Set[str] = frozenset()) -> dict[str, JsonValue]:
        """The fields that are not their defaults."""
        pairs = ((f, getattr(value, f.name)) for f in fields(value) if f.name not in without)
        return {f.name: self._written(one) for f, one in pairs if one is not f.default and one != f.default}

    def _tensor(self, tensor: Recorded, *, bare: bool) -> int:
        """The row of a tensor, entered where it is new."""
        key = (id(tensor), bare)
        if (id(tensor), False) in self._known:
            return self._known[id(tensor), False]
        if key not in self._known:
            storage, state = tensor.identity
            data = None if bare else self._name(stretch(tensor.array, tensor.strides))
            shape, strides = self._written(tensor.shape), self._written(tensor.strides)
            row: list[JsonValue] = [data, tensor.dtype, shape, strides, tensor.offset, storage, state]
            self._known[key] = len(self._tensors)
            self._tensors.append([*row, tensor.layout])
        return self._known[key]

    def _name(self, numbers: Values) -> str:
        """The name of these numbers, which are stored once."""
        stored = numbers.view(numbers.real.dtype) if numbers.dtype.kind == "c" else numbers
        digest = hashlib.sha256(stored.dtype.str.encode() + stored.tobytes()).digest()
        if digest not in self._names:
            self._names[digest] = f"t{len(self._names)}"
            self._arrays[-1][self._names[digest]] = stored
        return self._names[digest]
