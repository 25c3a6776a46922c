"""Compiled regions: what `torch.compile` made, held to its own Python code run eagerly, as one unit.

The Python code was recorded as a graph of operations of the table. In bounded arithmetic, from the
region's own inputs, it bounds the outputs, what the region wrote to, and, from the gradients that
arrived at the outputs, those of everything that the region took from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.certify.measure import Measured
from parity.kernel.definition import Definition, KernelOutput, leaf
from parity.kernel.truths import Truths, against
from parity.pytorch.recorder.compiled import CompiledRegion, EagerDefinition
from parity.pytorch.recorder.data import Argument, Backward, Call, Output, Recorded, Root, Values
from parity.render.texts.message import Message
from parity.watch.check import Check, Draw, Left
from parity.watch.unchanged import MISSHAPEN, same


class RegionDefinition(Definition):
    """A region's definition as a graph; what it takes from outside is learned."""

    def __init__(self, eager: EagerDefinition, ends: Sequence[KernelOutput]) -> None:
        self._outside = eager.outside
        floats = [one for one in eager.written if one.array.dtype.kind == "f"]
        super().__init__(eager.calls, eager.passed, {}, ends, kept=floats)

    def _parameter(self, edge: Output, given: Argument, layer: int) -> str:
        if edge in self._outside and edge not in self.parameters:
            self.parameters[edge] = self._leaf(leaf(_place(edge)), given, learned=True)
        return super()._parameter(edge, given, layer)


def _place(edge: Output) -> str:
    return f"edge{edge.node}_{edge.slot}"


def region_forward(call: Call, drawn: Draw) -> Iterable[Check | Left]:
    """What a region gave and wrote."""
    return _told(call, lambda region, eager: _forward(call, region, eager, drawn))


def _told(
    call: Call, checks: Callable[[CompiledRegion, EagerDefinition], Iterator[Check | Left]]
) -> list[Check | Left]:
    """The checks of a region, or why there are none."""
    region = call.region
    if region is None or region.definition is None:
        return [_opaque(call, region.reason if region else "")]
    try:
        return list(checks(region, region.definition))
    except (
        ValueError,
        TypeError,
    ) as error:  # no graph of the table's operations, or a rule that is missing
        return [_opaque(call, str(error).removeprefix("definition: "))]


def _forward(
    call: Call, region: CompiledRegion, eager: EagerDefinition, drawn: Draw
) -> Iterator[Check | Left]:
    if not eager.ends and not eager.written:
        yield _opaque(call, "it gives nothing that is known to hold tensors")
        return
    if len(region.ends) != len(eager.ends):
        yield _check(call, "forward", "", MISSHAPEN)
        return
    definition = RegionDefinition(eager, [KernelOutput(end.made, end.output, None) for end in eager.ends])
    truths = Truths(definition, exactly=False)
    for place, (ours, theirs) in enumerate(zip(region.ends, eager.ends, strict=True)):
        if drawn(ours.made):
            shown = "" if len(region.ends) == 1 else str(place)
            yield _against(call, shown, ours.made, theirs.made, truths, definition.names[place])
    for place, (left, wanted) in enumerate(zip(region.written, eager.written, strict=True)):
        name = definition.name_of(wanted)
        shown = f"written {place}"
        if name is not None:
            yield _against(call, shown, left, wanted, truths, name)
        elif wanted.array.dtype.kind != "f":
            yield _check(call, "forward", shown, same(left, wanted.array))
        else:
            yield _opaque(call, "it writes what no operation of the table makes")


def _against(
    call: Call, shown: str, ours: Recorded, theirs: Recorded, truths: Truths, name: str
) -> Check | Left:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return _check(call, "forward", shown, MISSHAPEN)
    found = against(ours.array, theirs.array, truths, name)
    if found is None:
        return _opaque(call, "run eagerly, it is outside of its own bounds")
    return _check(call, "forward", shown, found)


