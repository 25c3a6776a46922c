"""Pooling: the largest number of each window, or the mean of each.

Which number was the largest is a choice, an output of its own: its place, counted over the pooled axes.

Shapes: x (…, *sizes) -> y (…, *places), and indices as y; what stands in front, batch and channels, is
one batch.
Source: `torch.nn.MaxPool2d`, `torch.nn.AvgPool2d`; ATen/native/Pool.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial, reduce

import numpy as np

from reference.arrays import Array, windows
from reference.operation import REQUIRED, Operation, Option, Sample, define
from reference.operations.places import (
    Places,
    Sizes,
    checked,
    formed,
    largest,
    picked,
    picked_gradient,
    spread_back,
    sums,
)


def _each(option: Sizes, axes: int) -> Sizes:
    """An option for each axis; one number stands for all of them."""
    return tuple(option) * (axes // len(option))


def _windows_of(
    sizes: Sizes, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, *, ceil_mode: bool
) -> Places:
    """The place in x of every number of every window, −1 in the padding: (*places, *kernel).

    With `ceil_mode` a last window may reach beyond the padding, as long as it begins before that.
    """
    axes = len(sizes)
    k, p, d = (_each(option, axes) for option in (kernel_size, padding, dilation))
    s = _each(stride, axes) if stride else k
    places = np.arange(math.prod(sizes)).reshape(sizes)
    for axis, size in enumerate(sizes):
        reach = d[axis] * (k[axis] - 1) + 1
        room = size + 2 * p[axis] - reach
        count = (-(-room // s[axis]) if ceil_mode else room // s[axis]) + 1
        if ceil_mode and (count - 1) * s[axis] >= size + p[axis]:
            count -= 1
        after = (count - 1) * s[axis] + reach - size - p[axis]
        width = [(0, 0)] * axes
        width[axis] = (p[axis], max(after, 0))
        places = np.pad(places, width, constant_values=-1)
        end = p[axis] + size + after
        places = places[(slice(None),) * axis + (slice(end),)]
    return windows(places, k, s, None, d)  # type: ignore[arg-type]  # whole numbers


def _indices(
    axes: int,
    x: Array,
    *,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> Places:
    sizes = np.shape(x)[-axes:]
    return largest(x, _windows_of(sizes, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode), axes)


def _check(
    axes: int,
    x: Array,
    indices: Places,
    *,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> Places:
    sizes = np.shape(x)[-axes:]
    seen = _windows_of(sizes, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return checked(x, indices, seen, axes)


def _counts(
    sizes: Sizes,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    seen: Places,
    *,
    count_include_pad: bool,
) -> Places:
    """What each window's mean divides by: its numbers, with the padding as far as x is padded, or not."""
    axes = len(sizes)
    k, p = _each(kernel_size, axes), _each(padding, axes)
    s = _each(stride, axes) if stride else k
    counts = []
    for axis, size in enumerate(sizes):
        first = np.arange(seen.shape[axis]) * s[axis] - p[axis]
        last = np.minimum(first + k[axis], size + p[axis])
        if not count_include_pad:
            first, last = np.maximum(first, 0), np.minimum(last, size)
        counts.append((last - first).reshape((-1,) + (1,) * (axes - axis - 1)))
    return np.broadcast_to(reduce(np.multiply, counts), seen.shape[:axes])


