"""The inverse of a max pooling: each number at the place where it was the largest, zeros elsewhere.

Indices are data: places in a plane, or in a volume, of y. Where a place is named twice, either number may
stay, and the sample has none such.
Shapes: x and indices (…, *sizes), y (…, *output_size).
Source: `torch.nn.functional.max_unpool2d`; ATen/native/cpu/MaxUnpoolKernel.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from reference.arrays import Array, Data
from reference.operation import REQUIRED, Operation, Option, Sample, define, reading_options

Sizes = tuple[int, ...]


def _flat(x: Array, axes: int) -> Array:
    return np.reshape(x, (math.prod(np.shape(x)[: np.ndim(x) - axes]), -1))


def _unpooled(axes: int, x: Array, indices: Data, *, output_size: Sizes) -> Array:
    numbers, places = _flat(x, axes), _flat(indices, axes)  # type: ignore[arg-type]
    size = math.prod(output_size)
    from_where = np.full((len(places), size), np.size(x))  # whose number each place has
    np.put_along_axis(from_where, places, np.arange(np.size(x)).reshape(np.shape(places)), axis=1)  # type: ignore[arg-type]
    found = np.take(np.concatenate([np.reshape(numbers, -1), np.zeros(1, x.dtype)]), from_where)
    return np.reshape(found, (*np.shape(x)[: np.ndim(x) - axes], *output_size))


def _unpooled_gradient(axes: int, g: Array, indices: Data) -> Array:
    places = _flat(indices, axes)  # type: ignore[arg-type]
    return np.reshape(np.take_along_axis(_flat(g, axes), places, axis=1), np.shape(indices))  # type: ignore[arg-type]


def _samples(axes: int) -> Iterator[Sample]:
    random = np.random.default_rng(70)
    for lead, sizes, out in (
        ((2, 3), (2, 3, 2), (4, 6, 5)),
        ((2,), (3, 2, 2), (5, 4, 4)),
        ((1, 1), (1, 2, 2), (2, 3, 4)),
    ):
        x = random.standard_normal((*lead, *sizes[:axes]))
        planes, size = math.prod(lead), math.prod(out[:axes])
        rows = [random.permutation(size)[: math.prod(sizes[:axes])] for _ in range(planes)]
        options: dict[str, Option] = {"output_size": out[:axes]}
        yield Sample({"x": x, "indices": np.reshape(rows, x.shape)}, options)


def _record(axes: int) -> Operation:
    name, rest = f"max_unpool{axes}d", "" if axes == 2 else " - -"
    return define(
        name,
        (reading_options(("output_size",))(partial(_unpooled, axes)), r"x_p [i_p = j]"),
        {"x": (partial(_unpooled_gradient, axes), r"g_{i_p}")},
        operands=("x", "indices"),
        options={"output_size": REQUIRED},
        label="unpool",
        torch=f"torch.nn.functional.{name}",
        aten={f"aten.{name}.default": f"x indices output_size{rest} -> y"},
        samples=partial(_samples, axes),
    )


OPERATIONS = (_record(2), _record(3))
