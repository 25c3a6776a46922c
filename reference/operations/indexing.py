"""Numbers found by an index: rows of a table, cells of a tensor. Errors that meet in a cell add up.

Indices are data. Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Data, scatter_add
from reference.operation import REQUIRED, Sample, UnreadArgumentError, define
from reference.operations.shapes import along, lined

Index = tuple[Data | slice, ...]

INDICES = "*indices"


def _embedding(W: Array, indices: Data) -> Array:
    """The rows that `indices` name. Shapes: W (rows, size), indices any -> (…, size)."""
    return np.take(W, indices, axis=0)  # type: ignore[arg-type]


def _embedding_gradient(
    g: Array, W: Array, indices: Data, *, padding_idx: int, scale_grad_by_freq: bool, sparse: bool
) -> Array:
    """Each row's errors added up; none to the row of padding. By frequency: their mean."""
    if sparse:
        raise UnreadArgumentError("sparse")
    rows = np.reshape(indices, -1)
    errors = np.reshape(g, (-1, np.shape(W)[1]))
    if scale_grad_by_freq:
        counts = np.bincount(rows, minlength=np.shape(W)[0])[rows]
        errors = errors / np.expand_dims(counts.astype(g.dtype), -1)
    kept = rows != padding_idx
    return scatter_add(np.shape(W), (rows[kept],), errors[kept])


def _all_of(indices: tuple[Data | None, ...]) -> Index:
    return tuple(slice(None) if index is None else index for index in indices)


def _index(x: Array, *indices: Data | None) -> Array:
    return x[_all_of(indices)]


def _index_gradient(g: Array, x: Array, *indices: Data | None) -> Array:
    return scatter_add(np.shape(x), _all_of(indices), g)


def _along(x: Array, dim: int, index: Data) -> Index:
    """All of x along each axis, and along `dim` what the index names."""
    return (*(slice(None),) * (dim % np.ndim(x)), index)


def _index_select(x: Array, index: Data, *, dim: int) -> Array:
    found = np.take(lined(x), index, axis=dim)  # type: ignore[arg-type]
    return found if np.ndim(x) else np.reshape(found, ())


def _index_select_gradient(g: Array, x: Array, index: Data, *, dim: int) -> Array:
    line = lined(x)
    errors = g if np.ndim(x) else np.reshape(g, np.shape(index))
    return np.reshape(scatter_add(np.shape(line), _along(line, dim, index), errors), np.shape(x))


def _gather(x: Array, index: Data, *, dim: int) -> Array:
    """y_ijk = x at index_ijk along `dim`, and at i, j, k along the other axes."""
    line, places = lined(x), lined(index)
    return np.reshape(line[along(places, np.shape(line), dim)], np.shape(index))


def _gather_gradient(g: Array, x: Array, index: Data, *, dim: int, sparse_grad: bool) -> Array:
    if sparse_grad:
        raise UnreadArgumentError("sparse_grad")
    if np.size(index) == 0:  # of any shape
        return np.zeros_like(x)
    line, places = lined(x), lined(index)
    errors = np.reshape(g, np.shape(places))
    found = scatter_add(np.shape(line), along(places, np.shape(line), dim), errors)
    return np.reshape(found, np.shape(x))


def _masked_select(x: Array, mask: Data) -> Array:
    shape = np.broadcast_shapes(np.shape(x), np.shape(mask))
    return np.broadcast_to(x, shape)[np.broadcast_to(mask, shape)]


def _masked_select_gradient(g: Array, x: Array, mask: Data) -> Array:
    places = np.broadcast_to(
        np.arange(np.size(x)).reshape(np.shape(x)), np.broadcast_shapes(np.shape(x), np.shape(mask))
    )
    chosen = places[np.broadcast_to(mask, places.shape)]
    return np.reshape(scatter_add((np.size(x),), (chosen,), g), np.shape(x))


def _nonzero(x: Array) -> Array:
    """Where x holds, in order: one row of indices each."""
    if x.dtype != np.bool_:
        raise UnreadArgumentError("nonzero of numbers")
    return np.argwhere(x)  # type: ignore[return-value]  # numbers of a tensor, which are data


