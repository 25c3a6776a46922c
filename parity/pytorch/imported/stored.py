"""A recorded model as JSON, and back: its graph, and PyTorch's own calls, which can be run again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np
from pydantic import JsonValue

from parity.pytorch.aten import Bound, bind, entry
from parity.pytorch.imported.model import ImportedModel
from parity.pytorch.plain import Plain, plain, value_of
from parity.pytorch.recorder.data import Argument, Call, Recorded, Values, flat
from parity.render.texts.message import Message
from reference.graph import Graph, Node
from reference.operation import Options
from reference.operations import OPERATIONS
from reference.optimizers import Optimizer

if TYPE_CHECKING:
    from parity.pytorch.imported.graph import Import

MOST = 2**28
"""The largest whole number among the options of an operation; a larger size is an error or an attack."""

DETACH = "aten.detach.default"

LEARNED = re.compile(r"(also_)*[Wbp][0-9]+")
NAME = re.compile(r"\w{1,64}")


class StoredCall(NamedTuple):
    """A call of PyTorch's: its arguments, of which tensors and numbers stand in the graph under a name.

    Such an argument is `{"tensor": name}` or `{"number": name}`, a list of them for several tensors.
    `results` names the tensors that the call makes, None for one that nothing takes.
    """

    operation: str
    arguments: Mapping[str, JsonValue]
    results: tuple[str | None, ...]


def stored_calls(built: Import) -> tuple[StoredCall, ...] | None:
    """The calls of a recorded step; None if one of them cannot be run again from what the graph keeps."""
    known = {node.name for node in built.graph.nodes if node.is_leaf and not node.name.startswith("drawn")}
    found = []
    for name, call in built.calls:
        bound = bind(call)
        drawn = set(bound.operation.given)
        if drawn and drawn != set(bound.operation.forward):
            return None  # it draws and computes in one
        operands = {} if drawn else built.graph[name].operands
        for still in sorted(_still(operands, built) - known):
            found.append(StoredCall(DETACH, {"self": {"tensor": built.still[still]}}, (still,)))
            known.add(still)
        arguments = _arguments(call, bound, operands, built)
        results = _results(call, bound, name, None if drawn else built.graph[name])
        if arguments is None or not _named(arguments) <= known:
            return None
        known |= {result for result in results if result is not None}
        found.append(StoredCall(call.operation, arguments, results))
    return tuple(found)


def _still(operands: Mapping[str, tuple[Node | None, ...]], built: Import) -> set[str]:
    """The operands that stop a gradient: no call made them."""
    names = {node.name for nodes in operands.values() for node in nodes if node}
    return names & built.still.keys()


def _arguments(
    call: Call, bound: Bound, operands: Mapping[str, tuple[Node | None, ...]], built: Import
) -> dict[str, JsonValue] | None:
    """The arguments by the schema's names; None if a tensor among them is not in the graph."""
    read = entry(call.operation)
    assert read is not None
    ours = [*read.arguments, *[""] * (len(call.arguments) - len(read.arguments))]
    names = {
        operand.strip("*"): [node.name if node else None for node in nodes]
        for operand, nodes in operands.items()
    }
    arguments: dict[str, JsonValue] = {}
    for (key, value), own in zip(call.arguments.items(), ours, strict=True):
        nodes = names.get(own.strip("?*")) if own else None
        if nodes is None:
            nodes = [built.name_of(tensor) for tensor in flat(value)]
            if None in nodes:
                return None
        waiting = iter(nodes)
        arguments[key] = _written(value, waiting, number=own.strip("?*") in names)
    return arguments


def _written(value: Argument, names: Iterator[str | None], *, number: bool) -> JsonValue:
    """An argument with the names of its tensors, in order, and of its numbers if they are operands."""
    if isinstance(value, tuple):
        return [_written(part, names, number=number) for part in value]
    name = next(names, None) if isinstance(value, Recorded) or number else None
    if isinstance(value, Recorded):
        return {"tensor": name}
    return {"number": name} if name is not None else plain(value)


def _results(call: Call, bound: Bound, name: str, node: Node | None) -> tuple[str | None, ...]:
    """The names in the graph of the tensors that a call makes."""
    made: dict[int, str] = {}
    for output, tensor in bound.results.items():
        if isinstance(tensor, tuple):
            made |= {id(part): f"part{at}_{name}" for at, part in enumerate(tensor)}
        elif isinstance(tensor, Recorded):
            made[id(tensor)] = name if node is None else node.made(output)
    return tuple(made.get(id(tensor)) for tensor in call.tensors())


