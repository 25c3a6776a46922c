"""Bicubic upsampling: a mixture of the nearest four numbers in each axis, by Keys' cubic of their distance.

Output p lies at r (p + ½) − ½ in x, or at r p from corner to corner, as in `resampling`; beyond an edge the
number at the edge stands for those that are not there. The cubic and its slope are continuous where its
pieces meet, so that it does not matter on which side of a number rounding puts a place.
Shapes: x (batch, channels, *sizes) -> y (batch, channels, *output_size).
Source: `torch.nn.functional.interpolate`; ATen/native/UpSample.h; R. G. Keys (1981).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, scatter_add, select
from reference.operation import REQUIRED, Option, Sample, define
from reference.operations.places import Sizes, flat, formed

A = -0.75
"""Of Keys' cubics, PyTorch's."""

TAPS = np.arange(-2, 3)
"""The number nearest to a place, and those less than two from it on either side."""


def _weight(d: Array) -> Array:
    """Keys' cubic of a distance d ≥ 0: one piece up to 1, another up to 2, and 0."""
    near = ((A + 2) * d - (A + 3)) * d * d + 1
    far = ((A * d - 5 * A) * d + 8 * A) * d - 4 * A
    return select(np.less_equal(d, 1), near, select(np.less(d, 2), far, np.zeros_like(d)))


def _axis(x: Array, size: int, out: int, scale: float | None, *, corners: bool) -> tuple[Array, Array]:
    """The numbers that enter each output of an axis, and their weights: (out, taps)."""
    p, offset = np.arange(out), 0.0 if corners else 0.5
    ratio = 1 / scale if scale else size / out
    if corners:
        ratio = (size - 1) / (out - 1) if out > 1 else 0.0
    numbers = np.rint((p + offset) * ratio - offset).astype(np.int64)[:, None] + TAPS
    place = np.full_like(np.reshape(x, (-1,))[:1], ratio) * formed(p + offset, x) - offset
    apart = np.absolute(np.reshape(place, (-1, 1)) - formed(1.0 * numbers, x))
    return np.clip(numbers, 0, size - 1), _weight(apart)


def _mixture(
    x: Array, output_size: Sizes, *, align_corners: bool, scales: tuple[float | None, ...]
) -> tuple[Array, Array]:
    """The numbers that enter each output, counted over both axes, and their weights: (places, taps)."""
    sizes = np.shape(x)[-2:]
    (rows, down), (columns, along) = (
        _axis(x, sizes[i], output_size[i], scales[i], corners=align_corners) for i in (0, 1)
    )
    shape = (math.prod(output_size), len(TAPS) ** 2)
    places = rows[:, None, :, None] * sizes[1] + columns[None, :, None, :]
    weights = np.reshape(down, (output_size[0], 1, -1, 1)) * np.reshape(along, (1, output_size[1], 1, -1))
    return np.reshape(places, shape), np.reshape(weights, shape)


def _mixed(
    x: Array, *, output_size: Sizes, align_corners: bool, scales_h: float | None, scales_w: float | None
) -> Array:
    places, weights = _mixture(x, output_size, align_corners=align_corners, scales=(scales_h, scales_w))
    found = np.add.reduce(flat(x, 2)[:, places] * weights, axis=-1)
    return np.reshape(found, (*np.shape(x)[:2], *output_size))


def _mixed_gradient(
    g: Array,
    x: Array,
    *,
    output_size: Sizes,
    align_corners: bool,
    scales_h: float | None,
    scales_w: float | None,
) -> Array:
    """Each error goes to every number of its mixture, by its weight."""
    places, weights = _mixture(x, output_size, align_corners=align_corners, scales=(scales_h, scales_w))
    shares = np.expand_dims(flat(g, 2), -1) * weights
    shape, planes = np.shape(x), math.prod(np.shape(x)[:2])
    cells = (planes, shape[2] * shape[3])
    return np.reshape(scatter_add(cells, (np.arange(planes)[:, None, None], places[None]), shares), shape)


def _samples() -> Iterator[Sample]:
    random = np.random.default_rng(72)
    for before, after in (
        ((3, 4), (6, 8)),
        ((4, 3), (5, 7)),
        ((5, 6), (3, 4)),
        ((2, 3), (1, 5)),
        ((3, 2), (3, 2)),
    ):
        for align in (False, True):
            x = random.standard_normal((2, 2, *before))
            yield Sample({"x": x}, {"output_size": after, "align_corners": align})
    given: dict[str, Option] = {"output_size": (6, 11), "align_corners": False}
    given |= {"scales_h": 1.7, "scales_w": 2.3}
    yield Sample({"x": random.standard_normal((1, 3, 4, 5))}, given)


BICUBIC = define(
    "upsample_bicubic2d",
    (_mixed, r"\sum_{ij} k(r_p - i) \, k(r_q - j) \, x_{ij}"),
    {"x": (_mixed_gradient, r"\sum_{pq} k(r_p - i) \, k(r_q - j) \, g_{pq}")},
    operands=("x",),
    options={"output_size": REQUIRED, "align_corners": REQUIRED, "scales_h": None, "scales_w": None},
    label="upsample",
    torch="torch.nn.functional.interpolate",
    aten={"aten.upsample_bicubic2d.default": "x output_size align_corners scales_h scales_w -> y"},
    samples=_samples,
)

OPERATIONS = (BICUBIC,)
