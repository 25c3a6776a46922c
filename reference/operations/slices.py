"""Parts of a tensor: slices, triangles, diagonals, strides. Errors go back to that part, 0 elsewhere.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED
from reference.operations.moved import Sizes, moved
from reference.operations.shapes import sent_back


def _window(rank: int, dim: int, part: slice | int) -> tuple[slice | int, ...]:
    return (*(slice(None),) * (dim % rank), part)


def _slice(x: Array, *, dim: int, start: int | None, end: int | None, step: int) -> Array:
    return x[_window(np.ndim(x), dim, slice(start, end, step))]


def _slice_gradient(
    g: Array, x: Array, *, dim: int, start: int | None, end: int | None, step: int
) -> Array:
    """g where it came from, and 0 elsewhere."""
    size = np.shape(x)[dim]
    first, last, _ = slice(start, end).indices(size)
    if step != 1 or last < first:
        return sent_back(g, x, lambda a: _slice(a, dim=dim, start=start, end=end, step=step))
    width = [(0, 0)] * np.ndim(x)
    width[dim] = (first, size - last)
    return np.pad(g, width)


def _select(x: Array, *, dim: int, index: int) -> Array:
    return x[_window(np.ndim(x), dim, index)]


def _select_gradient(g: Array, x: Array, *, dim: int, index: int) -> Array:
    size, width = np.shape(x)[dim], [(0, 0)] * np.ndim(x)
    width[dim] = (index % size, size - 1 - index % size)
    return np.pad(np.expand_dims(g, dim % np.ndim(x)), width)


def _tril(x: Array, *, diagonal: int) -> Array:
    return np.tril(x, diagonal)


def _tril_gradient(g: Array, *, diagonal: int) -> Array:
    return np.tril(g, diagonal)


def _triu(x: Array, *, diagonal: int) -> Array:
    return np.triu(x, diagonal)


def _triu_gradient(g: Array, *, diagonal: int) -> Array:
    return np.triu(g, diagonal)


def _diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    return np.diagonal(x, offset, dim1, dim2)


def _diagonal_gradient(g: Array, x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    return sent_back(g, x, lambda a: _diagonal(a, offset=offset, dim1=dim1, dim2=dim2))


def _as_strided(x: Array, *, size: Sizes, stride: Sizes, storage_offset: int | None) -> Array:
    """Numbers of x's storage by their distance in it; x is taken to be all of it, in order."""
    places = np.asarray(storage_offset or 0)
    for length, step in zip(size, stride, strict=True):
        places = np.expand_dims(places, -1) + np.arange(length) * step
    return np.take(np.reshape(x, -1), places)


def _as_strided_gradient(
    g: Array, x: Array, *, size: Sizes, stride: Sizes, storage_offset: int | None
) -> Array:
    return sent_back(
        g, x, lambda a: _as_strided(a, size=size, stride=stride, storage_offset=storage_offset)
    )


OPERATIONS = (
    moved(
        "slice",
        _slice,
        _slice_gradient,
        r"x_{a:b:s}",
        r"g \text{ at } a:b:s",
        {"slice.Tensor": "x dim start end step -> y"},
        ((3, 7), {}),
        ((3, 7), {"dim": 1, "start": 1, "end": -1}),
        ((3, 7), {"dim": -1, "start": -3, "end": 100}),
        ((3, 7), {"dim": 1, "start": 1, "end": 6, "step": 2}),
        ((3, 7), {"start": 2, "end": 1}),
        torch="torch.Tensor.__getitem__",
        dim=0,
        start=None,
        end=None,
        step=1,
    ),
    moved(
        "select",
        _select,
        _select_gradient,
        r"x_i",
        r"g \text{ at } i",
        {"select.int": "x dim index -> y"},
        ((3, 4), {"dim": 0, "index": 1}),
        ((2, 3, 4), {"dim": -2, "index": -1}),
        dim=REQUIRED,
        index=REQUIRED,
    ),
    moved(
        "tril",
        _tril,
        _tril_gradient,
        r"x [j \le i + k]",
        r"g [j \le i + k]",
        {"tril.default": "x diagonal -> y"},
        ((3, 4), {}),
        ((2, 3, 4), {"diagonal": -1}),
        ((3, 4), {"diagonal": 2}),
        diagonal=0,
    ),
    moved(
        "triu",
        _triu,
        _triu_gradient,
        r"x [j \ge i + k]",
        r"g [j \ge i + k]",
        {"triu.default": "x diagonal -> y"},
        ((3, 4), {}),
        ((2, 3, 4), {"diagonal": 1}),
        ((3, 4), {"diagonal": -2}),
        diagonal=0,
    ),
    moved(
        "diagonal",
        _diagonal,
        _diagonal_gradient,
        r"x_{i, i + k}",
        r"g \text{ at } (i, i + k)",
        {"diagonal.default": "x offset dim1 dim2 -> y"},
        ((3, 4), {}),
        ((2, 3, 4), {"offset": 1, "dim1": 1, "dim2": 2}),
        ((2, 3, 4), {"offset": -1, "dim1": 2, "dim2": 0}),
        offset=0,
        dim1=0,
        dim2=1,
    ),
    moved(
        "as_strided",
        _as_strided,
        _as_strided_gradient,
        r"x_{o + \sum s_k i_k}",
        r"\sum g",
        {"as_strided.default": "x size stride storage_offset -> y"},
        ((3, 4), {"size": (2, 2), "stride": (4, 1)}),
        ((3, 4), {"size": (2, 3), "stride": (1, 2), "storage_offset": 3}),
        ((6,), {"size": (4, 3), "stride": (1, 1)}),
        ((6,), {"size": (), "stride": (), "storage_offset": 2}),
        size=REQUIRED,
        stride=REQUIRED,
        storage_offset=None,
    ),
)