def _truths() -> Iterator[Sample]:
    x = np.random.default_rng(59).standard_normal((3, 4))
    yield Sample({"x": x > 0.3})
    yield Sample({"x": x > 9})


def _rows() -> Iterator[Sample]:
    rng = np.random.default_rng(44)
    W = rng.standard_normal((5, 3))
    for options in ({}, {"padding_idx": 2}, {"scale_grad_by_freq": True}):
        yield Sample({"W": W, "indices": rng.integers(0, 5, (2, 4))}, options)
        yield Sample({"W": W, "indices": np.array([2, 2, 1, 2])}, options)
    yield Sample({"W": W, "indices": np.asarray(3)})


def _cells() -> Iterator[Sample]:
    rng = np.random.default_rng(45)
    x = rng.standard_normal((4, 3, 5))
    one, other = rng.integers(0, 4, (2, 3)), rng.integers(-3, 3, 3)
    for indices in (
        (one,),
        (None, other),
        (one, other),
        (one, None, other),
        (x > 0,),
        (x[..., 0] > 0,),
        (None, x[0] > 0),
        (x > 9,),
    ):
        yield Sample({"x": x, INDICES: indices})
    yield Sample({"x": np.arange(6), INDICES: (one,)})


def _chosen() -> Iterator[Sample]:
    rng = np.random.default_rng(46)
    x = rng.standard_normal((3, 4, 2))
    for dim in (0, 1, -1):
        yield Sample({"x": x, "index": rng.integers(0, x.shape[dim], 5)}, {"dim": dim})


def _gathered() -> Iterator[Sample]:
    rng = np.random.default_rng(47)
    x = rng.standard_normal((3, 4, 2))
    for dim, shape in ((0, (5, 4, 2)), (1, (3, 2, 2)), (-1, (2, 4, 6))):
        yield Sample({"x": x, "index": rng.integers(0, x.shape[dim], shape)}, {"dim": dim})


def _masks() -> Iterator[Sample]:
    rng = np.random.default_rng(48)
    x = rng.standard_normal((3, 4))
    yield Sample({"x": x, "mask": x > 0})
    yield Sample({"x": x, "mask": x[:, :1] > 0})
    yield Sample({"x": x, "mask": rng.standard_normal((2, 1, 4)) > 0})


OPERATIONS = (
    define(
        "embedding",
        (_embedding, r"W_{i}"),
        {"W": (_embedding_gradient, r"\sum_{k: i_k = r} g_k")},
        options={"padding_idx": -1, "scale_grad_by_freq": False, "sparse": False},
        torch="torch.nn.functional.embedding",
        aten={"aten.embedding.default": "W indices padding_idx scale_grad_by_freq sparse -> y"},
        learned={"W": "weight"},
        samples=_rows,
    ),
    define(
        "index",
        (_index, r"x_{i, j, \dots}"),
        {"x": (_index_gradient, r"\sum_{k: i_k = r} g_k")},
        torch="torch.Tensor.__getitem__",
        aten={"aten.index.Tensor": "x *indices -> y"},
        samples=_cells,
    ),
    define(
        "index_select",
        (_index_select, r"x_i"),
        {"x": (_index_select_gradient, r"\sum_{k: i_k = r} g_k")},
        options={"dim": REQUIRED},
        torch="torch.index_select",
        aten={"aten.index_select.default": "x dim index -> y"},
        samples=_chosen,
    ),
    define(
        "gather",
        (_gather, r"x_{i_{jk}, k}"),
        {"x": (_gather_gradient, r"\sum_{k: i_k = r} g_k")},
        options={"dim": REQUIRED, "sparse_grad": False},
        torch="torch.gather",
        aten={"aten.gather.default": "x dim index sparse_grad -> y"},
        samples=_gathered,
    ),
    define(
        "masked_select",
        (_masked_select, r"x_{m}"),
        {"x": (_masked_select_gradient, r"g \text{ at } m")},
        torch="torch.masked_select",
        aten={"aten.masked_select.default": "x mask -> y"},
        samples=_masks,
    ),
    define(
        "nonzero",
        (_nonzero, r"\{i : x_i\}"),
        {},
        torch="torch.nonzero",
        aten={"aten.nonzero.default": "x -> y"},
        samples=_truths,
    ),
)
