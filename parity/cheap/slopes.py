"""The activations the cheap path knows: value, slope, and what each adds to a bound, at least.

`U` is the unit of rounding. Lower bounds of what `parity.bounded` derives for the same formula in
`reference.activations`; each line says which terms were left out (second order, underflow).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.arithmetic import ULP
from parity.cheap.layout import Floats

K = 2 * ULP["exp"][0]
"""Units that an elementary function may be off by: K ulp are 2K u."""
K_TANH = 2 * ULP["tanh"][0]


@dataclass(frozen=True)
class Slope:
    """f, f′, and lower bounds of their rounding, with what a's bound carries into f′."""

    function: Callable[[Floats], Floats]
    derivative: Callable[[Floats, Floats], Floats | float]
    rounding: Callable[[Floats, float], Floats | float]  # of a: (a, U)
    derivative_bound: Callable[[Floats, Floats, Floats | float, float], Floats | float]  # (a, f′, B_a, U)
    exact_slope: bool = False


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
        exact_slope=True,
    ),
    "relu": Slope(
        lambda z: np.maximum(z, 0),
        lambda z, a: (z > 0).astype(np.float64),
        lambda a, U: 0.0,
        lambda a, slope, B, U: 0.0,
        exact_slope=True,
    ),
    # e^−z: K u e/(1 + e) = K u (1 − a) relative; then one rounding of 1 + e and one of the reciprocal.
    "sigmoid": Slope(
        _sigmoid,
        lambda z, a: a * (1 - a),
        lambda a, U: a * (U * (K + 2) - (U * K) * a),
        lambda a, slope, B, U: B + (2 * U) * slope,
    ),
    # 1 − a²: u a² of the square, u |1 − a²| of the difference.
    "tanh": Slope(
        np.tanh,
        lambda z, a: 1 - a * a,
        lambda a, U: (K_TANH * U) * np.abs(a),
        lambda a, slope, B, U: 2 * np.abs(a) * B + U * (a * a + np.abs(slope)),
    ),
}
