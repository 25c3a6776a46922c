"""Rounding bounds of elementary functions: K ulp each, from the one table `parity.bounds.formats.ULP`."""

from __future__ import annotations

import numpy as np

from parity.bounds.formats import ULP
from parity.bounds.number import EXACT, Bounded, Float64s, Rounding, Truths, rule

UNDERFLOWS = 4
"""η's granted near zero, where K ulp of the result is less than one subnormal."""


def _rounded(name: str, x: Bounded, value: Truths, carried: Float64s) -> Bounded:
    """K ulp = 2K u of the result."""
    arithmetic = x.arithmetic
    rounding = Rounding(2 * ULP[name][0] * arithmetic.unit, UNDERFLOWS * arithmetic.eta)
    return rounding.close(arithmetic, value, carried)


def _growing(name: str, x: Bounded, value: Truths, carried: Float64s, least: Float64s) -> Bounded:
    """The same, for positive functions that overflow: what may be infinite is marked, not given up.

    `least` is the smallest that the exact function can be within the operand's bound.
    """
    arithmetic = x.arithmetic
    magnitude = arithmetic.lower(np.abs(value)) + carried
    relative = 2 * ULP[name][0] * arithmetic.unit
    bound = carried + relative * magnitude + UNDERFLOWS * arithmetic.eta
    fits = magnitude * (1 + relative) <= arithmetic.largest
    if fits.all():
        return Bounded(arithmetic, value, bound)
    # The least may itself be past float64, in which it is held here; past the format's largest is enough.
    floor = np.minimum(least, arithmetic.largest) * (1 - relative)
    return Bounded(arithmetic, value, bound, floor=np.where(fits, np.nan, floor))


def _within_reach(x: Bounded) -> Truths:
    """The operand of e^x, where that is a ball, held within ±2^20: beyond, an exponent of arb's overflows.

    e^(2^20) is past every format's largest, and e^(−2^20) below what any product can make of it.
    """
    if x.arithmetic.truth != "ball":
        return x.value
    lowered = x.lowered()
    far = np.abs(lowered) > FARTHEST
    held: Truths = np.where(far, x.arithmetic.lift(np.sign(lowered) * FARTHEST), x.value)
    return held


FARTHEST = 2.0**20


def _carried_by_exp(x: Bounded, magnitude: Float64s) -> Float64s:
    """e^x (e^B − 1), or e^(x + B), which says more where B is large and e^x is 0."""
    nearest = np.exp(x.lowered() + x.carried)
    carried: Float64s = np.fmin(magnitude * np.expm1(x.carried), nearest)
    return carried


@rule("exp")
def exp(x: Bounded) -> Bounded:
    """Carries e^x (e^B − 1)."""
    value = np.exp(_within_reach(x))
    magnitude = x.arithmetic.lower(value)
    if x.is_exact:
        return _growing("exp", x, value, EXACT, magnitude)
    least = np.exp(x.arithmetic.lower(x.value) - x.carried)
    return _growing("exp", x, value, _carried_by_exp(x, magnitude), least)


@rule("cosh")
def cosh(x: Bounded) -> Bounded:
    """Carries B sinh(|x| + B)."""
    value = np.cosh(_within_reach(x))
    if x.is_exact:
        return _growing("cosh", x, value, EXACT, x.arithmetic.lower(value))
    carried = x.carried * np.sinh(x.magnitude() + x.carried)
    least = np.cosh(np.maximum(x.magnitude() - x.carried, 0))
    return _growing("cosh", x, value, carried, least)


@rule("tanh")
def tanh(x: Bounded) -> Bounded:
    """Carries B times the steepest slope within reach, which is the one nearest to zero."""
    if x.is_exact:
        return _rounded("tanh", x, np.tanh(x.value), EXACT)
    nearest = np.maximum(x.magnitude() - x.bound, 0)
    carried = x.bound / np.square(np.cosh(nearest))
    if x.floor is not None:  # x is in [floor, ∞], so both tanh are in [tanh floor, 1]
        carried = np.where(np.isnan(x.floor), carried, 1 - np.tanh(x.floor))
    return _rounded("tanh", x, np.tanh(x.value), carried)