def _average(
    axes: int,
    x: Array,
    *,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """y: the sum of each window, divided by how many numbers it has."""
    sizes = np.shape(x)[-axes:]
    seen = _windows_of(sizes, kernel_size, stride, padding, (1,), ceil_mode=ceil_mode)
    count = _counts(sizes, kernel_size, stride, padding, seen, count_include_pad=count_include_pad)
    return sums(x, seen, axes) / (formed(count, x) if divisor_override is None else divisor_override)


def _average_gradient(
    axes: int,
    g: Array,
    x: Array,
    *,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """∂L/∂x: each error, divided in the same way, goes to every number of its window."""
    sizes = np.shape(x)[-axes:]
    seen = _windows_of(sizes, kernel_size, stride, padding, (1,), ceil_mode=ceil_mode)
    count = _counts(sizes, kernel_size, stride, padding, seen, count_include_pad=count_include_pad)
    share = g / (formed(count, g) if divisor_override is None else divisor_override)
    return spread_back(share, np.shape(x), seen, axes)


def _samples(axes: int, mean: bool) -> Callable[[], Iterator[Sample]]:  # noqa: FBT001 - which of two tables
    sizes = {2: ((7, 6), (5, 8), (6, 6)), 3: ((4, 5, 4), (5, 3, 6), (4, 4, 4))}[axes]
    kernel = (3, 2, 2)[:axes]

    def samples() -> Iterator[Sample]:
        random = np.random.default_rng(21)

        def sample(lead: Sizes, size: Sizes, **options: Option) -> Sample:
            return Sample({"x": random.standard_normal((*lead, *size))}, options)

        yield sample((2, 3), sizes[0], kernel_size=(2,) * axes)
        yield sample((3,), sizes[1], kernel_size=kernel, stride=(1, 2, 1)[:axes])
        yield sample((2, 2), sizes[0], kernel_size=(3,) * axes, stride=(2,) * axes, padding=(1,) * axes)
        ceil: dict[str, Option] = {"stride": (3,), "padding": (1,), "ceil_mode": True}
        yield sample((1, 2), sizes[2], kernel_size=(2,) * axes, **ceil)
        yield sample((2, 2), sizes[1], kernel_size=(3,), stride=(2,), ceil_mode=True)
        if mean:
            inner: dict[str, Option] = {"padding": (1, 0, 1)[:axes], "count_include_pad": False}
            yield sample((2, 2), sizes[2], kernel_size=(3, 2, 3)[:axes], stride=(2, 1, 2)[:axes], **inner)
            yield sample((2, 2), sizes[2], kernel_size=(2,), divisor_override=3)
        else:
            yield sample((2, 2), sizes[2], kernel_size=(2,), stride=(1,), dilation=(2,) * axes)

    return samples


def _max_pool(axes: int) -> Operation:
    name = f"max_pool{axes}d"
    aten = f"aten.{name}_with_indices.default"
    return define(
        name,
        {
            "indices": (partial(_indices, axes), r"\operatorname{arg\,max}_j x_{s p + d j - q}"),
            "y": (partial(picked, axes), r"\max_j x_{s p + d j - q}"),
        },
        {"x": (partial(picked_gradient, axes), r"\sum_{p: \, i_p = i} g_p")},
        operands=("x",),
        options={
            "kernel_size": REQUIRED,
            "stride": (),
            "padding": (0,),
            "dilation": (1,),
            "ceil_mode": False,
        },
        choices={"indices": partial(_check, axes)},
        label="max pool",
        torch=f"torch.nn.functional.{name}",
        aten={aten: "x kernel_size stride padding dilation ceil_mode -> y indices"},
        samples=_samples(axes, False),  # noqa: FBT003 - which of two tables
    )


def _avg_pool(axes: int) -> Operation:
    name = f"avg_pool{axes}d"
    options = "kernel_size stride padding ceil_mode count_include_pad divisor_override"
    return define(
        name,
        (partial(_average, axes), r"\frac{1}{n_p} \sum_j x_{s p + j - q}"),
        {"x": (partial(_average_gradient, axes), r"\sum_{p \ni i} \frac{g_p}{n_p}")},
        operands=("x",),
        options={
            "kernel_size": REQUIRED,
            "stride": (),
            "padding": (0,),
            "ceil_mode": False,
            "count_include_pad": True,
            "divisor_override": None,
        },
        label="mean pool",
        torch=f"torch.nn.functional.{name}",
        aten={f"aten.{name}.default": f"x {options} -> y"},
        samples=_samples(axes, True),  # noqa: FBT003 - which of two tables
    )


OPERATIONS = tuple(make(axes) for make in (_max_pool, _avg_pool) for axes in (2, 3))
