"""Compares tensors bit by bit, and counts how many floats differing numbers are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference.arrays import Array


@dataclass(frozen=True)
class Bits:
    """The bitwise comparison of two tensors of one shape and format.

    `differing` is the count of different numbers, `index` that of the largest difference, and `ulps` the
    number of floats between, None if one is not finite. Near zero, ulps are less meaningful.
    """

    differing: int
    index: tuple[int, ...] | None = None
    ulps: int | None = None


def compare(golden: Array, here: Array) -> Bits:
    """Compare two tensors; −0 differs from 0. Raises ValueError for different shapes or formats."""
    if golden.shape != here.shape or golden.dtype != here.dtype:
        raise ValueError(f"{golden.dtype}{golden.shape} against {here.dtype}{here.shape}")
    p, q = _places(golden), _places(here)
    apart = np.where(p > q, p - q, q - p)
    differing = int(np.count_nonzero(apart))
    if not differing:
        return Bits(0)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(apart), apart.shape))
    finite = bool(np.isfinite(golden[index]) and np.isfinite(here[index]))
    return Bits(differing, index, int(apart[index]) if finite else None)


def _places(floats: Array) -> npt.NDArray[np.unsignedinteger]:
    """Each float's rank among all floats of its format, from −NaN to NaN."""
    unsigned = np.dtype(f"u{floats.dtype.itemsize}")
    bits = np.ascontiguousarray(floats).view(unsigned).reshape(floats.shape)
    sign = unsigned.type(1) << unsigned.type(8 * unsigned.itemsize - 1)
    places: npt.NDArray[np.unsignedinteger] = np.where(bits & sign, ~bits, bits | sign)
    return places
