"""The cheap path as a whole: both gates on one step of two sides, accepted entirely or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.arithmetic import arithmetic
from parity.cheap.layout import Floats, Layout
from parity.cheap.local import PART, Local
from parity.cheap.slopes import SLOPES
from parity.cheap.together import Together
from reference.architecture import Architecture
from reference.trace import Trace

Bools = npt.NDArray[np.bool_]

SHRINK = 1 - 2.0**-20
"""Covers the rounding of the cheap bounds' own evaluation, which must not come out above the plain ones."""

CHUNK = 1 << 13
"""Numbers of each side judged at a time, so that they stay in the processor's cache."""

HARMLESS = 1e15
"""With all numbers below this, no sum of products of a step comes near float32's largest."""


@dataclass(frozen=True)
class Shares:
    """An accepted step: for each tensor made, upper bounds of the share of its bound, by gate and side."""

    names: list[str]
    numbers: dict[str, int]
    certificates: Floats  # (2, tensors)
    side_by_side: Floats  # (2, tensors)
    max_abs: Floats  # (tensors,): the largest difference between the sides
    telling: Bools  # (2, tensors): whether a mistake would have shown


def knows(architecture: Architecture) -> bool:
    """Whether the cheap path has bounds for this network: float32, four activations, MSE."""
    known = all(f.name in SLOPES for f in architecture.activations)
    return known and architecture.loss.name == "mse" and np.dtype(architecture.dtype) == np.float32


class CheapExaminer:
    """Examines steps of one architecture, batch size and learning rate; keeps its buffers."""

    def __init__(self, architecture: Architecture, batch: int, lr: float) -> None:
        judge = arithmetic(architecture.dtype)
        self.layout = Layout(architecture, batch)
        self.local = Local(architecture, self.layout, judge, lr)
        self.together = Together(self.local)
        self._dtype = np.dtype(architecture.dtype)
        self.flat, self.size = self.local.flat, self.local.size
        self._work = np.zeros((2, self.layout.made.stop))
        self._telling = np.zeros((2, len(self.layout.judged)), dtype=bool)

    def examine(self, ours: Trace, theirs: Trace) -> Shares | None:
        """The shares of an accepted step, or None: then the plain path must judge it."""
        with np.errstate(all="ignore"):  # 0/0 is no share, and what overflows is not accepted
            return self._examine(ours, theirs)

    def _examine(self, ours: Trace, theirs: Trace) -> Shares | None:
        layout, made = self.layout, self.layout.made
        traces = (ours, theirs)
        if not all(layout.gather(t, self.flat[i], self._dtype) for i, t in enumerate(traces)):
            return None
        flat = self.flat
        data = layout.segments["x"].start
        if not np.array_equal(flat[0, data:], flat[1, data:]):
            return None  # the sides were not given the same data
        for start in range(0, flat.shape[1], CHUNK):
            some = slice(start, start + CHUNK)
            if not np.abs(flat[:, some], out=self.size[:, some]).max() < HARMLESS:  # also for NaN
                return None
        self.local.evaluate()
        observed = flat[:, made]
        certificates = self._shares(observed, self.local.truth, self.local.bound)
        if not certificates.max() <= 1 or not self.together.evaluate():
            return None
        if not self.together.bound.max() < HARMLESS:
            return None  # where a bound runs away the plain path counts what cannot be told; also for NaN
        pairs = self._shares(observed, self.together.truth[None], self.together.bound[None])
        if not pairs.max() <= 1:
            return None
        apart = np.abs(np.subtract(observed[0], observed[1], out=self._work[0]), out=self._work[0])
        max_abs = np.maximum.reduceat(apart, layout.starts)
        if not self._tell():
            return None
        return Shares(layout.judged, layout.numbers, certificates, pairs, max_abs, self._telling)

    def _tell(self) -> bool:
        """Note what could have failed by now; False where only the plain path can say."""
        if self._telling.all():
            return True
        size = np.abs(self.local.truth, out=self._work)
        stands_out = size > PART * self.local.bound  # taking part of a sum made a bound this much smaller
        self._telling |= np.logical_or.reduceat(stands_out, self.layout.starts, axis=1)
        nothing = np.maximum.reduceat(size, self.layout.starts, axis=1) == 0
        return bool((self._telling | nothing).all())

    def _shares(self, observed: Floats, truth: Floats, bound: Floats) -> Floats:
        """Max |observed − truth| / bound over each tensor of each side: (2, tensors)."""
        work = self._work
        for start in range(0, work.shape[1], CHUNK):
            some = slice(start, start + CHUNK)
            used = np.subtract(observed[:, some], truth[:, some], out=work[:, some])
            np.abs(used, out=used)
            np.divide(used, bound[:, some], out=used)
        # 0/0 is NaN, and no share: the number is the truth. Other NaNs were turned away before.
        shares = np.fmax.reduceat(work, self.layout.starts, axis=1)
        return np.nan_to_num(shares, copy=False, nan=0.0, posinf=np.inf) / SHRINK
