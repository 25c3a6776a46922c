"""Rules for selections and comparisons: nothing is rounded, but the choice itself may be uncertain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds.branches import array_of, everywhere, somewhere
from parity.bounds.number import EXACT, SLACK, Bounded, rule
from parity.bounds.operations import negative
from parity.bounds.overflow import Float64s
from parity.bounds.sums import Axes
from reference import arrays

Bools: TypeAlias = npt.NDArray[np.bool_]


@rule("maximum")
def maximum(x: Bounded, y: Bounded) -> Bounded:
    """The bound of the larger number, or the larger of both bounds if it is uncertain which that is.

    |max(x̂, ŷ) − max(x, y)| ≤ max(B_x, B_y); one of the two is copied and nothing is rounded.

    Source: IEEE 754-2019, §9.6, maximum.
    """
    value = np.maximum(x.value, y.value)
    if x.is_exact and y.is_exact:
        return Bounded(x.arithmetic, value, EXACT)
    gap = x.arithmetic.lower(x.value - y.value)
    unsure = np.abs(gap) <= x.carried + y.carried
    bound = np.where(gap > 0, x.carried, y.carried)
    return Bounded(x.arithmetic, value, np.where(unsure, np.maximum(x.carried, y.carried), bound))


@rule("fmax")
def fmax(x: Bounded, y: Bounded) -> Bounded:
    """As maximum; for a NaN and a number, the number.

    Source: IEEE 754-2019, §9.6, maximumNumber.
    """
    larger, nan_x, nan_y = maximum(x, y), np.isnan(x.lowered()), np.isnan(y.lowered())
    if not somewhere(nan_x | nan_y):
        return larger
    value = np.where(nan_x, y.value, np.where(nan_y, x.value, larger.value))
    bound = np.where(nan_x, y.carried, np.where(nan_y, x.carried, larger.carried))
    return Bounded(x.arithmetic, value, bound)


@rule("minimum")
def minimum(x: Bounded, y: Bounded) -> Bounded:
    """As −max(−x, −y).

    Source: as maximum.
    """
    return negative(maximum(negative(x), negative(y)))


@rule("maximum", "reduce")
def maximum_reduce(x: Bounded, axis: Axes = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """max (B_i − (max x − x_i)): each number may be the largest, as far as its bound allows.

    max x̂ ≤ max (x_i + B_i), and max x̂ ≥ x_j − B_j for the largest x_j. A number that may have overflowed
    to −∞ is at most its ceiling, and does not contribute to the lower bound of the maximum.

    Source: IEEE 754-2019, §9.6.
    """
    value = array_of(np.max(x.value, axis=axis, keepdims=True))
    shaped = value if keepdims else np.squeeze(value, axis)
    if x.is_exact:
        return Bounded(x.arithmetic, shaped, EXACT)
    behind = x.arithmetic.lower(value - x.value)
    behind = np.where(np.isnan(behind), 0.0, behind)
    bound = np.broadcast_to(x.carried, x.shape)
    ahead = bound * SLACK - behind
    ahead, least = np.where(np.isnan(ahead), bound, ahead), bound + behind
    if x.ceiling is not None:
        ahead = np.where(np.isnan(x.ceiling), ahead, x.ceiling - x.arithmetic.lower(value))
    most = np.maximum(np.max(ahead, axis=axis, keepdims=True), np.min(least, axis=axis, keepdims=True))
    return Bounded(x.arithmetic, shaped, most if keepdims else np.squeeze(most, axis))


@rule("minimum", "reduce")
def minimum_reduce(x: Bounded, axis: Axes = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As −max(−x).

    Source: as maximum.
    """
    return negative(maximum_reduce(negative(x), axis, keepdims))


