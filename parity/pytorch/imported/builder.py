"""Builds the computational graph of recorded calls, in the terms of the table of operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from parity.errors import UsageError
from parity.pytorch.aten import Bound, UnsupportedError, bind, edge_places, operand_parts
from parity.pytorch.recorder.data import (
    Argument,
    AutogradNode,
    Backward,
    Call,
    Output,
    Recorded,
    Values,
    flat,
)
from parity.render.texts.message import Message
from reference.graph import Graph
from reference.model import LOSS
from reference.operations import OPERATIONS

KINDS = {"weight": "W", "bias": "b"}
"""The symbol of a parameter, by the last part of its path; of any other it is p."""


@dataclass(frozen=True)
class Placed:
    """A call at its place in the graph: the node of its value, and autograd's node, if it has one."""

    name: str
    call: Call
    bound: Bound
    node: AutogradNode | None


class GraphBuilder:
    """The graph of those recorded calls that some tensors depend on, in the order of execution.

    Leaves are parameters and whatever else the calls are given. `subject` is what messages are about,
    `phases` which calls belong to it; what is computed in others is given. A tensor that autograd
    carries, taken by a call that sends no gradient back, is taken through a node of its own that stops
    the gradient. Raises UsageError for what the table of operations does not have, and for what is no
    graph of operations, naming the module and the line.
    """

    subject = "model"
    phases: tuple[str, ...] = ("forward",)

    def __init__(self, backward: Backward) -> None:
        self.backward = backward
        self.graph = Graph()
        self.placed: list[Placed] = []
        self.calls: list[tuple[str, Call]] = []  # all of them, with the name of what each makes
        self.paths: dict[str, str] = {}
        self.leaves: dict[str, Values] = {}
        self.outputs: dict[Output, str] = {}
        self.parameters: dict[Output, str] = {}  # by where they are in autograd's graph
        self.still: dict[str, str] = {}  # nodes that stop a gradient, and of what
        self._made: dict[int, tuple[str, Recorded]] = {}  # by the identity of the recorded tensor
        self._storages: set[int] = set()
        self._nodes = {id(node.call): node for node in self.backward.nodes.values() if node.call}

    def _needed(
        self, calls: Iterable[Call], roots: Collection[Output], wanted: Iterable[Recorded] = ()
    ) -> list[Call]:
        """The calls on which these outputs of autograd's nodes, and these tensors, depend."""
        ends = {id(self.backward.nodes[root.node].call) for root in roots}
        tensors, outputs = {id(tensor) for tensor in wanted}, set(roots)
        found = []
        for call in reversed(list(calls)):
            taken = {id(tensor) for value in call.arguments.values() for tensor in flat(value)}
            made = {id(tensor) for tensor in call.tensors()} - taken  # a detach makes what it takes
            if id(call) not in ends and not made & tensors and not outputs & set(call.outputs):
                continue
            if call.phase not in self.phases:
                continue  # computed outside the graph: given
            found.append(call)
            tensors |= taken
            node = self._nodes.get(id(call))
            outputs |= {edge for edge in node.next if edge} if node else set()
        return found[::-1]

    def _place(self, call: Call, layer: int, name: str) -> None:
        """Add a call to the graph, as the node of this name."""
        module = call.module or Message(f"{self.subject}_whole")
        where = Message("graph_place", subject=self.subject, module=module, source=call.source)
        try:
            bound = bind(call)
        except UnsupportedError as error:
            raise UsageError(Message("not_in_table", where=where, operation=error)) from None
        if call.geometry is not None:
            raise UsageError(Message("writes_part", where=where, operation=call.operation))
        if set(bound.operation.given) == set(bound.operation.forward):
            drawn = bound.results[bound.operation.value]
            self._leaf(f"drawn{layer}", drawn)  # at random: each step has its own
            self.calls.append((f"drawn{layer}", call))
            if not bound.operation.choices:  # memory that nobody has written to: any numbers will do
                self.leaves[f"drawn{layer}"] = np.zeros_like(self.leaves[f"drawn{layer}"])
            return
        node = self._nodes.get(id(call))
        edges = edges_of(bound, node)
        try:
            parents = [
                self._parent(self._operand(part, bound), edges.get((operand, place)), operand, layer)
                for operand, parts in operand_parts(bound)
                for place, part in enumerate(parts)
            ]
            self.graph.add(
                name, bound.operation, *parents, gradient=_gradient(name, layer), **bound.options
            )
        except ValueError as error:
            raise UsageError(Message("file_failed", file=where, reason=error)) from None
        self.placed.append(Placed(name, call, bound, node))
        self.calls.append((name, call))
        self.paths[name] = call.module
        self._enter_results(name, layer, bound)
        tensors = list(call.tensors())
        for tensor, made_by in zip(tensors, call.outputs, strict=False):
            if made_by is not None and made_by.node in self.backward.nodes:
                self.outputs[made_by] = self._made[id(tensor)][0]

    def _enter_results(self, name: str, layer: int, bound: Bound) -> None:
        """What a call makes: its value, the parts of it, by-products that others may take."""
        for output, tensor in bound.results.items():
            if isinstance(tensor, tuple):
                for at, part in enumerate(tensor):
                    made = f"part{at}_{name}"
                    self.graph.made(made, name, part=at, gradient=f"part{at}_s{layer}")
                    if isinstance(part, Recorded):
                        self._note(made, part)
            elif isinstance(tensor, Recorded):
                made = self.graph[name].made(output)
                if output in bound.operation.given:
                    self.graph.leaf(made, given=True)
                    self.leaves[made] = tensor.array
                elif output != bound.operation.value and not made.endswith("_next"):
                    self.graph.made(made, name)
                self._note(made, tensor)

    def _operand(self, given: Argument, bound: Bound) -> Argument:
        """An operand; a number that stands for a tensor in the format that PyTorch gives it."""
        beside = [tensor.array.dtype for each in bound.operands.values() for tensor in flat(each)]
        if isinstance(given, int | float) and not isinstance(given, bool) and beside:
            format_ = np.result_type(*beside, given)
            return Recorded.of(np.asarray(given, format_), format_.name)
        return given

    def _parent(self, given: Argument, edge: Output | None, operand: str, layer: int) -> str | None:
        """The node of an operand: made by a call, a parameter, or given."""
        if given is None:
            return None
        if edge is not None:
            return self.outputs[edge] if edge in self.outputs else self._parameter(edge, given, layer)
        if isinstance(given, Recorded) and id(given) in self._made:
            return self._still(*self._made[id(given)])
        if isinstance(given, Recorded) and given.identity.storage in self._storages:
            raise ValueError(Message("graph_stale_view", operand=operand))
        name = f"{operand.strip('*')}{layer}"
        while name in self.graph:
            name = f"also_{name}"
        return self._leaf(name, given)

    def _parameter(self, edge: Output, given: Argument, layer: int) -> str:
        if edge in self.parameters:
            return self.parameters[edge]
        node = self.backward.nodes[edge.node]
        if node.parameter is None:
            kind = f"{node.custom.name} ({node.custom.source})" if node.custom else node.name
            raise ValueError(Message("graph_foreign", kind=kind))
        kind = KINDS.get(node.parameter.rpartition(".")[2], "p")
        name = f"{kind}{layer}"
        while name in self.graph:
            name = f"also_{name}"
        self.parameters[edge] = name
        self.paths[name] = node.parameter
        return self._leaf(name, given, learned=True)

    def _still(self, name: str, made: Recorded) -> str:
        """The node of a tensor that is taken without a gradient: one that stops it, if it carries one.

        To the graph whole numbers carry one too, where an operation made them that floats go through.
        """
        carries = name in {*self.outputs.values(), *self.parameters.values()}
        if not carries and (made.array.dtype.kind == "f" or self.graph[name].is_leaf):
            return name
        still = f"still_{name}"
        if still not in self.still:
            self.graph.add(still, OPERATIONS["detach"], name)
            self.still[still] = name
        return still

    def _leaf(self, name: str, given: Argument, *, learned: bool = False) -> str:
        self.graph.leaf(name, given=not learned)
        if isinstance(given, Recorded):
            self._note(name, given)
            self.leaves[name] = given.array
        else:
            self.leaves[name] = np.asarray(given)
        return name

    def _note(self, name: str, tensor: Recorded) -> None:
        self._made[id(tensor)] = name, tensor
        if name in self.graph and self.graph[name].operation:
            self._storages.add(tensor.identity.storage)


def edges_of(bound: Bound, node: AutogradNode | None) -> dict[tuple[str, int], Output]:
    """Where the errors of each operand go."""
    if node is None:
        return {}
    pairs = zip(edge_places(bound, node), node.next, strict=False)
    return {place: edge for place, edge in pairs if edge is not None}


def _gradient(name: str, layer: int) -> str:
    return f"d{LOSS}" if name == LOSS else f"s{layer}"
