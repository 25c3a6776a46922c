"""Rounding bounds of the inverse trigonometric functions, and of the hyperbolic sine and its kin.

As in `parity.bounds.elementary`, K ulp each: 2Ku of the result and 4η. What the operand's bound carries is
the bound times the largest slope within it.
"""

from __future__ import annotations

import numpy as np

from parity.bounds import balls
from parity.bounds.elementary import rounded, within_reach
from parity.bounds.number import EXACT, Bounded, Truths, rule
from parity.bounds.overflow import Float64s


def _of(name: str, x: Bounded) -> Truths:
    if x.arithmetic.truth == "ball":
        return balls.special(name, x.value)
    found: Truths = getattr(np, name)(x.value)
    return found


def _nearest(x: Bounded) -> Float64s:
    """The least |x̂| within the bound."""
    return np.maximum(x.magnitude() - x.carried, 0)


def _below_one(x: Bounded) -> Float64s:
    """The least 1 − |x̂| within the bound, or 0."""
    return np.maximum(x.arithmetic.lower(1 - np.abs(x.value)) - x.carried, 0)


@rule("sinh")
def sinh(x: Bounded) -> Bounded:
    """2Ku|sinh x| + 4η, and B cosh(|x| + B) carried.

    Source: the table of ulps; the mean value theorem.
    """
    carried = EXACT if x.is_exact else x.carried * np.cosh(x.magnitude() + x.carried)
    return rounded("sinh", x, np.sinh(within_reach(x)), carried)


@rule("arctan")
def arctan(x: Bounded) -> Bounded:
    """2Ku|arctan x| + 4η, and B/(1 + (|x| − B)²) carried.

    Source: the table of ulps; the mean value theorem.
    """
    carried = EXACT if x.is_exact else x.carried / (1 + np.square(_nearest(x)))
    return rounded("arctan", x, _of("arctan", x), carried)


@rule("arcsinh")
def arcsinh(x: Bounded) -> Bounded:
    """2Ku|arcsinh x| + 4η, and B/√(1 + (|x| − B)²) carried.

    Source: the table of ulps; the mean value theorem.
    """
    carried = EXACT if x.is_exact else x.carried / np.hypot(1, _nearest(x))
    return rounded("arcsinh", x, _of("arcsinh", x), carried)


@rule("arcsin")
def arcsin(x: Bounded) -> Bounded:
    """2Ku|arcsin x| + 4η, and B/√(1 − (|x| + B)²) carried; infinite where the bound includes 1.

    Source: the table of ulps; the mean value theorem.
    """
    return rounded("arcsin", x, _of("arcsin", x), EXACT if x.is_exact else _by_the_circle(x))


@rule("arccos")
def arccos(x: Bounded) -> Bounded:
    """2Ku arccos x + 4η, and B/√(1 − (|x| + B)²) carried; infinite where the bound includes 1.

    Source: as arcsin.
    """
    return rounded("arccos", x, _of("arccos", x), EXACT if x.is_exact else _by_the_circle(x))


def _by_the_circle(x: Bounded) -> Float64s:
    room = _below_one(x)
    carried: Float64s = np.where(room > 0, x.carried / np.sqrt(room * (2 - room)), np.inf)
    return np.where(x.carried == 0, 0.0, carried)


@rule("arctanh")
def arctanh(x: Bounded) -> Bounded:
    """2Ku|arctanh x| + 4η, and B/(1 − (|x| + B)²) carried; infinite where the bound includes 1.

    Source: the table of ulps; the mean value theorem.
    """
    carried = EXACT
    if not x.is_exact:
        room = _below_one(x)
        carried = np.where(x.carried == 0, 0.0, x.carried / (room * (2 - room)))
    return rounded("arctanh", x, _of("arctanh", x), carried)


@rule("arccosh")
def arccosh(x: Bounded) -> Bounded:
    """2Ku arccosh x + 4η, and B/√((x − B)² − 1) carried; infinite where the bound includes 1.

    Source: the table of ulps; the mean value theorem.
    """
    carried = EXACT
    if not x.is_exact:
        room = np.maximum(x.arithmetic.lower(x.value - 1) - x.carried, 0)
        carried = np.where(x.carried == 0, 0.0, x.carried / (np.sqrt(room) * np.sqrt(room + 2)))
    return rounded("arccosh", x, _of("arccosh", x), carried)
