"""The activations that the filter supports: value, slope, and lower bounds of their rounding.

`U` is the unit of rounding. Lower bounds of what `parity.bounds` derives for the same formula in
`reference.operations.activations`; each line says which terms were left out (second order, underflow).
`excess` is an upper bound of how much larger the plain bound of a can be, valid for B_z up to
`steep_within`: it detects where the plain path might be undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.bounds.formats import ULP
from parity.certify.filter.layout import Floats

K = 2 * ULP["exp"][0]
"""Rounding of an elementary function in units u: K ulp are 2K u."""
K_TANH = 2 * ULP["tanh"][0]


@dataclass(frozen=True)
class Slope:
    """f, f′, and lower bounds of their rounding, with what a's bound carries into f′."""

    function: Callable[[Floats], Floats]
    derivative: Callable[[Floats, Floats], Floats | float]
    rounding: Callable[[Floats, float], Floats | float]  # of a: (a, U)
    derivative_bound: Callable[[Floats, Floats, Floats | float, float], Floats | float]  # (a, f′, B_a, U)
    excess: Callable[[float, float, float], float]  # of the plain bound of a: (excess of z's, B_z, U)
    exact_slope: bool = False
    steep_within: float = 2.0**60  # B_z up to which `excess` holds


def _sigmoid(z: Floats) -> Floats:
    e = np.exp(-z)
    e += 1
    return np.reciprocal(e, out=e)


SLOPES = {
    "identity": Slope(
        np.positive,
        lambda z, a: 1.0,
        lambda a, U: 0.0,
        lambda a, slope, B, U: 0.0,
        lambda excess, B, U: excess,
        exact_slope=True,
    ),
    "relu": Slope(
        lambda z: np.maximum(z, 0),
        lambda z, a: (z > 0).astype(np.float64),
        lambda a, U: 0.0,
        lambda a, slope, B, U: 0.0,
        lambda excess, B, U: excess,
        exact_slope=True,
    ),
    # The plain path carries f′ X/(1 − X) with X ≤ e^B − 1, which for B ≤ ¼ is at most f′ B (1 + 4B), and
    # f′ ≤ ¼; its rounding is at most 25 u: (8u e + u v)/v of e^−z and 1 + e^−z, times 1.65/0.68, and u a.
    # e^−z: K u e/(1 + e) = K u (1 − a) relative; then one rounding of 1 + e and one of the reciprocal.
    "sigmoid": Slope(
        _sigmoid,
        lambda z, a: a * (1 - a),
        lambda a, U: a * (U * (K + 2) - (U * K) * a),
        lambda a, slope, B, U: B + (2 * U) * np.abs(slope),
        lambda excess, B, U: excess / 2 + B * B + 26 * U,
        steep_within=0.25,
    ),
    # The plain path carries B times the steepest slope within B, at most f′ + B, since |f″| < 1.
    # 1 − a²: u a² of the square, u |1 − a²| of the difference.
    "tanh": Slope(
        np.tanh,
        lambda z, a: 1 - a * a,
        lambda a, U: (K_TANH * U) * np.abs(a),
        lambda a, slope, B, U: 2 * np.abs(a) * B + U * (a * a + np.abs(slope)),
        lambda excess, B, U: excess + B * B + (K_TANH + 1) * U,
        steep_within=0.25,
    ),
}
