"""Upsampling: the nearest number, or a mixture of the nearest two in each axis.

Output p lies at r p in x (nearest), at r(p + ½) (nearest-exact), at r(p + ½) − ½ (linear), or at r p from
corner to corner (`align_corners`). r is n/q for n numbers in and q out, or one over the scale that was
given. PyTorch computes this place in the format of the numbers, so a weight is only as exact as it.

Shapes: x (batch, channels, *sizes) -> y (batch, channels, *output_size).
Source: `torch.nn.functional.interpolate`; ATen/native/UpSample.h and cpu/UpSampleKernel.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial, reduce

import numpy as np

from reference.arrays import Array, certain_nans, scatter_add
from reference.operation import REQUIRED, Operation, Option, Sample, define, reading_options
from reference.operations.places import Sizes, flat, formed

SCALES = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}
"""ATen's names of the scales, by the number of axes."""

TAPS = np.array([-1, 0, 1])
"""The number nearest to a place, and its neighbours: rounding of the place cannot reach beyond them."""

CERTAIN = 2.0**-10
"""A weight above this is not 0 in any rounding of its place. What has the weight 0 may be left out."""


def _ratio(size: int, out: int, scale: float | None) -> float:
    return 1 / scale if scale else size / out


def _nearest(size: int, out: int, scale: float | None, shift: float) -> Array:
    """Which number each output is in an axis; computed in float32, whatever the format of x is."""
    p = np.arange(out)
    if shift == 0 and out in (size, 2 * size):
        return p * size // out  # type: ignore[return-value]  # whole numbers
    place = np.float32(_ratio(size, out, scale)) * (p + np.float32(shift)).astype(np.float32)
    return np.minimum(np.floor(place).astype(np.int64), size - 1)


def _copied(shift: float, x: Array, *, output_size: Sizes, **scales: float | None) -> Array:
    sizes = np.shape(x)[2:]
    chosen = _chosen(sizes, output_size, scales, shift)
    return np.reshape(flat(x, len(sizes))[:, chosen], (*np.shape(x)[:2], *output_size))


def _copied_gradient(
    shift: float, g: Array, x: Array, *, output_size: Sizes, **scales: float | None
) -> Array:
    """Each error goes to the number that was copied, where several meet."""
    shape = np.shape(x)
    chosen = _chosen(shape[2:], output_size, scales, shift)
    rows = np.arange(math.prod(shape[:2]))[:, None]
    cells = (math.prod(shape[:2]), math.prod(shape[2:]))
    return np.reshape(scatter_add(cells, (rows, chosen[None]), flat(g, len(shape) - 2)), shape)


def _chosen(sizes: Sizes, output_size: Sizes, scales: dict[str, float | None], shift: float) -> Array:
    """The number that each output is, counted over the resampled axes."""
    given = [scales[name] for name in SCALES[len(sizes)]]
    along = [_nearest(*axis, shift) for axis in zip(sizes, output_size, given, strict=True)]
    return np.ravel_multi_index(tuple(np.meshgrid(*along, indexing="ij")), sizes).ravel()  # type: ignore[return-value]  # whole numbers


def _axis(x: Array, size: int, out: int, scale: float | None, *, corners: bool) -> tuple[Array, Array]:
    """The numbers that may enter each output of an axis, and their weights, 1 − |place − number| or 0."""
    p = np.arange(out)
    one = np.reshape(x, (-1,))[:1]
    if size == out:
        ratio, offset = 1.0, 0.0
    elif corners:
        ratio, offset = ((size - 1) / (out - 1) if out > 1 else 0.0), 0.0
    else:
        ratio, offset = _ratio(size, out, scale), 0.5
    exact = np.clip((p + offset) * ratio - offset, 0, size - 1)
    numbers = np.rint(exact).astype(np.int64)[:, None] + TAPS
    place = np.full_like(one, ratio) * formed(p + offset, x)
    place = np.minimum(np.maximum(place - offset, 0), size - 1)
    apart = np.absolute(np.reshape(place, (-1, 1)) - formed(1.0 * numbers, x))
    inside = (numbers >= 0) & (numbers < size)
    weights = np.where(inside, np.maximum(1 - apart, 0), 0.0)
    return np.clip(numbers, 0, size - 1), weights


def _mixture(
    x: Array, sizes: Sizes, output_size: Sizes, scales: dict[str, float | None], *, align_corners: bool
) -> tuple[Array, Array]:
    """The numbers that may enter each output, counted over all axes, and their weights: (places, taps)."""
    axes, given = len(sizes), [scales[name] for name in SCALES[len(sizes)]]
    places, weights = [], []
    for axis in range(axes):
        numbers, weight = _axis(x, sizes[axis], output_size[axis], given[axis], corners=align_corners)
        shape = [1] * (2 * axes)
        shape[axis], shape[axes + axis] = output_size[axis], len(TAPS)
        places.append(np.reshape(numbers * math.prod(sizes[axis + 1 :]), shape))
        weights.append(np.reshape(weight, shape))
    flat_shape = (math.prod(output_size), len(TAPS) ** axes)
    return reduce(np.add, places).reshape(flat_shape), np.reshape(reduce(np.multiply, weights), flat_shape)


