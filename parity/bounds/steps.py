"""Rounding bounds of step functions, of products, and of comparisons not in `parity.bounds.selection`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from parity.bounds.number import EXACT, Bounded, rule
from parity.bounds.overflow import guarded
from parity.bounds.selection import equal
from parity.bounds.sums import Axes


def _step(function: Callable[..., Any]) -> None:
    def step(x: Bounded) -> Bounded:
        """0 if no step lies within the bound of x, else the largest change of the function within it.

        |f(x̂) − f(x)| ≤ max(f(x + B) − f(x), f(x) − f(x − B)), since f is nondecreasing.

        Source: IEEE 754-2019, §5.9.
        """
        value = x.arithmetic.lift(function(x.lowered()))
        if x.is_exact:
            return Bounded(x.arithmetic, value, EXACT)
        low, middle, high = (function(x.lowered() + side * x.carried) for side in (-1, 0, 1))
        return Bounded(x.arithmetic, value, np.maximum(high - middle, middle - low))

    rule(function.__name__)(step)


for _function in (np.floor, np.ceil, np.rint, np.trunc):
    _step(_function)


def _classification(function: Callable[..., Any]) -> None:
    def classified(x: Bounded) -> Bounded:
        """0 where the bound is finite, so that the number is finite too; infinite elsewhere.

        Source: IEEE 754-2019, §5.7.2.
        """
        unknown = EXACT if x.is_exact else np.where(np.isfinite(x.carried), 0.0, np.inf)
        return Bounded(x.arithmetic, x.arithmetic.lift(function(x.lowered())), unknown)

    rule(function.__name__)(classified)


_classification(np.isnan)
_classification(np.isinf)


@rule("not_equal")
def not_equal(x: Bounded, y: Bounded) -> Bounded:
    """As equal.

    Source: as greater.
    """
    return logical_not(equal(x, y))


@rule("logical_not")
def logical_not(x: Bounded) -> Bounded:
    """The bound of the condition: 1 where it is uncertain whether it holds, else 0.

    Source: IEEE 754, comparison predicates.
    """
    if x.is_exact:
        return Bounded(x.arithmetic, x.arithmetic.lift(x.lowered() == 0), EXACT)
    unsure = x.magnitude() <= x.carried
    bound = np.where(np.isnan(x.carried), np.nan, np.where(unsure & (x.carried > 0), 1.0, 0.0))
    return Bounded(x.arithmetic, x.arithmetic.lift(x.lowered() == 0), bound, kink=x.kink)


@rule("logical_or")
def logical_or(x: Bounded, y: Bounded) -> Bounded:
    """0, or 1 where one truth value is uncertain and the other is not certainly true.

    Source: IEEE 754, comparison predicates.
    """
    one, other = logical_not(x), logical_not(y)
    value = x.arithmetic.lift((one.lowered() == 0) | (other.lowered() == 0))
    if one.is_exact and other.is_exact:
        return Bounded(x.arithmetic, value, EXACT)
    sure = ((one.lowered() == 0) & (one.carried == 0)) | ((other.lowered() == 0) & (other.carried == 0))
    return Bounded(x.arithmetic, value, np.where(sure, 0.0, np.maximum(one.carried, other.carried)))


@rule("prod", "__array_function__")
def product_of(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As multiply.reduce, over all axes by default instead of the first.

    Source: as multiply.reduce.
    """
    return multiply_reduce(x, axis, keepdims)


