"""Holds both sides' tensors against truths and bounds, all in flat buffers, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parity.bounds import SLACK
from parity.certify.accepted import AcceptedShares
from parity.certify.plan.layout import StepLayout

BLOCK = 1 << 13
"""Numbers that are compared at once, so that they stay in the processor's cache."""


class _Block(NamedTuple):
    """A part of the buffers: the tensors in it, and where they start."""

    here: slice
    starts: npt.NDArray[np.intp]
    tensors: slice


class Comparison:
    """The buffers of one layout.

    `observed` has a row for each side. Rows of `truth`, `bound` and `kinks` are the first side's
    certificates, the second's, and the cross-check.
    """

    def __init__(self, layout: StepLayout, truth: np.dtype[np.generic]) -> None:
        size, self.names = layout.size, layout.judged
        self.numbers = {name: math.prod(shape) for name, shape in layout.shapes.items()}
        self._sizes = np.array([self.numbers[name] for name in self.names])
        self.observed = np.empty((2, layout.total))
        self.truth, self.bound = np.zeros((3, size), truth), np.zeros((3, size))
        self.kinks = np.zeros((3, size), np.bool_)
        self.has_kinks = False
        self._blocks = _cut(layout.starts, size)
        self._telling = np.zeros((2, len(self.names)), np.bool_)
        block = min(BLOCK, size)
        self._apart = np.empty((4, block), truth)
        self._error = self._apart if truth == np.float64 else np.empty((4, block))
        self._ratio, self._slackened = np.empty((4, block)), np.empty((3, block))

    def shares(self) -> AcceptedShares | None:
        """The shares of the step if all numbers lie inside their bounds; None otherwise.

        Also None where the first gate cannot decide a number, or the second one all numbers of a tensor.
        """
        tensors = len(self.names)
        shares, apart = np.zeros((4, tensors)), np.zeros(tensors)
        undecided, told = np.zeros(tensors, int), bool(self._telling.all())
        for block in self._blocks:
            ratio = self._ratios(block, undecided)
            if ratio is None:
                return None
            found = np.fmax.reduceat(ratio, block.starts, axis=1)  # 0/0 is no share
            np.fmax(shares[:, block.tensors], found, out=shares[:, block.tensors])
            if not told:
                shows = np.abs(self.truth[:2, block.here]) > self._slackened[:2, : ratio.shape[1]]
                self._telling[:, block.tensors] |= np.logical_or.reduceat(shows, block.starts, axis=1)
            ours, theirs = self.observed[:, block.here]
            np.subtract(ours, theirs, ratio[0])
            widest = np.maximum.reduceat(np.absolute(ratio[0], ratio[0]), block.starts)
            np.maximum(apart[block.tensors], widest, out=apart[block.tensors])
        if not shares.max() <= 1 or (undecided == self._sizes).any():
            return None
        return AcceptedShares(
            self.names, self.numbers, shares[:2], shares[2:], apart, self._telling.copy(), undecided
        )

    def _ratios(self, block: _Block, undecided: npt.NDArray[np.int_]) -> npt.NDArray[np.float64] | None:
        """|observed − truth| / bound of a block: both sides' certificates, both sides' cross-checks."""
        here, size = block.here, block.here.stop - block.here.start
        apart, error = self._apart[:, :size], self._error[:, :size]
        ratio, bound = self._ratio[:, :size], self._slackened[:, :size]
        observed, truth = self.observed[:, here], self.truth[:, here]
        np.subtract(observed, truth[:2], apart[:2])
        np.subtract(observed, truth[2], apart[2:])
        if error.dtype != apart.dtype:
            np.copyto(error, apart, "same_kind")
        np.absolute(error, error)  # rounding is symmetric
        np.multiply(self.bound[:, here], SLACK, bound)
        open_ = not bound.max() < np.inf or (self.has_kinks and self.kinks[:, here].any())
        if open_ and not self._leave_out(block, bound, error, undecided):
            return None
        if not error.max() < np.inf:
            return None
        np.divide(error[:2], bound[:2], ratio[:2])
        np.divide(error[2:], bound[2], ratio[2:])
        return ratio

    def _leave_out(
        self,
        block: _Block,
        bound: npt.NDArray[np.float64],
        error: npt.NDArray[np.float64],
        undecided: npt.NDArray[np.int_],
    ) -> bool:
        """Give what the second gate cannot decide no share, and count it; False if the first cannot."""
        kinks = self.kinks[:, block.here]
        if kinks[:2].any() or not bound[:2].max() < np.inf:
            return False
        unknown = kinks[2] | ~np.isfinite(bound[2])
        bound[2, unknown], error[2:, unknown] = 1.0, 0.0
        undecided[block.tensors] += np.add.reduceat(unknown, block.starts, dtype=int)
        return True


def _cut(starts: Sequence[int] | npt.NDArray[np.intp], size: int) -> list[_Block]:
    """The buffers in blocks; a tensor may lie in several."""
    blocks, stops = [], [*starts[1:], size]
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        inside = [i for i, (a, b) in enumerate(zip(starts, stops, strict=True)) if a < stop and b > start]
        places = np.array([max(int(starts[i]), start) - start for i in inside])
        blocks.append(_Block(slice(start, stop), places, slice(inside[0], inside[-1] + 1)))
    return blocks
