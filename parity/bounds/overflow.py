"""Bounds of results that may overflow their format."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds.branches import everywhere, somewhere

Float64s: TypeAlias = npt.NDArray[np.float64]


def guarded(magnitude: Float64s, limit: float | Float64s, bound: Float64s) -> Float64s:
    """`bound`, but infinite where an evaluation of this `magnitude` may overflow the side's format."""
    if fits(magnitude, limit):
        return bound
    return np.where(magnitude <= limit, bound, np.inf)


def fits(magnitude: Float64s, limit: float | Float64s) -> bool:
    """Whether no evaluation can overflow."""
    return not magnitude.size or bool(everywhere(magnitude <= limit))


def ceiling(
    value: Float64s, magnitude: Float64s, limit: float | Float64s, bound: Float64s
) -> Float64s | None:
    """Upper bound of sums that may overflow, but only to −∞; None if there are none.

    The positive terms add up to at most (Σ|terms| + Σ terms)/2, without overflow; a partial sum that is
    −∞ stays −∞.
    """
    below = ~(magnitude <= limit) & (magnitude + value <= limit) & (value + bound < 0)
    return np.where(below, value + bound, np.nan) if somewhere(below) else None