@rule("multiply", "reduce")
def multiply_reduce(x: Bounded, axis: Axes = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Π m for a product of k factors in any order, m = |x| + B, and Π m Σ B/m carried.

    Every factor takes part in at most k − 1 multiplications. Π x̂ − Π x telescopes into k differences, each
    at most B_i times the other m. If the product of the factors below 1 is below the least normal number,
    each partial product may lose η times the product of the factors above 1: 2kη Π max(m, 1); if that
    overflows, the bound is infinite. A product of an exact zero and finite numbers is 0.

    Source: Higham (2002), §3.1, lemma 3.1.
    """
    arithmetic = x.arithmetic
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    k = prod(x.shape[i] for i in axes)
    value = x.value.prod(axis=axes, keepdims=keepdims)
    carried = np.broadcast_to(x.carried, x.shape)
    most = x.magnitude() + carried

    def along(part: Any) -> Any:
        return np.prod(part, axis=axes, keepdims=keepdims)

    magnitude = along(most)
    parts = np.divide(carried, most, out=np.zeros(x.shape), where=most > 0)
    bound = magnitude * parts.sum(axis=axes, keepdims=keepdims)
    bound = bound + arithmetic.gamma(max(k - 1, 0)) * magnitude
    high = along(np.maximum(most, 1)) * (1 + arithmetic.gamma(k))
    low = along(np.clip(x.magnitude() - carried, 0, 1))
    least = 2 * arithmetic.eta / arithmetic.u
    bound = np.where((low < least) & (k > 1), bound + 2 * k * arithmetic.eta * high, bound)
    zero = np.any((x.value == 0) & (carried == 0), axis=axes, keepdims=keepdims)
    bound = np.where(zero, 0.0, bound)
    return Bounded(arithmetic, value, guarded(high, arithmetic.largest, bound))


@rule("attains (vectorized)", data=(2,))
def attains(x: Bounded, y: Bounded, axes: tuple[int, ...]) -> Bounded:
    """As equal; but y, the largest or smallest over the axes, is some number: if no other can be, this one.

    Source: as greater.
    """
    found = equal(x, y)
    if found.kink is None:
        return found
    possible = found.kink | (found.lowered() > 0)
    alone = possible & (np.sum(possible, axis=axes, keepdims=True) == 1)
    bound = np.where(alone, 0.0, found.bound)
    return Bounded(x.arithmetic, found.value, bound, kink=found.kink & ~alone)


@rule("certain_nans (vectorized)", data=(1, 2))
def certain_nans(made: Bounded, operands: tuple[Bounded, ...], certain: Callable[..., Any]) -> Bounded:
    """The bound of each number; infinite for a NaN that some algorithm need not make.

    Its value is then 0: neither a number nor a NaN is wrong there. A sum of signs, infinities and NaNs is
    a NaN exactly if one of its terms is, or two of them are infinities of both signs.

    Source: IEEE 754-2019, §6.1 and §7.2.
    """
    nan = np.isnan(made.lowered())
    if not bool(np.any(nan)):
        return made
    signs = (np.asarray(x.lowered()) for x in operands)
    sure = np.isnan(certain(*(np.where(np.isfinite(x), np.sign(x), x) for x in signs)))
    either = nan & ~sure
    value = np.where(either, made.arithmetic.lift(0.0), made.value)
    bound = np.where(either, np.inf, made.bound)
    return Bounded(
        made.arithmetic, value, bound, made.open_sum, made.floor, kink=made.kink, ceiling=made.ceiling
    )


@rule("any_order (vectorized)", data=(1, 2))
def any_order(made: Bounded, factors: tuple[Bounded, ...], summed: Callable[..., Any]) -> Bounded:
    """The bound of each number and 4η H, H = Σ Π max(m, 1), m = |x| + B; infinite where H may overflow.

    A product or a sum of some factors is at most H, and what it loses if it underflows is multiplied by the
    others. The roundings of a term are no more in any order. p (q − r) may be infinite where p q − p r is
    no number: the bound of a NaN is infinite as well, and its value 0, unless a term has a NaN as a factor.

    Source: as multiply.reduce; IEEE 754-2019, §6.1.
    """
    arithmetic = made.arithmetic
    high = np.abs(summed(*(np.maximum(x.magnitude() + x.carried, 1.0) for x in factors)))
    roundings = len(factors) + int(np.max(made.open_sum.roundings if made.open_sum else 0))
    fits = high * (1 + arithmetic.gamma(roundings)) <= arithmetic.largest
    lost = np.where(fits, 4 * arithmetic.eta * high, np.inf)
    open_sum = made.open_sum and made.open_sum._replace(carried=made.open_sum.carried + lost)
    result = Bounded(arithmetic, made.value, made.bound + lost, open_sum, kink=made.kink)
    return certain_nans(
        result, factors, lambda *signs: summed(*(np.where(np.isnan(x), x, 1.0) for x in signs))
    )
