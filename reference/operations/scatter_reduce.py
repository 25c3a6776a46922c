"""Numbers put into a tensor by an index and combined there: their sum, mean, largest or smallest.

Indices are data. Source: `torch.Tensor.scatter_reduce`; `scatter_reduce_backward` in FunctionsManual.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Data, scatter_add, select
from reference.operation import REQUIRED, Sample, UnreadArgumentError, define
from reference.operations.shapes import along, lined

Place = tuple[Data, ...]


def _placed(x: Array, index: Data, src: Array, dim: int) -> tuple[Array, Place, Array]:
    """x and the part of src that is put, as lines at least, and where it is put."""
    line, places = lined(x), lined(index)
    part = lined(src)[tuple(slice(size) for size in np.shape(places))]
    return line, along(places, np.shape(line), dim), part


def _counts(line: Array, places: Place, *, include_self: bool) -> Data:
    """How many numbers each cell combines; at least 1, its own where nothing is put."""
    counts = np.full(np.shape(line), int(include_self))
    np.add.at(counts, places, 1)  # type: ignore[arg-type]
    return np.maximum(counts, 1)


def _own(line: Array, places: Place, *, include_self: bool) -> Array:
    """Where a cell's own number takes part: everywhere, or where nothing is put."""
    takes = np.ones(np.shape(line), bool)
    if not include_self:
        takes[places] = False
    return takes


def _combined(x: Array, index: Data, src: Array, *, dim: int, reduce: str, include_self: bool) -> Array:
    line, places, part = _placed(x, index, src, dim)
    own = _own(line, places, include_self=include_self)
    if reduce in ("sum", "mean"):
        found = np.where(own, line, 0.0) + scatter_add(np.shape(line), places, part)
        if reduce == "mean":
            found = found / _counts(line, places, include_self=include_self).astype(line.dtype)
    elif reduce in ("amax", "amin"):
        found = _extreme(line, places, part, own, largest=reduce == "amax")
    else:
        raise UnreadArgumentError("reduce={value}", value=repr(reduce))
    return np.reshape(found, np.shape(x))


def _extreme(line: Array, places: Place, part: Array, own: Array, *, largest: bool) -> Array:
    """The largest of each cell's numbers, laid out beside each other: as many layers as the fullest has."""
    cells = np.ravel_multi_index(np.broadcast_arrays(*places), np.shape(line)).ravel()
    order = np.argsort(cells, kind="stable")
    ranks = np.empty(len(cells), int)
    ranks[order] = np.arange(len(cells)) - np.searchsorted(cells[order], cells[order])
    layers = 1 + int(np.max(ranks, initial=-1)) + 1
    size = int(np.prod(np.shape(line)))
    which = np.full((layers, size), size + len(cells))
    which[0] = np.where(np.reshape(own, -1), np.arange(size), size + len(cells))
    which[1 + ranks, cells] = size + np.arange(len(cells))
    nothing = np.full((1,), -np.inf if largest else np.inf)
    numbers = np.concatenate([np.reshape(line, -1), np.reshape(part, -1), nothing.astype(line.dtype)])
    laid = np.take(numbers, which)
    return np.reshape(np.max(laid, axis=0) if largest else np.min(laid, axis=0), np.shape(line))


def _shares(
    g: Array, x: Array, index: Data, src: Array, y: Array, dim: int, reduce: str, *, include_self: bool
) -> tuple[Array, Array, Place, Array]:
    """g as it is shared in each cell; where x takes part; where numbers are put, and which take part."""
    line, places, part = _placed(x, index, src, dim)
    own, errors = _own(line, places, include_self=include_self), lined(g)
    if reduce == "mean":
        errors = errors / _counts(line, places, include_self=include_self).astype(line.dtype)
    elif reduce in ("amax", "amin"):
        best, there = lined(y), lined(y)[places]
        mine = select(np.equal(line, best), np.ones_like(line), np.zeros_like(line))
        theirs = select(np.equal(part, there), np.ones_like(part), np.zeros_like(part))
        mine = np.where(own, mine, 0.0)
        many = mine + scatter_add(np.shape(line), places, theirs)
        return errors / many, mine, places, theirs
    elif reduce != "sum":
        raise UnreadArgumentError("reduce={value}", value=repr(reduce))
    return errors, own.astype(line.dtype), places, np.ones(np.shape(part), line.dtype)


def _x_gradient(
    g: Array, x: Array, index: Data, src: Array, y: Array, *, dim: int, reduce: str, include_self: bool
) -> Array:
    errors, mine, _, _ = _shares(g, x, index, src, y, dim, reduce, include_self=include_self)
    return np.reshape(errors * mine, np.shape(x))


def _src_gradient(
    g: Array, x: Array, index: Data, src: Array, y: Array, *, dim: int, reduce: str, include_self: bool
) -> Array:
    """Of a src that has the index's shape, as PyTorch wants it where it is differentiated."""
    errors, _, places, theirs = _shares(g, x, index, src, y, dim, reduce, include_self=include_self)
    return np.reshape(errors[places] * theirs, np.shape(src))


def _samples() -> Iterator[Sample]:
    rng = np.random.default_rng(69)
    for reduce in ("sum", "mean", "amax", "amin"):
        for dim, include_self in ((0, True), (1, False), (-1, True)):
            x, src = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 4, 2))
            index = rng.integers(0, (3, 4, 2)[dim], (3, 4, 2))
            options = {"dim": dim, "reduce": reduce, "include_self": include_self}
            yield Sample({"x": x, "index": index, "src": src}, options)


SCATTER_REDUCE = define(
    "scatter_reduce",
    (_combined, r"\operatorname{reduce}(x_c, s_k: i_k = c)"),
    {
        "x": (_x_gradient, r"g \frac{\partial y}{\partial x}"),
        "src": (_src_gradient, r"g_i \frac{\partial y_i}{\partial s}"),
    },
    operands=("x", "index", "src"),
    options={"dim": REQUIRED, "reduce": REQUIRED, "include_self": True},
    torch="torch.Tensor.scatter_reduce",
    aten={"aten.scatter_reduce.two": "x dim index src reduce include_self -> y"},
    samples=_samples,
)

OPERATIONS = (SCATTER_REDUCE,)
