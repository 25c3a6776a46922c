"""A recorded call as an operation of the reference's table: which one, on what, with which options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from parity.pytorch.recorder.data import Argument, AutogradNode, Call, Recorded, flat
from parity.render.texts.message import Message
from reference.operation import Operation, Option, UnreadArgumentError
from reference.operations import OPERATIONS

IGNORED = "-"
"""What the table calls an argument that changes no number, as a memory format, and a workspace's result."""


@dataclass(frozen=True)
class Entry:
    """How one ATen operation reads: our names of its arguments and of its results, by their order."""

    operation: Operation
    arguments: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Bound:
    """A call's tensors and options under our names.

    An operand is a tensor, a tuple of tensors where the operation takes any number of them, a number
    that stands for a tensor, or None where it was left out.
    """

    operation: Operation
    operands: Mapping[str, Argument]
    options: Mapping[str, Option]
    results: Mapping[str, Argument]


class UnsupportedError(ValueError):
    """An operation that the table does not have, or not with this argument."""


def entry(name: str) -> Entry | None:
    """The table's entry of "aten.addmm.default"; of an operation in place, that of the one that is not."""
    known = _entries(tuple(OPERATIONS.values()))
    if name in known:
        return known[name]
    space, base, overload = (*name.split("."), "", "")[:3]
    if not base.endswith("_") or base.endswith("__"):
        return None
    exact = known.get(f"{space}.{base[:-1]}.{overload}")
    overloads = [found for key, found in known.items() if key.startswith(f"{space}.{base[:-1]}.")]
    return exact or (overloads[0] if len(overloads) == 1 else None)  # transpose_ is transpose.int


@lru_cache(maxsize=4)
def _entries(operations: tuple[Operation, ...]) -> Mapping[str, Entry]:
    found = {}
    for operation in operations:
        for name, written in operation.aten.items():
            arguments, _, results = written.partition("->")
            found[name] = Entry(
                operation, tuple(arguments.split()), tuple(results.split()) or (operation.value,)
            )
    return MappingProxyType(found)


def bind(call: Call) -> Bound:
    """The call in the table's terms.

    Raises UnsupportedError for an operation that is not in the table, and for an argument that its
    formulas do not read.
    """
    found = entry(call.operation)
    if found is None:
        raise UnsupportedError(call.operation)
    operation = found.operation
    for tensor in (*flat(tuple(call.arguments.values())), *flat(call.results)):
        if tensor.layout != "strided":
            raise UnsupportedError(Message("op_layout", operation=call.operation, layout=tensor.layout))
        if tensor.dtype.startswith("complex"):
            raise UnsupportedError(Message("op_complex", operation=call.operation))
    known = {name.strip("?*"): name for name in operation.operands}
    operands: dict[str, Argument] = {}
    options: dict[str, Option] = {}
    results = dict(zip(found.results, _results(call, found), strict=False))
    results.pop(IGNORED, None)
    for (schema, value), name in zip(call.arguments.items(), found.arguments, strict=False):
        if name == IGNORED:
            continue
        if name.strip("?*") in known:
            operands[known[name.strip("?*")].rstrip("?")] = value
        elif name == "dtype" and value is None and not operation.operands:
            options[name] = next(call.tensors()).dtype  # the program's default one, which no argument tells
        elif value is not None or operation.options.get(name) is not None:
            options[name] = _option(value)
        if f"{name}_next" in operation.forward and schema in call.written:
            results[f"{name}_next"] = call.written[schema]
    x = operands.get("x")
    if "storage_offset" in operation.options and isinstance(x, Recorded) and not _is_whole(x):
        raise UnsupportedError(Message("op_part", operation=call.operation))
    for operand in operation.operands:
        if operand.endswith("?"):  # an overload without it
            operands.setdefault(operand.rstrip("?"), None)
    try:
        return Bound(operation, operands, operation.settled(options), results)
    except ValueError as error:
        raise UnsupportedError(Message("op_because", operation=call.operation, reason=error)) from None


def _is_whole(x: Recorded) -> bool:
    """Whether a tensor is its storage from the start, number by number."""
    dense, size = [], 1
    for length in reversed(x.shape):
        dense.append(size)
        size *= max(length, 1)
    return x.offset == 0 and x.strides == tuple(reversed(dense))


def _results(call: Call, found: Entry) -> tuple[Argument, ...]:
    if found.operation.value.startswith("*"):  # all of them together
        return (tuple(call.tensors()),)
    return call.results


def _option(value: Argument) -> Option:
    if isinstance(value, Recorded):
        raise UnreadArgumentError("a tensor where the table has an option")
    if isinstance(value, complex) or (isinstance(value, str) and value.startswith("complex")):
        raise UnreadArgumentError("a complex number")
    return tuple(_option(part) for part in value) if isinstance(value, tuple) else value


def edge_places(bound: Bound, node: AutogradNode) -> Iterator[tuple[str, int]]:
    """The operand, and its place under that name, that each edge of autograd's node belongs to.

    Autograd has an edge for each argument that it differentiates, in the schema's order; a number has
    one only where the schema has a tensor in its place.
    """
    wanted = [(name, parts) for name, parts in operand_parts(bound) if name in bound.operation.vjps]
    places = [(name, place, part) for name, parts in wanted for place, part in enumerate(parts)]
    if len(places) > len(node.next):
        places = [place for place in places if isinstance(place[2], Recorded)]
    return ((name, place) for name, place, _ in places)


def operand_parts(bound: Bound) -> Iterator[tuple[str, tuple[Argument, ...]]]:
    """Each operand's parts: one, or several where the operation takes any number."""
    for operand in bound.operation.operands:
        name = operand.rstrip("?")
        given = bound.operands.get(name)
        yield name, given if operand.startswith("*") and isinstance(given, tuple) else (given,)
