"""Compares observed numbers with a truth that carries its bound, the core of every certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from parity.bounds import SLACK, Bounded, exact
from parity.bounds.formats import Arithmetic

Values = npt.NDArray[np.generic]
Float64s = npt.NDArray[np.float64]

INFINITE = float("inf")


class WorstFacts(TypedDict):
    """The number that used most of its bound, as a result shows it."""

    index: list[int]
    observed: float
    expected: float
    error: float
    bound: float
    ratio: float


@dataclass(frozen=True)
class Worst:
    """The number that used most of its bound."""

    index: tuple[int, ...]
    observed: float
    expected: float
    error: float
    bound: float
    ratio: float

    def facts(self) -> WorstFacts:
        """All of it, for a result."""
        return WorstFacts(
            index=list(self.index),
            observed=self.observed,
            expected=self.expected,
            error=self.error,
            bound=self.bound,
            ratio=self.ratio,
        )


@dataclass(frozen=True)
class Measured:
    """The result of comparing a tensor with its truth.

    `worst` is None if nothing could be decided. `vacuous` means that no number could distinguish a wrong
    formula from a right one. `resolution` is the smallest r for which the tensor times 1 + r would have
    been detected as wrong: min (bound + error)/|observed| over its numbers.
    """

    numbers: int
    undecided: int
    vacuous: bool
    worst: Worst | None
    resolution: float = INFINITE

    @property
    def wrong(self) -> bool:
        """Whether a number lies outside its bound."""
        return self.worst is not None and not self.worst.ratio <= 1

    def moved(self, place: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Measured:
        """The same of a part of a tensor, with the index of its worst number in the whole."""
        if self.worst is None:
            return self
        return replace(self, worst=replace(self.worst, index=place(self.worst.index)))


def joined(parts: Sequence[Measured]) -> Measured:
    """What was measured of a tensor's parts, as of all of it."""
    worst: Worst | None = None
    for part in parts:
        if part.worst is not None and (worst is None or part.worst.ratio > worst.ratio):
            worst = part.worst
    return Measured(
        sum(part.numbers for part in parts),
        sum(part.undecided for part in parts),
        all(part.vacuous for part in parts),
        worst,
        min(part.resolution for part in parts),
    )


def taken(judge: Arithmetic, recorded: Values) -> Bounded | Values:
    """A recorded tensor as an operand: floats are exact numbers, indices and truth values are data."""
    return exact(judge, recorded) if recorded.dtype.kind == "f" else recorded


@dataclass(frozen=True)
class Shares:
    """Every number of a tensor against its bound: `ratio` is the share used, `untold` the undecided."""

    observed: Values
    value: Float64s
    error: Float64s
    bound: Float64s
    ratio: Float64s
    untold: npt.NDArray[np.bool_]

    def or_else(self, other: Shares) -> Shares:
        """What either of two classes of implementations can have made; nothing more is left undecided."""
        better = ~other.untold & (other.ratio < self.ratio)

        def chosen(theirs: Float64s, ours: Float64s) -> Float64s:
            picked: Float64s = np.where(better, theirs, ours)
            return picked

        return Shares(
            self.observed,
            chosen(other.value, self.value),
            chosen(other.error, self.error),
            chosen(other.bound, self.bound),
            chosen(other.ratio, self.ratio),
            self.untold,
        )

    def measured(self) -> Measured:
        """All numbers together."""
        decided = np.where(self.untold, 0.0, self.ratio)
        undecided = int(np.count_nonzero(self.untold))
        vacuous = not bool(np.any(np.abs(self.value) > self.bound))
        if undecided == decided.size:
            return Measured(decided.size, undecided, vacuous, None)
        index = _place(decided)
        worst = Worst(
            index,
            float(self.observed[index]),
            float(self.value[index]),
            float(self.error[index]),
            float(self.bound[index]),
            float(decided[index]),
        )
        resolution = _resolution(self.observed, self.bound, self.error, self.untold)
        return Measured(decided.size, undecided, vacuous, worst, resolution)


def measure(observed: Values, truth: Bounded | Values, *, given: bool = True) -> Measured:
    """|observed − truth| ≤ bound for every number; `not (ratio <= 1)`, so that NaN fails.

    A truth that is no `Bounded` is data, which must be the same; of any other see `shares`.
    """
    if not isinstance(truth, Bounded):
        return _same(observed, np.asarray(truth))
    found = _within(observed, truth) if truth.kink is None else None
    return shares(observed, truth, given=given).measured() if found is None else found


