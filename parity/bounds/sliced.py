"""Products of longdoubles by a few products of doubles, as exact as the contract of longdouble demands.

numpy multiplies matrices of longdoubles one number at a time. Here each operand is a sum of doubles,

    A = A₁ + A₂ + Aₗ,  B = B₁ + B₂ + Bₗ

after its rows (columns) are scaled by powers of 2 to numbers below 1. Aₗ is what a double cannot hold,
|Aₗ| ≤ u|A|, u = 2⁻⁵³. A₁ holds multiples of 2^−β, |A₂| ≤ 2^−β/2 (Rump's extraction: adding and subtracting
1.5 · 2^(52−β) rounds to such a multiple). With k 2^2β ≤ 2⁵³, every partial sum of A₁B₁ is a multiple of
2^−2β and at most k: it is a double, and A₁B₁ is exact in any order of summation. The rest,

    C = A₁B₂ + A₂(B₁ + B₂) + Aₗ(B₁ + B₂) + (A₁ + A₂)Bₗ,

is computed in doubles, with an error of at most γ_{k+3}(u) times the same products of magnitudes; AₗBₗ is
left out. With G = |A₁||B₂| + |A₂||B| and M = |A||B|, and γ_{k+3} ≤ (k + 4)u,

    |C computed − C| + |AₗBₗ| ≤ (k + 4)u G + (2k + 9)u² M.

Adding C to A₁B₁ in longdouble rounds once, v|T| ≤ v M with v = 2⁻⁶⁴. A product of k terms in longdouble is
allowed k v M, so that this one is as good if the line above is at most (k − 1)v M. It is asked of twice
the first term and half the allowance, which covers the rounding of G and M themselves. Where it does not
hold, or a number is so small beside its row that a product might underflow, longdoubles are multiplied.
References: Rump, Ogita, Oishi, Accurate floating-point summation I, 2008; Ozaki et al., 2012.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds.branches import is_recorded

Values: TypeAlias = npt.NDArray[Any]

WORTH = 1 << 13
"""Products of two numbers in one matrix product from which slices are quicker."""

SMALLEST = 2.0**-400
"""A number that is smaller beside the largest of its row might underflow in a product of slices."""

FARTHEST = 1000
"""The largest exponent of a scale; 2 to its power is a double, and so is the reciprocal."""

U, V = 2.0**-53, 2.0**-64


def product(x: Values, y: Values) -> Values:
    """x @ y; of large arrays of longdoubles by slices."""
    if is_recorded(x) or is_recorded(y) or min(x.ndim, y.ndim) < 2 or not worth_slicing(x, y):
        return x @ y
    out = np.empty((*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]), x.dtype)
    SlicedProduct(x, y, out, (_lowered(x), _lowered(y)))()
    return out


def worth_slicing(x: Values, y: Values) -> bool:
    """Whether slices are quicker than longdoubles, if it is longdoubles that are multiplied."""
    k = x.shape[-1]
    return x.dtype == y.dtype == np.longdouble and k > 1 and x.shape[-2] * k * y.shape[-1] >= WORTH


def _lowered(x: Values) -> Values | None:
    """The doubles that hold all numbers of an array exactly, if there are some."""
    lowered = x.astype(np.float64)
    return lowered if np.array_equal(lowered, x) else None


class SlicedProduct:
    """`out` = x @ y of longdoubles; `lowered` are doubles that hold x, or y, exactly, or None."""

    def __init__(
        self, x: Values, y: Values, out: Values, lowered: tuple[Values | None, Values | None]
    ) -> None:
        self._x, self._y, self._out = x, y, out
        k = x.shape[-1]
        self._beta = (53 - math.ceil(math.log2(k))) // 2
        self._left = _Operand(x, lowered[0], -1, self._beta)
        self._right = _Operand(y, lowered[1], -2, self._beta)
        self._rest, self._part, self._doubt = (np.empty(out.shape) for _ in range(3))
        self._magnitude = np.empty(out.shape)
        self._slope = 2 * (k + 4) * U
        self._room = (k - 1) * V / 2 - 4 * (2 * k + 9) * U**2

    def __call__(self) -> None:
        x, y, part, rest = self._left, self._right, self._part, self._rest
        if not (x.cut() and y.cut() and self._exact_enough()):
            np.matmul(self._x, self._y, self._out)
            return
        np.matmul(x.first, y.second, rest)
        np.matmul(x.second, y.whole, part)
        np.add(rest, part, rest)
        if x.low is not None:
            np.matmul(x.low, y.whole, part)
            np.add(rest, part, rest)
        if y.low is not None:
            np.matmul(x.whole, y.low, part)
            np.add(rest, part, rest)
        np.matmul(x.first, y.first, part)
        np.add(part, rest, self._out, dtype=self._out.dtype)
        np.multiply(self._out, x.scale, self._out)
        np.multiply(self._out, y.scale, self._out)

    def _exact_enough(self) -> bool:
        """Whether the error is within the allowance, for every number."""
        x, y, doubt, part = self._left, self._right, self._doubt, self._part
        np.matmul(x.size, y.size, self._magnitude)
        np.matmul(x.size_of(x.first), y.size_of(y.second), doubt)
        np.matmul(x.size_of(x.second), y.size, part)
        np.add(doubt, part, doubt)
        np.multiply(doubt, self._slope, doubt)
        np.multiply(self._magnitude, self._room, part)
        return bool((doubt <= part).all())


class _Operand:
    """One operand in slices; `axis` is the one that is summed over."""

    def __init__(self, exact: Values, lowered: Values | None, axis: int, beta: int) -> None:
        self._source = exact if lowered is None else lowered
        self._axis = axis
        self._scaled = np.empty_like(self._source)
        self.whole, self.first, self.second, self.size, self._scratch = (
            np.empty_like(exact, dtype=np.float64) for _ in range(5)
        )
        self.low = np.empty_like(self.whole) if lowered is None else None
        self._sigma, self._one = 1.5 * 2.0 ** (52 - beta), exact.dtype.type(1)

    def cut(self) -> bool:
        """Take the operand in; False if it is not finite, or has numbers too small beside the largest."""
        whole, scaled, scratch = self.whole, self._scaled, self._scratch
        np.absolute(self._source, scaled)
        largest = np.maximum.reduce(scaled, axis=self._axis, keepdims=True)
        if not largest.max() < np.inf:
            return False
        exponents = np.frexp(largest)[1]
        if not np.abs(exponents).max() < FARTHEST:
            return False
        self.scale = np.ldexp(self._one, exponents)
        np.multiply(self._source, np.ldexp(self._one, -exponents).astype(scaled.dtype), scaled)
        np.copyto(whole, scaled, "same_kind")
        np.absolute(whole, self.size)
        if ((self.size < SMALLEST) & (scaled != 0)).any():
            return False
        if self.low is not None:
            np.subtract(scaled, whole, scaled)
            np.copyto(self.low, scaled, "same_kind")
        np.add(whole, self._sigma, scratch)
        np.subtract(scratch, self._sigma, self.first)
        np.subtract(whole, self.first, self.second)
        return True

    def size_of(self, slice_: Values) -> Values:
        """|slice|, in a buffer that the next call writes over."""
        return np.absolute(slice_, self._scratch)
