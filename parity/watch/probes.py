"""Compiled regions with probes: every value and every gradient inside made visible, each operation held.

The operations of a region's definition are compiled again by the region's own backend, each result with a
leaf of zeros added to it and given out: the gradient of that leaf is the result's own. This is another
program than the region (a compiler that has to give everything out fuses otherwise), and what is certified
is this program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import getitem
from typing import TypeAlias, cast

import torch
from torch import fx

from parity.certify.measure import Measured
from parity.errors import quoted
from parity.kernel.truths import Truths
from parity.pytorch.again import operation_of, own_argument, tensor_of
from parity.pytorch.imported.builder import Placed
from parity.pytorch.recorder.data import Argument, Call, Recorded, Values
from parity.pytorch.recorder.snapshots import numbers
from parity.render.texts.message import Message
from parity.watch.check import Check, Draw, Kind, Left, short
from parity.watch.regions import PassedRegion, RegionDefinition
from reference.model import LOSS
from reference.walk import senders

FxArgument: TypeAlias = "fx.node.Argument"


def probed(passed: PassedRegion, drawn: Draw) -> Iterator[Check | Left]:
    """Every operation of a region that a backward pass went through, run with probes."""
    definition, call = passed.definition, passed.call
    if definition is None or call.region is None:
        return
    program = _Program()
    try:
        for placed in definition.placed:
            program.add(placed)
        seen = program.run(definition, call.region.backend)
    except Exception as error:  # whatever the compiler says of a program that is not the user's
        said = quoted(error, 200)
        yield Left(
            Message("op_probed", operation=call.operation, reason=said), "opaque", call.module, call.source
        )
        return
    truths = Truths(definition, exactly=False, observed=seen)
    calls = {placed.name: placed.call for placed in definition.placed}
    for name, made_by in calls.items():
        if name in seen and definition.makes(name) and drawn(next(made_by.tensors())):
            yield _check("forward", [made_by], "", truths.measured(name, seen[name]))
    sent = senders(definition.graph, LOSS) if LOSS in definition.graph else {}
    for name, shares in sent.items():
        gradient = definition.graph[name].gradient
        users = {node.name: operand for node, operand, _ in shares.values() if node.name in calls}
        if users and gradient in seen and definition.makes(gradient):
            operand = next(iter(users.values())).strip("*") if len(users) == 1 else ""
            found = truths.measured(gradient, seen[gradient])
            yield _check("vjp", [calls[user] for user in users], operand, found)


def _check(kind: Kind, calls: Sequence[Call], operand: str, found: Measured) -> Check:
    """Of the operations that make a tensor together: several, where their gradients are added up."""
    shown = ", ".join(dict.fromkeys(short(call.operation) for call in calls))
    return Check(kind, f"probed {shown}", operand, calls[0].module, calls[0].source, found)


class _UnprobedError(Exception):
    """An operation cannot be run with a probe; the text says which."""


@dataclass
class _Program:
    """The probed program, as it is built: what it takes, and what it gives out, by the recorded tensors."""

    graph: fx.Graph = field(default_factory=fx.Graph)
    given: list[tuple[Recorded | None, torch.Tensor]] = field(default_factory=list)  # None: a probe
    made: dict[int, fx.Node] = field(default_factory=dict)
    tensors: list[Recorded] = field(default_factory=list)  # of each result, the recorded one
    probes: dict[int, int] = field(default_factory=dict)  # of a result: which of what is given is its probe

    def add(self, placed: Placed) -> None:
        """One operation. Raises _UnprobedError for one that writes."""
        call = placed.call
        if call.operation.split(".")[1].endswith("_") or call.geometry is not None:
            raise _UnprobedError(f"{call.operation} writes in place")
        operation = operation_of(call.operation)
        positional: list[FxArgument] = []
        named: dict[str, FxArgument] = {}
        for argument in operation._schema.arguments:
            part = self._part(argument.name, call.arguments[argument.name])
            if argument.kwarg_only:
                named[argument.name] = part
            else:
                positional.append(part)
        node = self.graph.call_function(operation, tuple(positional), named)
        several = len(call.results) > 1 or isinstance(call.results[0], tuple)
        results = list(call.tensors())
        for place, result in enumerate(results):
            one = self.graph.call_function(getitem, (node, place)) if several else node
            if placed.node is None:
                one = self.graph.call_function(torch.ops.aten.detach.default, (one,))
            elif place == 0 and result.array.dtype.kind == "f" and not isinstance(call.results[0], tuple):
                self.probes[id(result)] = len(self.given)
                zeros = torch.zeros(result.shape, dtype=getattr(torch, result.dtype), requires_grad=True)
                one = self.graph.call_function(torch.ops.aten.add.Tensor, (one, self._given(None, zeros)))
            self.made[id(result)] = one
            self.tensors.append(result)

    def _part(self, name: str, value: Argument) -> FxArgument:
        if isinstance(value, tuple):
            return [self._part(name, part) for part in value]
        if not isinstance(value, Recorded):
            return cast("FxArgument", own_argument(name, value))
        if id(value) not in self.made:
            self.made[id(value)] = self._given(value, tensor_of(value))
        return self.made[id(value)]

    def _given(self, recorded: Recorded | None, tensor: torch.Tensor) -> fx.Node:
        self.given.append((recorded, tensor))
        return self._begin(f"given{len(self.given)}")

    def _begin(self, name: str) -> fx.Node:
        first = next(iter(self.graph.nodes), None)
        if first is None:
            return self.graph.placeholder(name)
        last = next((node for node in reversed(self.graph.nodes) if node.op == "placeholder"), None)
        with self.graph.inserting_after(last) if last else self.graph.inserting_before(first):
            return self.graph.placeholder(name)

    def run(self, definition: RegionDefinition, backend: object) -> Mapping[str, Values]:
        """Every tensor of both sweeps that the probed program shows, by the definition's names."""
        self.graph.output(tuple(self.made[id(tensor)] for tensor in self.tensors))
        module = fx.GraphModule(torch.nn.Module(), self.graph)
        for recorded, tensor in self.given:
            if recorded is not None and definition.learns(recorded):
                tensor.requires_grad_()
        inputs = [tensor for _, tensor in self.given]
        made = torch.compile(module, backend=cast("str", backend))(*inputs)
        shown = {id(tensor): one for tensor, one in zip(self.tensors, made, strict=True)}
        shown |= {id(recorded): tensor for recorded, tensor in self.given if recorded is not None}
        pairs = [
            (shown[id(end.made)], tensor_of(end.upstream))
            for end in definition.endings
            if end.upstream is not None and id(end.made) in shown
        ]
        outputs, seeds = zip(*[pair for pair in pairs if pair[0].requires_grad], strict=True)
        learned = [tensor for tensor in inputs if tensor.requires_grad]
        found = torch.autograd.grad(outputs, learned, seeds, allow_unused=True)
        gradients = dict(zip(map(id, learned), found, strict=True))
        seen: dict[str, Values] = {}
        for result in self.tensors:
            name = definition.name_of(result)
            if name is not None:
                seen[name] = numbers(shown[id(result)].detach())
                if id(result) in self.probes:
                    self._note(definition, name, inputs[self.probes[id(result)]], gradients, seen)
        for recorded, tensor in self.given:
            leaf = None if recorded is None else definition.name_of(recorded)
            if leaf is not None and tensor.requires_grad:
                self._note(definition, leaf, tensor, gradients, seen)
        return seen

    def _note(
        self,
        definition: RegionDefinition,
        name: str,
        of: torch.Tensor,
        gradients: Mapping[int, torch.Tensor | None],
        seen: dict[str, Values],
    ) -> None:
        gradient = gradients[id(of)]
        zeros = torch.zeros_like(of) if gradient is None else gradient
        seen[definition.graph[name].gradient] = numbers(zeros.detach())
