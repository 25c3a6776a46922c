"""The definition of a kernel: plain PyTorch, run once and recorded as a graph of certified operations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from parity.errors import UsageError
from parity.pytorch.aten import Bound
from parity.pytorch.imported.builder import GraphBuilder
from parity.pytorch.recorder.data import Argument, Backward, Call, Output, Recorded, Values
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.equations import Equation
from reference.model import LOSS
from reference.operation import define
from reference.walk import backward, forward

NOTHING_DIFFERENTIATED = Backward({}, (), None, "", retained=False, needed=frozenset())


def _paired(*parts: Array) -> Array:
    """Σ_i <o_i, u_i>: the scalar whose gradient for each output o_i is the upstream gradient u_i."""
    half = len(parts) // 2
    pairs = zip(parts[:half], parts[half:], strict=True)
    return reduce(np.add, (np.asarray(np.sum(output * upstream)) for output, upstream in pairs))


def _upstream(*parts: Array, at: int = 0) -> Array:
    return parts[len(parts) // 2 + at]


PAIRING = define(
    "upstream",
    (_paired, r"\sum_i \langle o_i, u_i \rangle"),
    {"*parts": (_upstream, r"u_i")},
    operands=("*parts",),
)
"""Joins the outputs with their upstream gradients. It is no operation of the definition's."""


@dataclass(frozen=True)
class KernelOutput:
    """One output of the definition. `root` is where its gradient enters autograd's graph, if it has one
    there; `upstream` that gradient.
    """

    made: Recorded
    root: Output | None
    upstream: Recorded | None


class Definition(GraphBuilder):
    """The recorded definition.

    `given` are its inputs and parameters by name, `endings` its outputs. `learned` are those of which
    gradients are asked for though autograd recorded nothing, as inside of a `torch.autograd.Function`;
    `kept` are other tensors that it makes and that somebody asks for.
    `names` are the graph's names of the outputs, `formats` the format of each tensor by the graph's
    name. Raises UsageError as a `GraphBuilder`, for random numbers, and for a leaf that is no input and
    no parameter.
    """

    subject = "definition"
    phases = ("forward", "no_grad")

    def __init__(
        self,
        calls: Sequence[Call],
        passed: Backward,
        given: Mapping[str, Recorded],
        endings: Sequence[KernelOutput],
        learned: Collection[str] = (),
        kept: Sequence[Recorded] = (),
    ) -> None:
        self.formats: dict[str, str] = {}
        self.endings = endings
        self.data: dict[str, Values] = {}  # what is no float: choices, counts, truth values
        self._given = {id(tensor): name for name, tensor in given.items()}
        super().__init__(passed)
        for name in learned:
            self._leaf(leaf(name), given[name], learned=True)
        roots = [ending.root for ending in endings if ending.root is not None]
        wanted = [*(end.made for end in endings), *kept]
        for layer, call in enumerate(self._needed(calls, roots, wanted), start=1):
            self._place(call, layer, f"a{layer}")
        self._kept = [made for one in kept if (made := self.name_of(one)) is not None]
        self.names = [self._end(place, ending) for place, ending in enumerate(endings)]
        live = [(name, end) for name, end in zip(self.names, endings, strict=True) if end.upstream]
        for place, (_, ending) in enumerate(live):
            self._leaf(f"upstream{place}", ending.upstream)
        if live:
            parents = (*(name for name, _ in live), *(f"upstream{place}" for place in range(len(live))))
            self.graph.add(LOSS, PAIRING, *parents)

    def _end(self, place: int, ending: KernelOutput) -> str:
        if ending.root is not None:
            try:  # an input may be handed on as it is
                return self.outputs.get(ending.root) or self._parameter(ending.root, ending.made, 0)
            except ValueError as error:
                raise UsageError(Message("definition_failed", place=place, reason=error)) from None
        if id(ending.made) not in self._made:
            raise UsageError(Message("definition_output", place=place))
        return self._made[id(ending.made)][0]

    # --- What differs from a model's graph ------------------------------------------------------------

    def _operand(self, given: Argument, bound: Bound) -> Argument:
        """A number stays a number: each side rounds it as it likes."""
        return given

    def _parameter(self, edge: Output, given: Argument, layer: int) -> str:
        if edge not in self.parameters:
            node = self.backward.nodes[edge.node]
            name = self._given.get(id(given))
            if node.parameter is None or name is None:
                if node.parameter is None:
                    return super()._parameter(edge, given, layer)
                raise ValueError(Message("definition_outside"))
            self.parameters[edge] = self._leaf(leaf(name), given, learned=True)
        return self.parameters[edge]

    def _still(self, name: str, made: Recorded) -> str:
        still = super()._still(name, made)
        if name in self.data:
            self.data[still] = self.data[name]
        return still

    def _leaf(self, name: str, given: Argument, *, learned: bool = False) -> str:
        if name.startswith("drawn"):
            raise UsageError(Message("definition_random"))
        return super()._leaf(name, given, learned=learned)

    def _note(self, name: str, tensor: Recorded) -> None:
        super()._note(name, tensor)
        self.formats[name] = tensor.dtype
        if tensor.array.dtype.kind != "f":
            self.data[name] = tensor.array

    # --- Reading --------------------------------------------------------------------------------------

    @cached_property
    def equations(self) -> list[Equation]:
        """Both sweeps, in the order of execution, as far as outputs and gradients depend on them."""
        sweeps = forward(self.graph)
        if LOSS in self.graph:
            sweeps = [*sweeps[:-1], *backward(self.graph, LOSS)]
        wanted = {*self.names, *self._kept, *(node.gradient for node in self.graph.nodes if node.is_leaf)}
        needed: list[Equation] = []
        for equation in reversed(sweeps):
            if equation.makes in wanted:
                needed.append(equation)
                wanted.update(equation.inputs)
        return needed[::-1]

    def name_of(self, tensor: Recorded) -> str | None:
        """The graph's name of a tensor that one of its operations takes or makes."""
        return self._made[id(tensor)][0] if id(tensor) in self._made else None

    def learns(self, tensor: Recorded) -> bool:
        """Whether a tensor is a leaf whose gradient is asked for."""
        name = self.name_of(tensor)
        return name is not None and self.graph[name].is_leaf and not self.graph[name].given

    def makes(self, name: str) -> bool:
        """Whether an equation makes a tensor of this name."""
        return any(equation.makes == name for equation in self.equations)

    def gradient(self, name: str) -> str | None:
        """The graph's name of the gradient of an input or parameter; None: nothing depends on it."""
        if leaf(name) not in self.graph or not self.makes(self.graph[leaf(name)].gradient):
            return None
        return self.graph[leaf(name)].gradient


def leaf(name: str) -> str:
    """The graph's name of an input or parameter."""
    return f"of_{name}"
