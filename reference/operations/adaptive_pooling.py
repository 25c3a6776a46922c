"""Adaptive pooling: an axis of n numbers in q parts, of which the i-th is ⌊i n/q⌋ to ⌈(i + 1) n/q⌉ − 1.

Shapes: x (…, *sizes) -> y (…, *output_size).
Source: `torch.nn.AdaptiveAvgPool2d`, `torch.nn.AdaptiveMaxPool2d`; ATen/native/AdaptivePooling.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED, Operation, Sample, define
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


def _parts(size: int, parts: int) -> tuple[Places, Places]:
    """The first place of each part of an axis, and the one after its last."""
    i = np.arange(parts)
    return i * size // parts, -(-(i + 1) * size // parts)  # type: ignore[return-value]  # whole numbers


def _seen(sizes: Sizes, output_size: Sizes) -> Places:
    """The place of every number of every part, and −1 up to the size of the largest: (*parts, *largest)."""
    axes = len(sizes)
    places, inside = [], []
    for axis, (size, parts) in enumerate(zip(sizes, output_size, strict=True)):
        first, end = _parts(size, parts)
        along = first[:, None] + np.arange(max(int(np.max(end - first)), 1))
        shape = [1] * (2 * axes)
        shape[axis], shape[axes + axis] = along.shape
        places.append(np.reshape(along, shape))
        inside.append(np.reshape(along < end[:, None], shape))
    steps = [int(np.prod(sizes[axis + 1 :])) for axis in range(axes)]
    place = sum(step * along for step, along in zip(steps, places, strict=True))
    return np.where(reduce(np.logical_and, inside), place, -1)


def _divided(total: Array, sizes: Sizes, output_size: Sizes) -> Array:
    """Σ/k for the size k of each part, axis by axis: each is a division of its own, as in PyTorch."""
    for axis, (size, parts) in enumerate(zip(sizes, output_size, strict=True)):
        first, end = _parts(size, parts)
        total = total / formed(np.reshape(end - first, (-1, *(1,) * (len(sizes) - axis - 1))), total)
    return total


def _average(axes: int, x: Array, *, output_size: Sizes) -> Array:
    """y: the mean of each part."""
    sizes = np.shape(x)[-axes:]
    return _divided(sums(x, _seen(sizes, output_size), axes), sizes, output_size)


def _average_gradient(axes: int, g: Array, x: Array, *, output_size: Sizes) -> Array:
    """∂L/∂x: each error, divided in the same way, goes to every number of its part."""
    sizes = np.shape(x)[-axes:]
    share = _divided(g, sizes, output_size)
    return spread_back(share, np.shape(x), _seen(sizes, output_size), axes)


def _indices(axes: int, x: Array, *, output_size: Sizes) -> Places:
    return largest(x, _seen(np.shape(x)[-axes:], output_size), axes)


def _check(axes: int, x: Array, indices: Places, *, output_size: Sizes) -> Places:
    return checked(x, indices, _seen(np.shape(x)[-axes:], output_size), axes)


def _samples(axes: int) -> Callable[[], Iterator[Sample]]:
    def samples() -> Iterator[Sample]:
        random = np.random.default_rng(22)
        for lead, sizes, parts in (
            ((2, 3), (7, 5, 4), (3, 2, 2)),
            ((3,), (4, 6, 5), (4, 4, 3)),
            ((1, 2), (5, 3, 4), (1, 1, 1)),
            ((2, 2), (3, 4, 2), (5, 6, 3)),
        ):
            x = random.standard_normal((*lead, *sizes[:axes]))
            yield Sample({"x": x}, {"output_size": parts[:axes]})

    return samples


def _mean_pool(axes: int) -> Operation:
    return define(
        f"adaptive_avg_pool{axes}d",
        (partial(_average, axes), r"\frac{1}{n_p} \sum_{i \in p} x_i"),
        {"x": (partial(_average_gradient, axes), r"\sum_{p \ni i} \frac{g_p}{n_p}")},
        operands=("x",),
        options={"output_size": REQUIRED},
        label="mean pool",
        torch=f"torch.nn.functional.adaptive_avg_pool{axes}d",
        aten={f"aten._adaptive_avg_pool{axes}d.default": "x output_size -> y"},
        samples=_samples(axes),
    )


def _max_pool(axes: int) -> Operation:
    return define(
        f"adaptive_max_pool{axes}d",
        {
            "indices": (partial(_indices, axes), r"\operatorname{arg\,max}_{i \in p} x_i"),
            "y": (partial(picked, axes), r"\max_{i \in p} x_i"),
        },
        {"x": (partial(picked_gradient, axes), r"\sum_{p: \, i_p = i} g_p")},
        operands=("x",),
        options={"output_size": REQUIRED},
        choices={"indices": partial(_check, axes)},
        label="max pool",
        torch=f"torch.nn.functional.adaptive_max_pool{axes}d",
        aten={f"aten.adaptive_max_pool{axes}d.default": "x output_size -> y indices"},
        samples=_samples(axes),
    )


OPERATIONS = tuple(make(axes) for make in (_mean_pool, _max_pool) for axes in (2, 3))
