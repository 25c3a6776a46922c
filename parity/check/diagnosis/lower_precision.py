"""Arithmetic cheaper than the one declared: what a float64 subject shows that computed in float32."""

from __future__ import annotations

import numpy as np

from parity.bounds.formats import FORMATS, Arithmetic, arithmetic, rounding_each
from reference.arrays import Array


def cheaper(declared: Arithmetic) -> Arithmetic:
    """float32 for float64; IEEE half precision for float32, truths in float64 both times."""
    if declared.dtype == np.dtype(np.float64):
        return arithmetic(np.float32)
    return rounding_each(FORMATS["float16"])


def representable(observed: Array, judge: Arithmetic) -> bool:
    """Whether every number is one that the cheaper format has: what came out of it, not just near it."""
    with np.errstate(all="ignore"):
        rounded = observed.astype(judge.dtype).astype(observed.dtype)
    return bool(np.array_equal(rounded, observed))
