"""Choosing between numbers: no rounding, but the bounds may not be able to tell which was chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds.number import EXACT, Bounded, Float64s, rule
from parity.bounds.operations import negative
from reference import arrays

Bools: TypeAlias = npt.NDArray[np.bool_]

BFLOAT16_LARGEST = (2 - 2.0**-7) * 2.0**127


@rule("maximum")
def maximum(x: Bounded, y: Bounded) -> Bounded:
    """The result is one of the two; which, the bounds decide where they can."""
    value = np.maximum(x.value, y.value)
    if x.is_exact and y.is_exact:
        return Bounded(x.arithmetic, value, EXACT)
    gap = x.arithmetic.lower(x.value - y.value)
    unsure = np.abs(gap) <= x.carried + y.carried
    bound = np.where(gap > 0, x.carried, y.carried)
    return Bounded(x.arithmetic, value, np.where(unsure, np.maximum(x.carried, y.carried), bound))


@rule("fmax")
def fmax(x: Bounded, y: Bounded) -> Bounded:
    """The larger; of a NaN and a number, the number."""
    larger, nan_x, nan_y = maximum(x, y), np.isnan(x.lowered()), np.isnan(y.lowered())
    if not (nan_x | nan_y).any():
        return larger
    value = np.where(nan_x, y.value, np.where(nan_y, x.value, larger.value))
    bound = np.where(nan_x, y.carried, np.where(nan_y, x.carried, larger.carried))
    return Bounded(x.arithmetic, value, bound)


@rule("minimum")
def minimum(x: Bounded, y: Bounded) -> Bounded:
    return negative(maximum(negative(x), negative(y)))


@rule("maximum", "reduce")
def maximum_reduce(x: Bounded, axis: int | None = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """The largest of several, off by no more than the largest of their bounds."""
    value = np.asarray(np.max(x.value, axis=axis, keepdims=keepdims))
    if x.is_exact:
        return Bounded(x.arithmetic, value, EXACT)
    bound = np.broadcast_to(x.carried, x.shape)
    return Bounded(x.arithmetic, value, np.asarray(np.max(bound, axis=axis, keepdims=keepdims)))


@rule("greater")
def greater(x: Bounded, y: Bounded) -> Bounded:
    """1 or 0; off by 1 where the bounds cannot tell the sign. An exact 0 is known not to be greater."""
    return _truth_value(x, y, lambda gap: gap > 0)


@rule("greater_equal")
def greater_equal(x: Bounded, y: Bounded) -> Bounded:
    return _truth_value(x, y, lambda gap: gap >= 0)


@rule("less")
def less(x: Bounded, y: Bounded) -> Bounded:
    return greater(y, x)


@rule("less_equal")
def less_equal(x: Bounded, y: Bounded) -> Bounded:
    return greater_equal(y, x)


@rule("equal")
def equal(x: Bounded, y: Bounded) -> Bounded:
    return _truth_value(x, y, lambda gap: gap == 0)


def _truth_value(x: Bounded, y: Bounded, holds: Callable[[Float64s], Bools]) -> Bounded:
    gap = x.arithmetic.lower(x.value - y.value)
    value = x.arithmetic.lift(np.where(holds(gap), 1.0, 0.0))
    unknown = np.where(np.isnan(gap), np.nan, 0.0)
    if x.is_exact and y.is_exact:
        return Bounded(x.arithmetic, value, unknown if unknown.any() else EXACT)
    room = x.carried + y.carried
    unsure = (np.abs(gap) <= room) & (room > 0)
    bound = np.where(unsure, 1.0, unknown)
    return Bounded(x.arithmetic, value, bound, kink=unsure if unsure.any() else None)


@rule("logical_and")
def logical_and(p: Bounded, q: Bounded) -> Bounded:
    """Of two truth values; unsure where one is unsure and the other not surely false."""
    value = p.arithmetic.lift(np.where((p.lowered() > 0) & (q.lowered() > 0), 1.0, 0.0))
    if p.is_exact and q.is_exact:
        return Bounded(p.arithmetic, value, EXACT)
    false = ((p.lowered() == 0) & (p.bound == 0)) | ((q.lowered() == 0) & (q.bound == 0))
    bound = np.where(false, 0.0, np.maximum(p.bound, q.bound))
    unsure = bound > 0
    return Bounded(p.arithmetic, value, bound, kink=unsure if unsure.any() else None)


@rule("sign")
def sign(x: Bounded) -> Bounded:
    """−1, 0 or 1; where the bound reaches across zero, off by as much as 2, and of what may be NaN, NaN."""
    value = np.sign(x.lowered())
    truth = x.arithmetic.lift(value)
    if x.is_exact:
        return Bounded(x.arithmetic, truth, EXACT)
    unsure = (np.abs(x.lowered()) <= x.carried) & (x.carried > 0)
    bound = np.where(unsure, 1 + np.abs(value), 0.0)
    bound = np.where(np.isfinite(x.carried), bound, np.inf)
    return Bounded(x.arithmetic, truth, bound, kink=unsure if unsure.any() else None)


@rule("select (vectorized)")
def select(condition: Bounded, yes: Bounded, no: Bounded) -> Bounded:
    """One of the two, with its own bound; where nobody can tell which, a bound that holds both.

    That is a kink only where the two say different things: at the joint of a continuous function
    they agree, as far as their bounds can tell.
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
    if unsure.any():
        apart = arithmetic.lower(np.abs(yes.value - no.value))
        both = np.maximum(bound, apart + np.where(chosen, no.carried, yes.carried))
        kink = unsure & ~(apart <= yes.carried + no.carried)
        bound = np.where(unsure, both, bound)
    bound = np.where(np.broadcast_to(np.isnan(condition.bound), shape), np.nan, bound)
    return Bounded(arithmetic, value, bound, floor=None if np.isnan(floor).all() else floor, kink=kink)


@rule("larger (vectorized)")
def larger(x: Bounded, y: Bounded) -> Bounded:
    return maximum(x, y)


@rule("smaller (vectorized)")
def smaller(x: Bounded, y: Bounded) -> Bounded:
    return minimum(x, y)


@rule("epsilon (vectorized)")
def epsilon(x: Bounded) -> Bounded:
    """A property of the format."""
    return Bounded(x.arithmetic, x.arithmetic.lift(2 * x.arithmetic.u), EXACT)


@rule("bfloat16 (vectorized)")
def bfloat16(x: Bounded) -> Bounded:
    """2^-8 |x| + 2^-134: half a unit in the last place of eight significant bits, with room for a rounding
    to float32 on the way, and half the smallest subnormal. The exponents are float32's.
    """
    magnitude = x.magnitude() + x.carried
    bound = x.carried + 2.0**-8 * magnitude + 2.0**-134
    return Bounded(x.arithmetic, x.value, np.where(magnitude <= BFLOAT16_LARGEST, bound, np.inf))


@rule("column (vectorized)")
def column(z: Bounded, numbers: Bounded) -> Bounded:
    """Constants in the format of z."""
    return Bounded(z.arithmetic, numbers.value[:, None], numbers.bound)


@rule("labels (vectorized)")
def labels(y: Bounded) -> Bounded:
    """Indices are data, and exact."""
    return Bounded(y.arithmetic, y.arithmetic.lift(arrays.labels(y.lowered())), EXACT)


@rule("full_like (vectorized)")
def full_like(z: Bounded, number: Bounded) -> Bounded:
    value = np.broadcast_to(number.value, z.shape)
    return Bounded(z.arithmetic, value, number.bound)
