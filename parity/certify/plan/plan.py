"""The plan: both gates of one step of two sides, replayed on new numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier, bounded_constants
from parity.certify.plan.comparison import Comparison
from parity.certify.plan.constants import take_in
from parity.certify.plan.guards import Pools, sort
from parity.certify.plan.layout import StepLayout
from parity.certify.plan.node import Making, TapeNode, Values
from parity.certify.plan.program import MADE, Program, live
from parity.certify.plan.tracing import StepTracing, TruthNodes
from reference.equations import Constants
from reference.trace import Trace


class StepPlan:
    """Both gates of one step, as calls on buffers."""

    def __init__(self, certifier: Certifier, layout: StepLayout, tracing: StepTracing) -> None:
        self._certifier, self._layout, self._tracing = certifier, layout, tracing
        self.comparison = Comparison(layout, certifier.arithmetic.lift(0.0).dtype)
        one, other = self.comparison.observed
        self._taken = [(name, slot.view(one), slot.view(other)) for name, slot in layout.slots.items()]
        self._compile()

    def _compile(self) -> None:
        tracing, layout, tape = self._tracing, self._layout, self._tracing.tape
        outputs = [(0, judged) for judged in tracing.certificates]
        outputs += [(2, judged) for judged in tracing.cross_checks]
        judged_nodes = [node for _, judged in outputs for node in (judged.value, judged.bound)]
        finite = [node for judged in tracing.certificates for node in (judged.value, judged.bound)]
        guards = sort(tape.guards, finite)
        pools = self._pools = Pools(guards)
        kinks = [judged.kink for _, judged in outputs if judged.kink is not None]
        nodes = live(tape.nodes, [*judged_nodes, *kinks, *guards.nodes])
        placed: dict[TapeNode, Values] = {}
        copied: list[tuple[TapeNode, Values]] = []
        self._inputs: dict[str, Values] = {}
        for node in nodes:
            if node.kind is Making.INPUT:
                slot = layout.slots.get(node.name)
                placed[node] = slot.view(self.comparison.observed) if slot else np.empty_like(node.value)
                self._inputs[node.name] = placed[node]
        for row, judged in outputs:
            self._place(judged, row, placed, copied)
        for node, buffer in pools.placed.items():
            if node in placed:
                copied.append((node, buffer))
            else:
                placed[node] = buffer
        self._program = Program(nodes, placed, [*copied, *pools.copied], pools.seen)

    def _place(
        self,
        judged: TruthNodes,
        row: int,
        placed: dict[TapeNode, Values],
        copied: list[tuple[TapeNode, Values]],
    ) -> None:
        """Give a truth, its bound and its kinks their places."""
        slot = self._layout.slots[judged.name]
        rows: Any = slice(0, 2) if row == 0 else 2
        comparison = self.comparison
        parts = [(judged.value, comparison.truth), (judged.bound, comparison.bound)]
        if judged.kink is not None:
            parts.append((judged.kink, comparison.kinks))
            comparison.has_kinks = True
        for node, arena in parts:
            out = slot.view(arena[rows])
            whole = node.value.shape == out.shape and node.value.dtype == out.dtype
            if node.kind in MADE and whole and node not in placed:
                placed[node] = out
            else:
                copied.append((node, out))

    def shares(self, sides: Sequence[Trace], constants: Constants) -> AcceptedShares | None:
        """The shares of a step that the plan accepts, or None if the plain path must judge it."""
        if not self.take_in(sides, constants):
            return None
        with np.errstate(all="ignore"), self._certifier.arithmetic.precision():
            self._program.run()
            if not self._pools.hold():
                return None
            return self.comparison.shares()

    def take_in(self, sides: Sequence[Trace], constants: Constants) -> bool:
        layout = self._layout
        if not all(map(layout.fits, sides)):
            return False
        ours, theirs = sides
        for name in layout.given:
            if ours[name] is not theirs[name] and not np.array_equal(ours[name], theirs[name]):
                return False
            np.copyto(self._inputs[name], ours[name])
        for name, one, other in self._taken:
            np.copyto(one, ours[name])
            np.copyto(other, theirs[name])
        if self._tracing.changing:
            self._take_in_constants(constants)
        return True

    def _take_in_constants(self, constants: Constants) -> None:
        wanted = {name: constants[name] for name in self._tracing.changing}
        known = bounded_constants(self._certifier.arithmetic, self._certifier.known(wanted))
        for name, number in known.items():
            take_in(self._inputs, name, number)
