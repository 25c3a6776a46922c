"""Rounding bounds of elementary functions: K ulp each, from the table `parity.bounds.formats.ULP`.

An ulp is at most 2u times the result, so K ulp are at most 2Ku times the result; near zero, where that
is less than the spacing of subnormals, the bound is 4η.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.bounds import balls
from parity.bounds.branches import everywhere, somewhere
from parity.bounds.formats import ULP
from parity.bounds.number import EXACT, Bounded, Truths, rule
from parity.bounds.overflow import Float64s
from parity.bounds.rounding import Rounding

UNDERFLOWS = 4
"""Number of η allowed near zero, where K ulp of the result are less than one subnormal."""


def rounded(name: str, x: Bounded, value: Truths, carried: Float64s) -> Bounded:
    """The result with a rounding of K ulp, at most 2K u times the result."""
    arithmetic = x.arithmetic
    rounding = Rounding(2 * ULP[name][0] * arithmetic.unit, UNDERFLOWS * arithmetic.eta)
    return rounding.close(arithmetic, value, carried)


def _growing(
    name: str, x: Bounded, value: Truths, carried: Float64s, least: Callable[[], Float64s]
) -> Bounded:
    """As `rounded`, for positive functions that overflow: a possible infinity is marked with a floor.

    `least` is the smallest value of the exact function within the operand's bound.
    """
    arithmetic = x.arithmetic
    magnitude = arithmetic.lower(np.abs(value)) + carried
    relative = 2 * ULP[name][0] * arithmetic.unit
    bound = carried + relative * magnitude + UNDERFLOWS * arithmetic.eta
    fits = magnitude * (1 + relative) <= arithmetic.largest
    if everywhere(fits):
        return Bounded(arithmetic, value, bound)
    fits = magnitude * (1 + relative) <= arithmetic.largest
    # `least` may itself overflow float64; only that it is above the format's largest number matters.
    floor = np.minimum(least(), arithmetic.largest) * (1 - relative)
    return Bounded(arithmetic, value, bound, floor=np.where(fits, np.nan, floor))


def within_reach(x: Bounded) -> Truths:
    """The operand of e^x, limited where e^x is infinite in the truth's arithmetic and not in mathematics.

    Beyond, e^x is above every format's largest number, whose bound is infinite; the value stays finite, so
    that 0 times it is 0 and not NaN. e^−x underflows there in every format. Exact infinities are left.
    """
    lowered, farthest = x.lowered(), FARTHEST[x.arithmetic.truth]
    far = np.abs(lowered) > farthest
    if x.arithmetic.truth != "ball":
        far &= np.isfinite(x.value)
    if not somewhere(far):
        return x.value
    held: Truths = np.where(far, x.arithmetic.lift(np.sign(lowered) * farthest), x.value)
    return held


FARTHEST = {"float64": 354.0, "longdouble": 5678.0, "ball": 2.0**20}
"""Half the largest operand of e^x: its square is finite, too. arb's own exponents overflow beyond 2^20."""


def _carried_by_exp(x: Bounded, magnitude: Float64s) -> Float64s:
    """e^x (e^B − 1), or e^(x + B) if that is not finite, as when B is large and e^x is 0."""
    carried: Float64s = magnitude * np.expm1(x.carried)
    if everywhere(carried < np.inf):
        return carried
    return np.fmin(carried, np.exp(x.lowered() + x.carried))