@dataclass
class PassedRegion:
    """A backward pass through a region: what its nodes took from others and sent to others, as they ran."""

    call: Call
    nodes: frozenset[int]
    arrived: dict[Output, list[Recorded]] = field(default_factory=dict)
    sent: dict[Output, list[Recorded]] = field(default_factory=dict)
    asked: set[Output] = field(default_factory=set)
    ran: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, passed: Backward, call: Call) -> PassedRegion:
        """Of a pass whose first node of the region has run."""
        own = (node.id for node in passed.nodes.values() if node.call is call)
        return cls(call, frozenset(number for number in own if number in passed.needed))

    def node(self, passed: Backward, number: int) -> bool:
        """A node of it ran. Whether it was the last one."""
        self.ran.add(number)
        for slot, arrived in enumerate(passed.grad_out[number]):
            shares = self._from_outside(passed, Output(number, slot), arrived)
            if shares:
                self.arrived[Output(number, slot)] = shares
        for edge, target in enumerate(passed.nodes[number].next):
            if target is not None and target.node not in self.nodes and passed.asked(number, edge):
                self.asked.add(target)
                share = passed.grad_in[number][edge]
                if share is not None:
                    self.sent.setdefault(target, []).append(share)
        return self.ran == self.nodes

    def _from_outside(self, passed: Backward, place: Output, arrived: Recorded | None) -> list[Recorded]:
        """Of what arrived, the shares that nodes outside of the region sent, or the caller."""
        users = [user for user, _ in passed.senders.get(place, ()) if user in passed.grad_in]
        if arrived is None or not self.nodes.intersection(users):
            return [] if arrived is None else [arrived]
        ones = Recorded.of(np.ones(arrived.shape, arrived.array.dtype), arrived.dtype)
        begun = [ones for root in passed.roots if root == Root(place, None)]
        return [*passed.shares(place, without=self.nodes), *begun]

    def checks(self, drawn: Draw) -> Iterable[Check | Left]:
        """What it sent to everything outside, against the definition's gradients."""
        return _told(self.call, lambda region, eager: self._checks(region, eager, drawn))

    @property
    def definition(self) -> RegionDefinition | None:
        """What it is held to, with the gradients that arrived; None where nothing can be said."""
        region = self.call.region
        if region is None or region.definition is None:
            return None
        known = {end.output for end in region.ends}
        if not self.arrived.keys() <= known:
            return None
        try:
            return RegionDefinition(region.definition, self._ends(region, region.definition))
        except ValueError:
            return None

    def _ends(self, region: CompiledRegion, eager: EagerDefinition) -> list[KernelOutput]:
        """The definition's outputs, and again with each gradient that arrived at the region's."""
        places = {end.output: place for place, end in enumerate(region.ends) if end.output}
        ends = [KernelOutput(end.made, end.output, None) for end in eager.ends]
        for output, shares in self.arrived.items():
            end = eager.ends[places[output]]
            ends += [KernelOutput(end.made, end.output, share) for share in shares]
        return ends

    def _checks(
        self, region: CompiledRegion, eager: EagerDefinition, drawn: Draw
    ) -> Iterator[Check | Left]:
        places = {end.output: place for place, end in enumerate(region.ends) if end.output}
        if not self.arrived.keys() <= places.keys():
            yield _opaque(self.call, "a gradient arrives at what is no output of it")
            return
        definition = RegionDefinition(eager, self._ends(region, eager))
        truths = Truths(definition, exactly=False)
        prefix = f"{self.call.module}." if self.call.module else ""
        outside = {**dict.fromkeys(self.sent, "?"), **eager.outside}
        for place, label in outside.items():
            if place not in self.asked:
                continue
            shares = self.sent.get(place, [])
            found, makes = _summed(shares), definition.gradient(_place(place))
            label = label.removeprefix(prefix)
            if makes is None:
                if found is not None and (np.any(found) or label == "?"):
                    yield _check(self.call, "vjp", label, same(shares[0], np.zeros_like(found)))
            elif not shares or drawn(shares[0]):
                observed = (
                    np.zeros(definition.leaves[leaf(_place(place))].shape) if found is None else found
                )
                yield _check(self.call, "vjp", label, truths.measured(makes, observed))


def _summed(shares: Sequence[Recorded]) -> Values | None:
    """What a region sent to one place, all of it; PyTorch's own sum is another check's."""
    if len(shares) < 2:
        return shares[0].array if shares else None
    total = sum(share.array.astype(np.longdouble) for share in shares)
    return np.asarray(total, np.float64)


def _check(call: Call, kind: str, shown: str, found: Measured) -> Check:
    return Check(kind, call.operation, shown, call.module, call.source, found)  # type: ignore[arg-type]


def _opaque(call: Call, reason: str) -> Left:
    shown = Message("op_because", operation=call.operation, reason=reason) if reason else call.operation
    return Left(shown, "opaque", call.module, call.source)