def _named(argument: JsonValue) -> set[str]:
    """The names of tensors and numbers in an argument."""
    if isinstance(argument, list):
        return set().union(*map(_named, argument))
    if isinstance(argument, dict):
        own = {str(argument[kind]) for kind in ("tensor", "number") if kind in argument}
        return own or set().union(*map(_named, argument.values()))
    return set()


# --- As JSON ------------------------------------------------------------------------------------------


def to_json(model: ImportedModel) -> dict[str, JsonValue]:
    """The graph of a model, where its parameters and operations are in the module, and its calls."""
    return {
        "nodes": [_node(node) for node in model.graph.nodes],
        "output": model.output,
        "statistics": list(model.statistics),
        "paths": dict(model.paths),
        "calls": None
        if model.calls is None
        else [[call.operation, dict(call.arguments), list(call.results)] for call in model.calls],
    }


def _node(node: Node) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"name": node.name, "gradient": node.gradient}
    if node.operation is not None:
        options = {name: plain(cast("Plain", value)) for name, value in node.options.items()}
        parents: list[JsonValue] = [parent.name if parent else None for parent in node.parents]
        return found | {"operation": node.operation.name, "parents": parents, "options": options}
    if node.maker is not None:
        return found | {"maker": node.maker.name, "part": node.part}
    return found | {"given": node.given}


def of_json(facts: JsonValue, leaves: Mapping[str, Values], optimizer: Optimizer) -> ImportedModel:
    """The model that facts describe, with examples of its leaves.

    Raises ValueError for facts that describe none, and for an operation that is not in the table.
    """
    try:
        return _of_json(facts, leaves, optimizer)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(Message("graph_damaged", reason=f"{type(error).__name__}: {error}")) from None


def _of_json(facts: JsonValue, leaves: Mapping[str, Values], optimizer: Optimizer) -> ImportedModel:
    if not isinstance(facts, dict):
        raise ValueError(Message("graph_damaged", reason=Message("graph_no_object")))
    table = cast("dict[str, list[dict[str, JsonValue]]]", facts)
    graph = Graph()
    for node in table["nodes"]:
        _enter(graph, node)
    own = {node.name: leaves[node.name] for node in graph.nodes if node.is_leaf}
    learned = [node.name for node in graph.nodes if node.is_leaf and not node.given]
    if not learned or not all(map(LEARNED.fullmatch, learned)) or "x" not in graph or "y" not in graph:
        raise ValueError(Message("graph_damaged", reason=Message("graph_no_data")))
    return ImportedModel(
        graph,
        own,
        cast("dict[str, str]", facts["paths"]),
        graph[str(facts["output"])].name,
        np.dtype(own[learned[0]].dtype),
        tuple(graph[str(name)].name for name in table["statistics"]),
        optimizer,
        calls=_calls(facts["calls"]),
    )


def _enter(graph: Graph, node: Mapping[str, JsonValue]) -> None:
    name, gradient = str(node["name"]), str(node["gradient"])
    if not NAME.fullmatch(name) or not NAME.fullmatch(gradient):
        raise ValueError(Message("graph_damaged", reason=Message("graph_no_name", name=repr(name[:60]))))
    if "operation" in node:
        wanted = str(node["operation"])
        if wanted not in OPERATIONS:
            raise ValueError(Message("not_in_table_alone", operation=wanted[:60]))
        written = cast("dict[str, JsonValue]", node["options"])
        options = {str(key): _bounded(value_of(value)) for key, value in written.items()}
        parents = cast("list[str | None]", node["parents"])
        graph.add(name, OPERATIONS[wanted], *parents, gradient=gradient, **cast("Options", options))
    elif "maker" in node:
        part = node["part"]
        if part is not None and type(part) is not int:
            raise TypeError("part")
        graph.made(name, str(node["maker"]), part=part, gradient=gradient)
    else:
        graph.leaf(name, gradient=gradient, given=node["given"] is True)


def _bounded(value: Plain) -> Plain:
    """The value. Raises ValueError for a number that would be an absurd size."""
    if isinstance(value, tuple):
        for part in value:
            _bounded(part)
    elif isinstance(value, int) and abs(value) > MOST and abs(value) != 2**63 - 1:  # a slice's open end
        raise ValueError(Message("graph_size", value=value))
    return value


Listed: TypeAlias = "list[tuple[str, dict[str, JsonValue], list[str | None]]]"


def _calls(written: JsonValue) -> tuple[StoredCall, ...] | None:
    if written is None:
        return None
    return tuple(
        StoredCall(str(operation), dict(arguments), tuple(results))
        for operation, arguments, results in cast("Listed", written)
    )