@rule("exp")
def exp(x: Bounded) -> Bounded:
    """2Ku e^x + 4η, and e^x (e^B − 1) carried, or e^(x + B) where that is less; 0 for an exact −∞.

    e^x̂ − e^x = e^x (e^(x̂ − x) − 1). Where the result may overflow to ∞, its smallest possible value is
    kept, so that 1/(1 + e^x) is known to be small. For an x that may have overflowed to −∞ and is at
    most c, the result is between 0 and e^c.

    Source: the table of ulps; IEEE 754-2019, §9.2.1, for −∞.
    """
    value = np.exp(within_reach(x))
    magnitude = x.arithmetic.lower(value)
    if x.is_exact:
        result = _growing("exp", x, value, EXACT, lambda: magnitude)
    else:
        carried = _carried_by_exp(x, magnitude)
        result = _growing("exp", x, value, carried, lambda: np.exp(x.lowered() - x.carried))
        unknown = ~np.isfinite(x.bound)
        if somewhere(unknown):  # perhaps NaN, and then e^x is no less so: it has no smallest value
            unknown = unknown if x.floor is None else unknown & np.isnan(x.floor)
            result.bound = np.where(unknown, np.inf, result.bound)
            result.floor = None if result.floor is None else np.where(unknown, np.nan, result.floor)
    if x.ceiling is not None:
        masked = ~np.isnan(x.ceiling)
        most = (
            np.exp(x.ceiling) * (1 + 2 * ULP["exp"][0] * x.arithmetic.unit) + UNDERFLOWS * x.arithmetic.eta
        )
        result.bound = np.where(masked & (most <= x.arithmetic.largest), most, result.bound)
        result.floor = None if result.floor is None else np.where(masked, np.nan, result.floor)
    if not everywhere(magnitude):
        result.bound = np.where(np.isneginf(x.lowered()) & (x.bound == 0), 0.0, result.bound)
    return result


@rule("exp_u20 (vectorized)")
def exp_u20(x: Bounded) -> Bounded:
    """As exp, 2K′u e^x; and in float32 whatever is less than 2^-125 may come out as 0.

    Its polynomial of degree 5 follows a reduction of x in one fused step, so that the error grows with
    |x|; where e^x would be subnormal, and a little before, it is flushed. In float64 it is exp itself.

    Source: PyTorch's vec512_float.h and vec256_float.h, whose comment says 20 ulp; 5.5 seen over all of
    [−87, −17], calibrated through `_scaled_dot_product_flash_attention_for_cpu`.
    """
    found = exp(x)
    if x.arithmetic.dtype != np.float32:
        return found
    more = 2 * (ULP["exp_u20"][0] - ULP["exp"][0]) * x.arithmetic.unit
    nothing = np.isneginf(x.lowered()) & (found.bound == 0)
    flushed = np.where(nothing, 0.0, 2.0**-125)
    found.bound = found.bound + more * (found.magnitude() + found.bound) + flushed
    return found


@rule("cosh")
def cosh(x: Bounded) -> Bounded:
    """2Ku cosh x + 4η, and B sinh(|x| + B) carried: the largest slope within the bound.

    Source: the table of ulps; the mean value theorem.
    """
    value = np.cosh(within_reach(x))
    if x.is_exact:
        return _growing("cosh", x, value, EXACT, lambda: x.arithmetic.lower(value))
    carried = x.carried * np.sinh(x.magnitude() + x.carried)
    return _growing("cosh", x, value, carried, lambda: np.cosh(np.maximum(x.magnitude() - x.carried, 0)))


@rule("tanh")
def tanh(x: Bounded) -> Bounded:
    """2Ku|tanh x| + 4η, and B/cosh²(|x| − B) carried: the slope at the point of the bound nearest to 0.

    Source: the table of ulps; the mean value theorem.
    """
    if x.is_exact:
        return rounded("tanh", x, np.tanh(x.value), EXACT)
    nearest = np.maximum(x.magnitude() - x.bound, 0)
    carried = x.bound / np.square(np.cosh(nearest))
    if x.floor is not None:  # x is in [floor, ∞], so both tanh are in [tanh floor, 1]
        carried = np.where(np.isnan(x.floor), carried, 1 - np.tanh(x.floor))
    return rounded("tanh", x, np.tanh(x.value), carried)


@rule("sin")
def sin(x: Bounded) -> Bounded:
    """2Ku|sin x| + 4η, and min(B, 2) carried: the slope is at most 1, and two values differ by at most 2.

    The sine of ∞ is NaN, so where the bound of x is infinite, that of the result is.

    Source: the table of ulps; the mean value theorem.
    """
    return rounded("sin", x, np.sin(x.value), EXACT if x.is_exact else _at_most_two(x))


