"""Rounding bounds of elementary functions: K ulp each, from the one table `parity.arithmetic.ULP`."""

from __future__ import annotations

import numpy as np

from parity.arithmetic import ULP
from parity.bounded.number import EXACT, Bounded, Float64s, Rounding, Truths, rule

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


@rule("exp")
def exp(x: Bounded) -> Bounded:
    """Carries e^x (e^B − 1)."""
    value = np.exp(x.value)
    magnitude = x.arithmetic.lower(value)
    if x.is_exact:
        return _growing("exp", x, value, EXACT, magnitude)
    least = np.exp(x.arithmetic.lower(x.value) - x.carried)
    return _growing("exp", x, value, magnitude * np.expm1(x.carried), least)


@rule("cosh")
def cosh(x: Bounded) -> Bounded:
    """Carries B sinh(|x| + B)."""
    value = np.cosh(x.value)
    if x.is_exact:
        return _growing("cosh", x, value, EXACT, x.arithmetic.lower(value))
    carried = x.carried * np.sinh(x.magnitude() + x.carried)
    least = np.cosh(np.maximum(x.magnitude() - x.carried, 0))
    return _growing("cosh", x, value, carried, least)


@rule("tanh")
def tanh(x: Bounded) -> Bounded:
    """Carries B times the steepest slope within reach, which is the one nearest to zero."""
    carried = EXACT
    if not x.is_exact:
        nearest = np.maximum(x.magnitude() - x.carried, 0)
        carried = x.carried / np.square(np.cosh(nearest))
    return _rounded("tanh", x, np.tanh(x.value), carried)
