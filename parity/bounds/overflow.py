"""Where a result may be too large for its format: what its bound says then."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]


def guarded(magnitude: Float64s, limit: float | Float64s, bound: Float64s) -> Float64s:
    """`bound`, infinite where an evaluation of this `magnitude` may overflow the side's format."""
    if fits(magnitude, limit):
        return bound
    return np.where(magnitude <= limit, bound, np.inf)


def fits(magnitude: Float64s, limit: float | Float64s) -> bool:
    """Whether no evaluation can overflow."""
    return not magnitude.size or bool(np.all(magnitude <= limit))


def ceiling(
    value: Float64s, magnitude: Float64s, limit: float | Float64s, bound: Float64s
) -> Float64s | None:
    """The most that a sum can be which may overflow, and only to −∞; None where there is none such.

    The terms above zero are at most (Σ|terms| + Σ terms)/2 together, so without overflow; what they meet
    stays −∞ once it is.
    """
    below = ~(magnitude <= limit) & (magnitude + value <= limit) & (value + bound < 0)
    return np.where(below, value + bound, np.nan) if below.any() else None