@rule("cos")
def cos(x: Bounded) -> Bounded:
    """2Ku|cos x| + 4η, and min(B, 2) carried.

    Source: as sin.
    """
    return rounded("cos", x, np.cos(x.value), EXACT if x.is_exact else _at_most_two(x))


def _at_most_two(x: Bounded) -> Float64s:
    apart: Float64s = np.minimum(x.carried, 2.0)
    return np.where(np.isfinite(x.carried), apart, np.inf)


@rule("expm1")
def expm1(x: Bounded) -> Bounded:
    """2Ku|e^x − 1| + 4η, and e^x (e^B − 1) carried.

    Source: the table of ulps; as exp.
    """
    carried = EXACT if x.is_exact else _carried_by_exp(x, np.exp(x.lowered()))
    return rounded("expm1", x, np.expm1(within_reach(x)), carried)


@rule("log")
def log(x: Bounded) -> Bounded:
    """2Ku|log x| + 4η, and B/(x − B) carried. log 0 = −∞ is exact.

    The slope 1/x is largest at the smallest possible x; if that is not positive, the bound is infinite.

    Source: the table of ulps; the mean value theorem.
    """
    value = balls.special("log", x.value) if x.arithmetic.truth == "ball" else np.log(x.value)
    if x.is_exact:
        result = rounded("log", x, value, EXACT)
        result.bound = np.where(x.lowered() == 0, 0.0, result.bound)
        return result
    room = x.lowered() - x.carried
    return rounded("log", x, value, x.carried / np.where(room > 0, room, 0))


@rule("log1p")
def log1p(x: Bounded) -> Bounded:
    """2Ku|log(1 + x)| + 4η, and B/(1 + x − B) carried.

    Source: the table of ulps; as log.
    """
    value = np.log1p(x.value)
    if x.is_exact:
        return rounded("log1p", x, value, EXACT)
    room = 1 + x.lowered() - x.bound
    result = rounded("log1p", x, value, x.bound / np.where(room > 0, room, 0))
    if x.floor is not None:  # x may have overflowed: the result is at least this large
        floor = np.log1p(x.floor) * (1 - 2 * ULP["log1p"][0] * x.arithmetic.unit)
        result.floor = np.where(np.isnan(x.floor), np.nan, floor)
    return result


@rule("sqrt")
def sqrt(x: Bounded) -> Bounded:
    """2u√x + 4η, and B/(√x + √(x − B)) carried, or √B where x is smaller than its bound; x ≥ 0.

    |√x̂ − √x| = |x̂ − x|/(√x̂ + √x), and |√x̂ − √x| ≤ √|x̂ − x|.

    Source: the table of ulps; Higham (2002), §2.2.
    """
    value = np.sqrt(x.value)
    carried = EXACT
    if not x.is_exact:
        room = np.maximum(x.lowered() - x.carried, 0)
        root = x.arithmetic.lower(value)
        carried = np.where(room > 0, x.carried / (root + np.sqrt(room)), np.sqrt(x.carried))
    return rounded("sqrt", x, value, carried)


@rule("root (vectorized)")
def root(x: Bounded) -> Bounded:
    """As √x where the sign of x is known; elsewhere infinite, since the result may be NaN.

    Source: as sqrt.
    """
    result = sqrt(x)
    unsure = np.abs(x.lowered()) < x.carried
    if somewhere(unsure):
        result.value = np.where(unsure, x.arithmetic.lift(0.0), result.value)
        result.bound = np.where(unsure, np.inf, result.bound)
    return result


@rule("erf (vectorized)")
def erf(x: Bounded) -> Bounded:
    """2Ku, absolute, and B 2/√π e^−(|x| − B)² carried: the largest slope within the bound.

    Source: calibrated here, tests/reports/calibrate_erf.py; the mean value theorem.
    """
    arithmetic, value = x.arithmetic, x.arithmetic.special("erf", x.value)
    carried = EXACT
    if not x.is_exact:
        nearest = np.maximum(x.magnitude() - x.carried, 0)
        carried = x.carried * (2 / np.sqrt(np.pi)) * np.exp(-np.square(nearest))
    return Rounding(0.0, 2 * ULP["erf"][0] * arithmetic.unit).close(arithmetic, value, carried)
