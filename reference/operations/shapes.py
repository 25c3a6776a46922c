"""Shapes of operands, and what broadcasting did to them."""

from __future__ import annotations

import numpy as np

from reference.arrays import Array


def spread(g: Array, terms: Array) -> Array:
    """One number for all terms, without a copy; other kinds of number than arrays broadcast later."""
    return np.broadcast_to(g, terms.shape) if isinstance(terms, np.ndarray) else g