@rule("max", "__array_function__")
def largest_of(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As maximum.reduce, over all axes unless some are named.

    Source: as maximum.
    """
    return maximum_reduce(x, axis, keepdims)


@rule("min", "__array_function__")
def smallest_of(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As minimum.reduce, over all axes unless some are named.

    Source: as maximum.
    """
    return minimum_reduce(x, axis, keepdims)


@rule("greater")
def greater(x: Bounded, y: Bounded) -> Bounded:
    """0, or 1 where the sign of x − y is uncertain: |x − y| ≤ B_x + B_y and not both exact.

    A comparison rounds nothing, and elsewhere x̂ − ŷ has the sign of x − y.

    Source: IEEE 754, comparison predicates.
    """
    return _truth_value(x, y, lambda gap: gap > 0)


@rule("greater_equal")
def greater_equal(x: Bounded, y: Bounded) -> Bounded:
    """As greater.

    Source: as greater.
    """
    return _truth_value(x, y, lambda gap: gap >= 0)


@rule("less")
def less(x: Bounded, y: Bounded) -> Bounded:
    """As greater.

    Source: as greater.
    """
    return greater(y, x)


@rule("less_equal")
def less_equal(x: Bounded, y: Bounded) -> Bounded:
    """As greater.

    Source: as greater.
    """
    return greater_equal(y, x)


@rule("equal")
def equal(x: Bounded, y: Bounded) -> Bounded:
    """As greater.

    Source: as greater.
    """
    return _truth_value(x, y, lambda gap: gap == 0)


def _truth_value(x: Bounded, y: Bounded, holds: Callable[[Float64s], Bools]) -> Bounded:
    gap = x.arithmetic.lower(x.value - y.value)
    if somewhere(np.isnan(gap)):  # two infinities of one sign are equal
        gap = np.where(np.isinf(x.lowered()) & (x.lowered() == y.lowered()), 0.0, gap)
    value = x.arithmetic.lift(np.where(holds(gap), 1.0, 0.0))
    unknown = np.where(np.isnan(gap), np.nan, 0.0)
    if x.is_exact and y.is_exact:
        return Bounded(x.arithmetic, value, unknown if np.any(unknown) else EXACT)
    room = x.carried + y.carried
    unsure = (np.abs(gap) <= room) & (room > 0)
    bound = np.where(unsure, 1.0, unknown)
    return Bounded(x.arithmetic, value, bound, kink=unsure if somewhere(unsure) else None)


@rule("logical_and")
def logical_and(p: Bounded, q: Bounded) -> Bounded:
    """0, or 1 where one truth value is uncertain and the other is not certainly false.

    Source: the truth table.
    """
    value = p.arithmetic.lift(np.where((p.lowered() > 0) & (q.lowered() > 0), 1.0, 0.0))
    if p.is_exact and q.is_exact:
        return Bounded(p.arithmetic, value, EXACT)
    false = ((p.lowered() == 0) & (p.bound == 0)) | ((q.lowered() == 0) & (q.bound == 0))
    bound = np.where(false, 0.0, np.maximum(p.bound, q.bound))
    unsure = bound > 0
    return Bounded(p.arithmetic, value, bound, kink=unsure if somewhere(unsure) else None)


@rule("sign")
def sign(x: Bounded) -> Bounded:
    """0, or 1 + |sign x| where the bound of x includes zero; infinite where x may be NaN.

    Source: IEEE 754, comparison predicates.
    """
    value = np.sign(x.lowered())
    truth = x.arithmetic.lift(value)
    if x.is_exact:
        return Bounded(x.arithmetic, truth, EXACT)
    unsure = (np.abs(x.lowered()) <= x.carried) & (x.carried > 0)
    bound = np.where(unsure, 1 + np.abs(value), 0.0)
    bound = np.where(np.isfinite(x.carried), bound, np.inf)
    return Bounded(x.arithmetic, truth, bound, kink=unsure if somewhere(unsure) else None)


@rule("select (vectorized)")
def select(condition: Bounded, yes: Bounded, no: Bounded) -> Bounded:
    """The bound of the chosen number; where the choice is uncertain, a bound that covers both.

    One of the two is copied and nothing is rounded. Where the choice is uncertain, the bound covers
    |yes − no| plus the other's bound. This is a kink only if the two differ by more than their bounds;
    where two pieces of a continuous function meet, they do not.

    Source: IEEE 754, copy.
    """
    arithmetic = condition.arithmetic
    shape = np.broadcast_shapes(condition.shape, yes.shape, no.shape)
    chosen = np.broadcast_to(condition.lowered() > 0, shape)
    value = np.where(chosen, yes.value, no.value)
    if condition.is_exact and yes.is_exact and no.is_exact:
        return Bounded(arithmetic, value, EXACT)
    bound = np.where(chosen, yes.bound, no.bound)
    floors = [part.floor if part.floor is not None else np.full((), np.nan) for part in (yes, no)]
    floor = np.where(chosen, *floors)
    unsure = np.broadcast_to(condition.bound > 0, shape)
    kink = None
    if somewhere(unsure):
        apart = arithmetic.lower(np.abs(yes.value - no.value))
        both = np.maximum(bound, apart + np.where(chosen, no.carried, yes.carried))
        kink = unsure & ~(apart <= yes.carried + no.carried)
        bound = np.where(unsure, both, bound)
    bound = np.where(np.broadcast_to(np.isnan(condition.bound), shape), np.nan, bound)
    return Bounded(
        arithmetic, value, bound, floor=None if everywhere(np.isnan(floor)) else floor, kink=kink
    )


@rule("larger (vectorized)")
def larger(x: Bounded, y: Bounded) -> Bounded:
    """As maximum.

    Source: as maximum.
    """
    return maximum(x, y)


@rule("smaller (vectorized)")
def smaller(x: Bounded, y: Bounded) -> Bounded:
    """As minimum.

    Source: as maximum.
    """
    return minimum(x, y)


@rule("epsilon (vectorized)")
def epsilon(x: Bounded) -> Bounded:
    """0: a property of the format, 2u.

    Source: IEEE 754, table 3.5.
    """
    return Bounded(x.arithmetic, x.arithmetic.lift(2 * x.arithmetic.u), EXACT)


@rule("column (vectorized)")
def column(z: Bounded, numbers: Bounded) -> Bounded:
    """0: constants, each rounded to the nearest number of the format.

    Source: IEEE 754, conversion.
    """
    return Bounded(z.arithmetic, numbers.value[:, None], numbers.bound)


@rule("labels (vectorized)")
def labels(y: Bounded) -> Bounded:
    """0: indices are data, and exact.

    Source: counts are integers, not floating-point numbers.
    """
    return Bounded(y.arithmetic, y.arithmetic.lift(arrays.labels(y.lowered())), EXACT)


@rule("full_like (vectorized)")
def full_like(z: Bounded, number: Bounded) -> Bounded:
    """u|number| for a constant that the format cannot represent, else 0; a bounded number keeps its bound.

    Source: IEEE 754, conversion.
    """
    value = np.broadcast_to(number.value, z.shape)
    return Bounded(z.arithmetic, value, number.bound)