def _mixed(x: Array, *, output_size: Sizes, align_corners: bool, **scales: float | None) -> Array:
    """y: a sum of products of a weight for each axis and a number."""
    sizes = np.shape(x)[2:]
    places, weights = _mixture(x, sizes, output_size, scales, align_corners=align_corners)
    found = np.add.reduce(flat(x, len(sizes))[:, places] * weights, axis=-1)

    def certain(x: Array, weights: Array) -> Array:
        taken = np.where(weights > 0, flat(x, len(sizes))[:, places], 0.0)
        return np.add.reduce(taken, axis=-1)

    found = certain_nans(found, (x, weights - CERTAIN), certain)
    return np.reshape(found, (*np.shape(x)[:2], *output_size))


def _mixed_gradient(
    g: Array, x: Array, *, output_size: Sizes, align_corners: bool, **scales: float | None
) -> Array:
    """Each error goes to every number of its mixture, by its weight."""
    shape = np.shape(x)
    axes = len(shape) - 2
    places, weights = _mixture(x, shape[2:], output_size, scales, align_corners=align_corners)
    shares = np.expand_dims(flat(g, axes), -1) * weights
    rows = np.arange(math.prod(shape[:2]))[:, None, None]
    cells = (math.prod(shape[:2]), math.prod(shape[2:]))
    index = rows, places[None]

    def certain(g: Array, weights: Array) -> Array:
        return scatter_add(cells, index, np.where(weights > 0, np.expand_dims(flat(g, axes), -1), 0.0))

    found = certain_nans(scatter_add(cells, index, shares), (g, weights - CERTAIN), certain)
    return np.reshape(found, shape)


SIZES = {
    1: ((5, 10), (4, 7), (6, 4), (3, 1), (5, 5)),
    2: (((3, 4), (6, 8)), ((4, 3), (5, 7)), ((5, 6), (3, 4)), ((2, 3), (1, 5)), ((3, 2), (3, 7))),
    3: (((2, 3, 2), (4, 5, 3)), ((3, 2, 4), (2, 4, 4))),
}


def _samples(axes: int, corners: tuple[bool, ...]) -> Iterator[Sample]:
    random = np.random.default_rng(33)
    for sizes, out in SIZES[axes]:
        before = sizes if isinstance(sizes, tuple) else (sizes,)
        after = out if isinstance(out, tuple) else (out,)
        for align in corners:
            options: dict[str, Option] = {"output_size": after}
            options |= {"align_corners": align} if len(corners) > 1 else {}
            yield Sample({"x": random.standard_normal((2, 2, *before))}, options)
    before = (4, 5, 6)[:axes]
    scales = dict(zip(SCALES[axes], (1.7, 2.3, 1.4), strict=False))
    after = tuple(int(size * scale) for size, scale in zip(before, scales.values(), strict=True))
    given: dict[str, Option] = {"output_size": after, **scales}
    given |= {"align_corners": False} if len(corners) > 1 else {}
    yield Sample({"x": random.standard_normal((1, 3, *before))}, given)


def _record(
    name: str, axes: int, value: partial[Array], back: partial[Array], latex: tuple[str, str], mode: str
) -> Operation:
    corners = ("align_corners",) if mode == "linear" else ()
    reads = reading_options(("output_size", *corners, *SCALES[axes]))
    options: dict[str, Option] = {"output_size": REQUIRED, **dict.fromkeys(corners, REQUIRED)}
    order = " ".join(("output_size", *corners, *SCALES[axes]))
    return define(
        name.strip("_"),
        (reads(value), latex[0]),
        {"x": (reads(back), latex[1])},
        operands=("x",),
        options={**options, **dict.fromkeys(SCALES[axes])},
        label="upsample",
        torch="torch.nn.functional.interpolate",
        aten={f"aten.{name}.default": f"x {order} -> y"},
        samples=partial(_samples, axes, (False, True) if corners else (False,)),
    )


NEAREST = (r"x_{\lfloor r p \rfloor}", r"\sum_{p: \, \lfloor r p \rfloor = i} g_p")
LINEAR = (
    r"\sum_i \max(0, 1 - |r_p - i|) \, x_i, \; r_p = r (p + \tfrac12) - \tfrac12",
    r"\sum_p \max(0, 1 - |r_p - i|) \, g_p",
)
LINEAR_NAMES = {1: "upsample_linear1d", 2: "upsample_bilinear2d", 3: "upsample_trilinear3d"}


def _nearest_record(axes: int, *, exact: bool) -> Operation:
    name, shift = (f"_upsample_nearest_exact{axes}d", 0.5) if exact else (f"upsample_nearest{axes}d", 0.0)
    back = partial(_copied_gradient, shift)
    return _record(name, axes, partial(_copied, shift), back, NEAREST, "nearest")


OPERATIONS = (
    *(_nearest_record(axes, exact=exact) for axes in SCALES for exact in (False, True)),
    *(
        _record(name, axes, partial(_mixed), partial(_mixed_gradient), LINEAR, "linear")
        for axes, name in LINEAR_NAMES.items()
    ),
)
