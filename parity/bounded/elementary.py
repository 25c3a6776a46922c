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


def _growing(name: str, x: Bounded, value: Truths, carried: Float64s) -> Bounded:
    """The same, for functions that overflow: what may be infinite is marked, not given up."""
    arithmetic = x.arithmetic
    magnitude = arithmetic.lower(np.abs(value)) + carried
    relative = 2 * ULP[name][0] * arithmetic.unit
    bound = carried + relative * magnitude + UNDERFLOWS * arithmetic.eta
    huge = magnitude * (1 + relative) > arithmetic.largest
    return Bounded(arithmetic, value, bound, huge=huge if huge.any() else None)


@rule("exp")
def exp(x: Bounded) -> Bounded:
    """Carries e^x (e^B − 1)."""
    value = np.exp(x.value)
    carried = EXACT
    if not x.is_exact:
        carried = x.arithmetic.lower(value) * np.expm1(x.carried)
    return _growing("exp", x, value, carried)


@rule("cosh")
def cosh(x: Bounded) -> Bounded:
    """Carries B sinh(|x| + B)."""
    carried = EXACT
    if not x.is_exact:
        carried = x.carried * np.sinh(x.magnitude() + x.carried)
    return _growing("cosh", x, np.cosh(x.value), carried)


@rule("tanh")
def tanh(x: Bounded) -> Bounded:
    """Carries B times the steepest slope within reach, which is the one nearest to zero."""
    carried = EXACT
    if not x.is_exact:
        nearest = np.maximum(x.magnitude() - x.carried, 0)
        carried = x.carried / np.square(np.cosh(nearest))
    return _rounded("tanh", x, np.tanh(x.value), carried)
