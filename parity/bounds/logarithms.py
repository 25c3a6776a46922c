"""Rounding bounds of the elementary functions to other bases than e, of powers, and of the tangent.

As in `parity.bounds.elementary`, K ulp each: 2Ku of the result and 4η.
"""

from __future__ import annotations

import numpy as np

from parity.bounds import balls
from parity.bounds.elementary import log, rounded
from parity.bounds.number import EXACT, Bounded, Truths, rule


def _logarithm(name: str, x: Bounded, base: float) -> Bounded:
    natural = log(x)
    value = natural.value / np.log(x.arithmetic.lift(base))
    if x.is_exact:
        result = rounded(name, x, value, EXACT)
        result.bound = np.where(x.lowered() == 0, 0.0, result.bound)
        return result
    return rounded(name, x, value, natural.carried / np.log(base))


@rule("log2")
def log2(x: Bounded) -> Bounded:
    """2Ku|log₂ x| + 4η, and what log x carries by log 2.

    Source: the table of ulps; as log.
    """
    return _logarithm("log2", x, 2.0)


@rule("log10")
def log10(x: Bounded) -> Bounded:
    """2Ku|log₁₀ x| + 4η, and what log x carries by log 10.

    Source: the table of ulps; as log.
    """
    return _logarithm("log10", x, 10.0)


@rule("exp2")
def exp2(x: Bounded) -> Bounded:
    """2Ku 2^x + 4η, and 2^x (2^B − 1) carried.

    Source: the table of ulps; as exp.
    """
    value: Truths = x.arithmetic.lift(2.0) ** x.value if x.arithmetic.truth == "ball" else np.exp2(x.value)
    magnitude = x.arithmetic.lower(value)
    carried = EXACT if x.is_exact else magnitude * np.expm1(x.carried * np.log(2))
    result = rounded("exp2", x, value, carried)
    result.bound = np.where(np.isneginf(x.lowered()) & (x.carried == 0), 0.0, result.bound)
    return result


@rule("tan")
def tan(x: Bounded) -> Bounded:
    """2Ku|tan x| + 4η, and the distance to the further of tan (x ± B) carried, if no pole lies between.

    The tangent increases between poles; if a pole lies within the bound, the bound is infinite.

    Source: the table of ulps.
    """
    value = np.tan(x.value)
    if x.is_exact:
        return rounded("tan", x, value, EXACT)
    low, high = (x.lowered() + side * x.carried for side in (-1, 1))
    same = np.floor(low / np.pi + 0.5) == np.floor(high / np.pi + 0.5)
    middle = x.arithmetic.lower(value)
    return rounded(
        "tan", x, value, np.where(same, np.maximum(np.tan(high) - middle, middle - np.tan(low)), np.inf)
    )


@rule("power")
def power(x: Bounded, y: Bounded) -> Bounded:
    """2Ku|x^y| + 4η, and |x^y| max|e^E − 1| carried, E = y log(1 ± B_x/|x|) ± B_y max|log|x̂||.

    x̂^ŷ = x^y e^(y log(x̂/x) + (ŷ − y) log x̂), and E is monotone in x̂/x, so its extremes are at those of
    x̂. An exponent that the format cannot represent is rounded to it, as PyTorch does: B_y = u|y|.
    Where x may be zero or of either sign, integer exponents of at least 1 have their largest slope at
    |x| + B_x, y(|x| + B_x)^(y − 1); for any other exponent the bound is infinite. So it is of a NaN, a
    negative number to a power that is no integer, where an evaluation may have it otherwise.

    Source: the table of ulps; `at::pow`, which casts a Python number to the format.
    """
    value = balls.power(x.value, y.value) if x.arithmetic.truth == "ball" else x.value**y.value
    if x.is_exact and y.is_exact:
        return rounded("pow", x, value, EXACT)
    near = (np.abs(y.lowered() - np.rint(y.lowered())) <= y.carried) | (x.lowered() + x.carried >= 0)
    either = np.isnan(x.arithmetic.lower(value)) & ~np.isnan(x.lowered()) & ~np.isnan(y.lowered()) & near
    value = np.where(either, x.arithmetic.lift(0.0), value)
    base, exponent, magnitude = x.magnitude(), y.lowered(), x.arithmetic.lower(np.abs(value))
    high, low = np.log1p(x.carried / base), np.log1p(-x.carried / base)
    ends = np.stack(np.broadcast_arrays(exponent * high, exponent * low, 0.0))
    far = np.where(y.carried == 0, 0.0, y.carried * (np.abs(np.log(base)) - low))
    change = np.maximum(np.expm1(ends.max(axis=0) + far), -np.expm1(ends.min(axis=0) - far))
    positive = (x.carried < base) & ((x.lowered() > 0) | y.is_exact)
    whole = (exponent >= 1) & (exponent == np.rint(exponent)) & (y.carried == 0)
    steepest = exponent * (base + x.carried) ** (exponent - 1) * x.carried
    zero = (base == 0) & (x.carried == 0) & (exponent - y.carried > 0)
    elsewhere = np.where(whole, steepest, np.where(zero, 0.0, np.inf))
    return rounded("pow", x, value, np.where(positive, magnitude * change, elsewhere))
