"""The computational graph of a recorded step: any model, its loss included, as the reference trains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.errors import UsageError
from parity.pytorch.aten import Bound, UnsupportedError, bind, edge_places, operand_parts
from parity.pytorch.imported.model import ImportedModel
from parity.pytorch.imported.stored import stored_calls
from parity.pytorch.recorder.data import (
    Argument,
    AutogradNode,
    Backward,
    Call,
    Output,
    Recorded,
    Step,
    Values,
    flat,
)
from reference.clipping import Clipping
from reference.graph import Graph
from reference.model import LOSS
from reference.optimizers import SGD, Optimizer

KINDS = {"weight": "W", "bias": "b"}
"""The symbol of a parameter, by the last part of its path; of any other it is p."""


@dataclass(frozen=True)
class Placed:
    """A call at its place in the graph: the node of its value, and autograd's node, if it has one."""

    name: str
    call: Call
    bound: Bound
    node: AutogradNode | None


class Import:
    """Builds the graph of a recorded step, and reads the step's trace.

    Leaves are x, y, parameters and whatever else the model is given. A call is a node, in the order of
    execution: a1, a2, …, and the loss. Raises UsageError for what the table of operations does not
    have, and for what is no graph of operations, naming the module and the line. `buffers` are the
    model's own tensors that it does not learn, by name.
    """

    def __init__(
        self, step: Step, x: Recorded, y: Recorded, answer: Recorded, buffers: Mapping[str, Recorded]
    ) -> None:
        if len(step.backwards) != 1 or len(step.backwards[0].roots) != 1:
            raise UsageError("model: a step is one backward pass from one loss")
        self.backward: Backward = step.backwards[0]
        self.answer = answer
        self.graph = Graph()
        self.placed: list[Placed] = []
        self.calls: list[tuple[str, Call]] = []  # all of them, with the name of what each makes
        self.paths: dict[str, str] = {}
        self.statistics: list[str] = []
        self.leaves: dict[str, Values] = {}
        self._made: dict[int, tuple[str, Recorded]] = {}  # by the identity of the recorded tensor
        self.outputs: dict[Output, str] = {}
        self.parameters: dict[int, str] = {}  # by autograd's node
        self._storages: set[int] = set()
        self._buffers = {id(tensor): name for name, tensor in buffers.items()}
        self._nodes = {id(node.call): node for node in self.backward.nodes.values() if node.call}
        self._leaf("x", x)
        self._leaf("y", y)
        calls = self._needed(step.calls)
        if not calls:
            raise UsageError("model: the loss does not depend on any operation that was recorded")
        for layer, call in enumerate(calls, start=1):
            self._place(call, layer, last=call is calls[-1])

    # --- Building -------------------------------------------------------------------------------------

    def _needed(self, calls: Iterable[Call]) -> list[Call]:
        """The calls on which the loss depends."""
        root = self.backward.nodes[self.backward.roots[0].output.node].call
        tensors: set[int] = set()
        outputs: set[Output] = {self.backward.roots[0].output}
        found = []
        for call in reversed(list(calls)):
            taken = {id(tensor) for value in call.arguments.values() for tensor in flat(value)}
            made = {id(tensor) for tensor in call.tensors()} - taken  # a detach makes what it takes
            if call is not root and not made & tensors and not outputs & set(call.outputs):
                continue
            if call.phase != "forward":
                continue  # computed outside the graph: given
            found.append(call)
            tensors |= taken
            node = self._nodes.get(id(call))
            outputs |= {edge for edge in node.next if edge} if node else set()
        return found[::-1]

    def _place(self, call: Call, layer: int, *, last: bool) -> None:
        where = f"model: {call.module or 'the model itself'} ({call.source})"
        try:
            bound = bind(call)
        except UnsupportedError as error:
            raise UsageError(f"{where}: {error} is not in the table of operations") from None
        if call.geometry is not None:
            raise UsageError(f"{where}: {call.operation} writes into a part of a tensor")
        if set(bound.operation.given) == set(bound.operation.forward):
            drawn = bound.results[bound.operation.value]
            self._leaf(f"drawn{layer}", drawn)  # at random: each step has its own
            self.calls.append((f"drawn{layer}", call))
            if not bound.operation.choices:  # memory that nobody has written to: any numbers will do
                self.leaves[f"drawn{layer}"] = np.zeros_like(self.leaves[f"drawn{layer}"])
            return
        node = self._nodes.get(id(call))
        beside = [tensor.array.dtype for given in bound.operands.values() for tensor in flat(given)]
        name = LOSS if last else f"a{layer}"
        edges = edges_of(bound, node)
        try:
            parents = [
                self._parent(_as_tensor(part, beside), edges.get((operand, place)), operand, layer)
                for operand, parts in operand_parts(bound)
                for place, part in enumerate(parts)
            ]
            self.graph.add(
                name, bound.operation, *parents, gradient=_gradient(name, layer), **bound.options
            )
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        self.placed.append(Placed(name, call, bound, node))
        self.calls.append((name, call))
        self.paths[name] = call.module
        self._enter_results(name, layer, bound)
        tensors = list(call.tensors())
        for tensor, made_by in zip(tensors, call.outputs, strict=False):
            if made_by is not None:
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

    def _parent(self, given: Argument, edge: Output | None, operand: str, layer: int) -> str | None:
        """The node of an operand: made by a call, a parameter, or given."""
        if given is None:
            return None
        if edge is not None:
            return self.outputs[edge] if edge in self.outputs else self._parameter(edge, given, layer)
        if isinstance(given, Recorded) and id(given) in self._made:
            return self._made[id(given)][0]
        if isinstance(given, Recorded) and given.identity.storage in self._storages:
            raise ValueError(f"{operand} is a view of a tensor that was written to in the meantime")
        name = f"{operand.strip('*')}{layer}"
        while name in self.graph:
            name = f"also_{name}"
        return self._leaf(name, given)

    def _parameter(self, edge: Output, given: Argument, layer: int) -> str:
        if edge.node in self.parameters:
            return self.parameters[edge.node]
        node = self.backward.nodes[edge.node]
        if node.parameter is None:
            kind = f"{node.custom.name} ({node.custom.source})" if node.custom else node.name
            raise ValueError(f"{kind} is no operation of PyTorch's: its formula is not known")
        kind = KINDS.get(node.parameter.rpartition(".")[2], "p")
        name = f"{kind}{layer}"
        while name in self.graph:
            name = f"also_{name}"
        self.parameters[edge.node] = name
        self.paths[name] = node.parameter
        return self._leaf(name, given, learned=True)

    def _leaf(self, name: str, given: Argument, *, learned: bool = False) -> str:
        self.graph.leaf(name, given=not learned)
        if id(given) in self._buffers:
            self.paths[name] = self._buffers[id(given)]
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

    # --- Reading --------------------------------------------------------------------------------------

    def name_of(self, tensor: Recorded) -> str | None:
        """The last node that a recorded tensor is the value of."""
        return self._made[id(tensor)][0] if id(tensor) in self._made else None

    def model(self, optimizer: Optimizer = SGD, clipping: Clipping | None = None) -> ImportedModel:
        """What the reference trains."""
        renewed = {
            self.graph[placed.name].made(out) for placed in self.placed for out in placed.bound.results
        }
        learned = [node.name for node in self.graph.nodes if node.is_leaf and not node.given]
        if not learned:
            raise UsageError("model: the loss does not depend on a parameter that is learned")
        if id(self.answer) not in self._made:
            raise UsageError("model: the loss does not depend on the model's output")
        answer = self._made[id(self.answer)][0]
        return ImportedModel(
            self.graph,
            self.leaves,
            self.paths,
            answer,
            np.dtype(self.leaves[learned[0]].dtype),
            tuple(name for name in self.leaves if f"{name}_next" in renewed),
            optimizer,
            clipping,
            stored_calls(self),
        )


def edges_of(bound: Bound, node: AutogradNode | None) -> dict[tuple[str, int], Output]:
    """Where the errors of each operand go."""
    if node is None:
        return {}
    pairs = zip(edge_places(bound, node), node.next, strict=False)
    return {place: edge for place, edge in pairs if edge is not None}


def _as_tensor(given: Argument, beside: Sequence[np.dtype[np.generic]]) -> Argument:
    """A number that stands for a tensor, in the format that PyTorch gives it beside the others."""
    if isinstance(given, int | float) and not isinstance(given, bool) and beside:
        format_ = np.result_type(*beside, given)
        return Recorded.of(np.asarray(given, format_), format_.name)
    return given


def _gradient(name: str, layer: int) -> str:
    return f"d{LOSS}" if name == LOSS else f"s{layer}"
