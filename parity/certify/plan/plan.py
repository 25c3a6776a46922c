"""The plan: both gates of one step of two sides, replayed on new numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parity.bounds import SLACK, Bounded
from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier, bounded_constants
from parity.certify.plan.guards import Pools, sort
from parity.certify.plan.layout import StepLayout
from parity.certify.plan.node import Making, TapeNode, Values
from parity.certify.plan.program import MADE, Program, live
from parity.certify.plan.tracing import Tracing, TruthNodes
from reference.equations import Constants
from reference.trace import Trace


class StepPlan:
    """Both gates of one step, as calls on buffers.

    Rows of `_truth` and `_bound` are the first side's certificates, the second's, and the cross-check.
    """

    def __init__(self, certifier: Certifier, layout: StepLayout, tracing: Tracing) -> None:
        self._certifier, self._layout, self._tracing = certifier, layout, tracing
        size, truth = layout.size, certifier.arithmetic.lift(0.0).dtype
        self._observed = np.empty((2, layout.total))
        one, other = self._observed
        self._taken = [(name, slot.view(one), slot.view(other)) for name, slot in layout.slots.items()]
        self._truth, self._bound = np.zeros((3, size), truth), np.zeros((3, size))
        self._kinks = np.zeros((3, size), np.bool_)
        self.names = layout.judged
        self.numbers = {name: math.prod(shape) for name, shape in layout.shapes.items()}
        self._sizes = np.array([self.numbers[name] for name in self.names])
        self._telling = np.zeros((2, len(self.names)), np.bool_)
        self._has_kinks = False
        self._compile()
        self._scratch = np.empty((4, size), truth)
        self._error = self._scratch if truth == np.float64 else np.empty((4, size))
        self._ratio, self._slackened = np.empty((4, size)), np.empty((3, size))

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
                placed[node] = slot.view(self._observed) if slot else np.empty_like(node.value)
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
        parts = [(judged.value, self._truth), (judged.bound, self._bound)]
        if judged.kink is not None:
            parts.append((judged.kink, self._kinks))
            self._has_kinks = True
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
            return self.compared()

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
            value, bound = self._inputs.get(f"value {name}"), self._inputs.get(f"bound {name}")
            if isinstance(number, Bounded):
                if value is not None:
                    value[...] = number.value
                if bound is not None:
                    bound[...] = number.bound
            elif value is not None:
                value[...] = number

    def compared(self) -> AcceptedShares | None:
        size, starts = self._layout.size, self._layout.starts
        observed = self._observed[:, :size]
        scratch, error, ratio, bound = self._scratch, self._error, self._ratio, self._slackened
        np.subtract(observed, self._truth[:2], scratch[:2])
        np.subtract(observed, self._truth[2], scratch[2:])
        np.absolute(scratch, scratch)
        if error is not scratch:
            np.copyto(error, scratch, "same_kind")
        np.multiply(self._bound, SLACK, bound)
        undecided = self._leave_out_undecided()
        if undecided is None or not error.max() < np.inf:
            return None
        np.divide(error[:2], bound[:2], ratio[:2])
        np.divide(error[2:], bound[2], ratio[2:])
        shares = np.fmax(np.fmax.reduceat(ratio, starts, axis=1), 0.0)  # 0/0 is no share
        if not shares.max() <= 1:
            return None
        if not self._telling.all():
            size_of = np.abs(self._truth[:2]) > bound[:2]
            self._telling |= np.logical_or.reduceat(size_of, starts, axis=1)
        np.subtract(observed[0], observed[1], ratio[0])
        apart = np.maximum.reduceat(np.absolute(ratio[0], ratio[0]), starts)
        return AcceptedShares(
            self.names, self.numbers, shares[:2], shares[2:], apart, self._telling.copy(), undecided
        )

    def _leave_out_undecided(self) -> npt.NDArray[np.int_] | None:
        """Give what the second gate cannot decide no share, and count it.

        None where the first gate cannot decide a number, or the second one all numbers of a tensor.
        """
        kinks, bound, starts = self._kinks, self._slackened, self._layout.starts
        finite = bound.max() < np.inf
        if finite and not (self._has_kinks and kinks.any()):
            return np.zeros(len(starts), int)
        if kinks[:2].any() or not bound[:2].max() < np.inf:
            return None
        unknown = kinks[2] | ~np.isfinite(bound[2])
        bound[2, unknown], self._error[2:, unknown] = 1.0, 0.0
        undecided = np.add.reduceat(unknown, starts, dtype=int)
        return None if (undecided == self._sizes).any() else undecided