def _within(observed: Values, truth: Bounded) -> Measured | None:
    """As `shares`, in fewer passes over the numbers; None where it is not that simple."""
    if (
        not (observed.size and observed.ndim)
        or truth.value.dtype != np.float64
        or observed.dtype.kind != "f"
    ):
        return None
    bound = np.broadcast_to(truth.carried * SLACK, truth.shape)
    return Within(np.empty(truth.shape), np.empty(truth.shape)).measured(observed, truth.value, bound)


class Within:
    """Measures tensors of which every number is decided and lies within its bound, in kept buffers.

    `apart` has the truth's dtype, `ratio` is of float64.
    """

    def __init__(self, apart: Values, ratio: Float64s) -> None:
        self._apart, self._ratio = apart, ratio
        self._error: Float64s = np.empty(ratio.shape) if apart.dtype != ratio.dtype else apart  # type: ignore[assignment]

    def measured(self, observed: Values, value: Values, bound: Float64s) -> Measured | None:
        """What `shares` measures; None for a tensor of any other kind.

        An infinity or a NaN anywhere is one in the largest share, or in the largest bound.
        """
        if not np.max(bound) < INFINITE:
            return None
        apart, error, ratio = self._apart, self._error, self._ratio
        np.copyto(apart, observed)
        np.subtract(apart, value, apart)
        np.absolute(apart, apart)
        if error is not apart:
            np.copyto(error, apart, "same_kind")
        np.divide(error, bound, ratio)
        index = _place(ratio)
        if np.isnan(ratio[index]):  # 0 of 0 is no share
            np.copyto(ratio, 0.0, where=error == 0)
            index = _place(ratio)
        share = float(ratio[index])
        if not share <= 1:
            return None
        worst = Worst(
            index,
            float(observed[index]),
            float(value[index]),
            float(error[index]),
            float(bound[index]),
            share,
        )
        np.copyto(ratio, observed)
        np.absolute(ratio, ratio)
        np.add(error, bound, error)
        np.divide(error, ratio, ratio)
        least = np.min(ratio)
        resolution = float(np.fmin.reduce(ratio, axis=None, initial=INFINITE) if np.isnan(least) else least)
        return Measured(observed.size, 0, not _told(value, bound), worst, resolution)


def _told(value: Values, bound: Float64s) -> bool:
    """Whether some number differs from 0 by more than its bound."""
    few = (slice(0, 4),) * value.ndim
    if np.any(np.abs(value[few]) > bound[few]):
        return True
    return bool(np.any(np.abs(value) > bound))


def shares(observed: Values, truth: Bounded, *, given: bool = True) -> Shares:
    """|observed − truth| as a share of the bound, number by number.

    `given` says that the truth's operands were numbers without bounds: then a NaN is no accident.
    """
    judge = truth.arithmetic
    bound = np.broadcast_to(truth.carried * SLACK, truth.shape)
    value = judge.lower(truth.value)
    error = judge.lower(np.abs(judge.lift(observed) - truth.value))
    ratio = np.where(error == 0, 0.0, error / bound)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    # A NaN among the operands must give NaN; where a sum may overflow, the number is undecided.
    ratio = np.where(np.isnan(value), np.where(np.isnan(observed), 0.0, np.inf), ratio)
    infinite = np.isinf(value) & (bound == 0)  # exact infinities, as in a mask
    ratio = np.where(infinite, np.where(observed == value, 0.0, np.inf), ratio)
    untold = ~(np.isfinite(bound) & (np.isfinite(value) | infinite))
    if given:
        untold &= ~np.isnan(value)
    if truth.kink is not None:
        untold |= truth.kink
    return Shares(observed, value, error, bound, ratio, untold)


def _place(decided: npt.NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(np.argmax(decided), decided.shape))


def _resolution(
    observed: Values,
    bound: npt.NDArray[np.float64],
    error: npt.NDArray[np.float64],
    untold: npt.NDArray[np.bool_],
) -> float:
    size = np.abs(observed.astype(np.float64))
    least = np.where(untold | ~(size > 0), np.inf, (bound + error) / size)
    return float(np.min(least, initial=np.inf))


def _same(observed: Values, data: Values) -> Measured:
    """Compare indices or truth values, which are not rounded and must be equal."""
    if not observed.size:
        return Measured(0, 0, vacuous=True, worst=None)
    differ = np.where(observed == data, 0.0, np.inf)
    index = _place(differ)
    found, expected = float(observed[index]), float(data[index])
    worst = Worst(index, found, expected, abs(found - expected), 0.0, float(differ[index]))
    return Measured(observed.size, 0, vacuous=False, worst=worst, resolution=0.0)