@rule("expm1")
def expm1(x: Bounded) -> Bounded:
    """Carries e^x (e^B − 1)."""
    carried = EXACT if x.is_exact else _carried_by_exp(x, np.exp(x.lowered()))
    return _rounded("expm1", x, np.expm1(_within_reach(x)), carried)


@rule("log")
def log(x: Bounded) -> Bounded:
    """Carries B/(x − B). log 0 = −∞ is nobody's rounding."""
    value = np.log(x.value)
    if x.is_exact:
        result = _rounded("log", x, value, EXACT)
        result.bound = np.where(x.lowered() == 0, 0.0, result.bound)
        return result
    room = x.lowered() - x.carried
    return _rounded("log", x, value, x.carried / np.where(room > 0, room, 0))


@rule("log1p")
def log1p(x: Bounded) -> Bounded:
    """Carries B/(1 + x − B)."""
    value = np.log1p(x.value)
    if x.is_exact:
        return _rounded("log1p", x, value, EXACT)
    room = 1 + x.lowered() - x.bound
    result = _rounded("log1p", x, value, x.bound / np.where(room > 0, room, 0))
    if x.floor is not None:  # of what may have overflowed: at least so large
        floor = np.log1p(x.floor) * (1 - 2 * ULP["log1p"][0] * x.arithmetic.unit)
        result.floor = np.where(np.isnan(x.floor), np.nan, floor)
    return result


@rule("sqrt")
def sqrt(x: Bounded) -> Bounded:
    """Carries B/(√x + √(x − B)), and √B where x is smaller than its bound. x is not negative."""
    value = np.sqrt(x.value)
    carried = EXACT
    if not x.is_exact:
        room = np.maximum(x.lowered() - x.carried, 0)
        root = x.arithmetic.lower(value)
        carried = np.where(room > 0, x.carried / (root + np.sqrt(room)), np.sqrt(x.carried))
    return _rounded("sqrt", x, value, carried)


@rule("root (vectorized)")
def root(x: Bounded) -> Bounded:
    """As √x where the sign of x is sure; elsewhere it may have come out as NaN or not: nobody can tell."""
    result = sqrt(x)
    unsure = np.abs(x.lowered()) < x.carried
    if unsure.any():
        result.value = np.where(unsure, x.arithmetic.lift(0.0), result.value)
        result.bound = np.where(unsure, np.inf, result.bound)
    return result


@rule("power")
def power(x: Bounded, y: Bounded) -> Bounded:
    """x^y for x > 0. Carries the steepest slope within reach times B, of the base and of the exponent."""
    value = x.value**y.value
    if x.is_exact and y.is_exact:
        return _rounded("pow", x, value, EXACT)
    base, exponent = x.lowered(), y.lowered()
    low, high = base - x.carried, base + x.carried
    reach = np.maximum(np.abs(low ** (exponent - 1)), np.abs(high ** (exponent - 1)))
    of_base = np.abs(exponent) * reach * x.carried
    of_exponent = x.arithmetic.lower(np.abs(value)) * np.expm1(np.abs(np.log(base)) * y.carried)
    carried = np.where(low > 0, of_base + of_exponent * (1 + of_base), np.inf)
    return _rounded("pow", x, value, carried)


@rule("erf (vectorized)")
def erf(x: Bounded) -> Bounded:
    """Carries B times the steepest slope within reach, 2/√π e^−m². Its own error is absolute: see `ULP`."""
    arithmetic, value = x.arithmetic, x.arithmetic.special("erf", x.value)
    carried = EXACT
    if not x.is_exact:
        nearest = np.maximum(x.magnitude() - x.carried, 0)
        carried = x.carried * (2 / np.sqrt(np.pi)) * np.exp(-np.square(nearest))
    return Rounding(0.0, 2 * ULP["erf"][0] * arithmetic.unit).close(arithmetic, value, carried)
