"""A convolution's sums place by place of the kernel: only terms that there are, and no zero put in.

Not how a convolution is computed here, since that would be slower. It tells which of its sums have a term
that is no number, whatever an algorithm does about padding and strides.

Shapes: x (batch, in, *sizes), W (out, in/groups, *kernel), g (batch, out, *places).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from reference.arrays import Array

Sizes = tuple[int, ...]
Slices = tuple[slice, ...]


@dataclass(frozen=True)
class KernelPlaces:
    """Which number of x a kernel of this size meets with each of its numbers, at each of its places."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    groups: int

    def over_windows(self, x: Array, W: Array) -> Array:
        """Σ_cj W_mcj x_nc(sp + dj − padding), over the numbers that x has."""
        sizes = x.shape[2:]
        places = tuple(
            (size + 2 * q - d * (k - 1) - 1) // s + 1
            for size, k, s, q, d in zip(
                sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        rows, made = self._rows(W), np.zeros((len(x), self.groups, len(W) // self.groups, *places))
        for j, at, met in self._meetings(sizes, places):
            made[:, :, :, *at] += _products(rows[..., j], self._grouped(x)[:, :, :, *met])
        return np.reshape(made, (len(x), len(W), *places))

    def over_turned(self, g: Array, W: Array, sizes: Sizes) -> Array:
        """Σ_mj W_mcj g_nmp over sp + dj − padding = q, for every q of `sizes`."""
        rows, places = self._rows(W), g.shape[2:]
        made = np.zeros((len(g), self.groups, W.shape[1], *sizes))
        for j, at, met in self._meetings(sizes, places):
            turned = np.swapaxes(rows[..., j], 1, 2)
            made[:, :, :, *met] += _products(turned, self._grouped(g)[:, :, :, *at])
        return np.reshape(made, (len(g), self.groups * W.shape[1], *sizes))

    def with_windows(self, g: Array, x: Array) -> Array:
        """Σ_np g_nmp x_nc(sp + dj − padding), over the numbers that x has."""
        grouped_g, grouped_x = self._grouped(g), self._grouped(x)
        made = np.zeros((*grouped_g.shape[1:3], grouped_x.shape[2], prod(self.kernel)))
        for j, at, met in self._meetings(x.shape[2:], g.shape[2:]):
            part = grouped_g[:, :, :, *at], grouped_x[:, :, :, *met]
            left, right = (np.reshape(np.moveaxis(a, 0, 2), (*a.shape[1:3], -1)) for a in part)
            made[..., j] = np.matmul(left, np.swapaxes(right, 1, 2))
        return np.reshape(made, (g.shape[1], -1, *self.kernel))

    def _meetings(self, sizes: Sizes, places: Sizes) -> Iterator[tuple[int, Slices, Slices]]:
        """For each number of the kernel, in C order: the places where it meets one of x, and those."""
        for number, j in enumerate(product(*map(range, self.kernel))):
            each = [
                _met(size, count, s, d * i - q)
                for size, count, s, d, i, q in zip(
                    sizes, places, self.stride, self.dilation, j, self.padding, strict=True
                )
            ]
            if all(at.stop > at.start for at, _ in each):
                yield number, tuple(at for at, _ in each), tuple(met for _, met in each)

    def _grouped(self, x: Array) -> Array:
        return np.reshape(x, (len(x), self.groups, x.shape[1] // self.groups, *x.shape[2:]))

    def _rows(self, W: Array) -> Array:
        return np.reshape(W, (self.groups, len(W) // self.groups, W.shape[1], -1))


def _met(size: int, count: int, stride: int, shift: int) -> tuple[slice, slice]:
    """The places p < count for which 0 ≤ stride p + shift < size, and those numbers."""
    first = max(0, -(shift // stride))
    last = min(count - 1, (size - 1 - shift) // stride)
    start = stride * first + shift
    return slice(first, last + 1), slice(start, max(stride * last + shift + 1, start), stride)


def _products(rows: Array, x: Array) -> Array:
    """(groups, out, in) times (batch, groups, in, *places)."""
    made = np.matmul(rows, np.reshape(x, (*x.shape[:3], -1)))
    return np.reshape(made, (*made.shape[:3], *x.shape[3:]))
