"""Numbers put into a tensor by an index: in the place of what was there, or added to it.

Indices are data; where two numbers are put into one cell, PyTorch says that either may stay, and so the
sample has none such. Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Data, Scalar, scatter_add
from reference.operation import REQUIRED, Sample, define
from reference.operations.shapes import along, lined, summed_to

Index = tuple[Data | slice, ...]

INDICES = "*indices"


def _replaced(x: Array, index: Index, values: Scalar) -> Array:
    """x, with `values`, which broadcast, in the cells of the index."""
    size, shape = np.size(x), np.shape(x)
    places = np.arange(size).reshape(shape)
    cells = np.shape(places[index])
    spread = np.broadcast_to(
        np.full_like(x[index], values) if isinstance(values, float | int) else values, cells
    )
    places[index] = size + np.arange(np.size(spread)).reshape(cells)
    return np.take(np.concatenate([np.reshape(x, -1), np.reshape(spread, -1)]), places)


def _hit(x: Array, index: Index) -> Data:
    """Which cells the index names."""
    cells = np.zeros(np.shape(x), bool)
    cells[index] = True
    return cells


def _at(x: Array, *indices: Data | None) -> Index:
    return tuple(slice(None) if index is None else index for index in indices)


def _put(x: Array, values: Array, *indices: Data | None, accumulate: bool) -> Array:
    index = _at(x, *indices)
    if not accumulate:
        return _replaced(x, index, values)
    cells = np.shape(np.empty(np.shape(x), bool)[index])
    return x + scatter_add(np.shape(x), index, np.broadcast_to(values, cells))


def _put_x_gradient(g: Array, x: Array, *indices: Data | None, accumulate: bool) -> Array:
    return g if accumulate else np.where(_hit(x, _at(x, *indices)), 0.0, g)


def _put_values_gradient(g: Array, values: Array, *indices: Data | None) -> Array:
    return summed_to(g[_at(g, *indices)], values)


def _part(src: Array, index: Data) -> Array:
    """The part of src that has the index's shape."""
    return src[tuple(slice(size) for size in np.shape(index))]


def _scatter(x: Array, index: Data, src: Scalar, *, dim: int) -> Array:
    values = src if isinstance(src, float | int) else _part(src, index)
    return _replaced(x, along(index, np.shape(x), dim), values)


def _scatter_x_gradient(g: Array, x: Array, index: Data, *, dim: int) -> Array:
    return np.where(_hit(x, along(index, np.shape(x), dim)), 0.0, g)


def _scatter_src_gradient(g: Array, index: Data, *, dim: int) -> Array:
    """g at the index, whose shape PyTorch wants src to have, where that is differentiated."""
    return g[along(index, np.shape(g), dim)]


def _scatter_add(x: Array, index: Data, src: Array, *, dim: int) -> Array:
    return x + scatter_add(np.shape(x), along(index, np.shape(x), dim), _part(src, index))


def _same(g: Array) -> Array:
    return np.positive(g)


def _times(x: Array, factor: float) -> Array:
    return x if factor == 1 else x * factor


def _along(x: Array, dim: int, index: Data) -> Index:
    return (*(slice(None),) * (dim % np.ndim(x)), index)


def _index_add(x: Array, index: Data, source: Array, *, dim: int, alpha: float) -> Array:
    line = lined(x)
    added = scatter_add(np.shape(line), _along(line, dim, index), _times(lined(source), alpha))
    return x + np.reshape(added, np.shape(x))


def _taken(g: Array, index: Data, dim: int, source: Array) -> Array:
    return np.reshape(np.take(lined(g), index, axis=dim), np.shape(source))  # type: ignore[arg-type]


def _index_add_source_gradient(g: Array, index: Data, source: Array, *, dim: int, alpha: float) -> Array:
    return _times(_taken(g, index, dim, source), alpha)


def _index_copy(x: Array, index: Data, source: Array, *, dim: int) -> Array:
    line = lined(x)
    return np.reshape(_replaced(line, _along(line, dim, index), lined(source)), np.shape(x))


def _index_copy_x_gradient(g: Array, x: Array, index: Data, *, dim: int) -> Array:
    line = lined(x)
    return np.where(np.reshape(_hit(line, _along(line, dim, index)), np.shape(x)), 0.0, g)


def _index_copy_source_gradient(g: Array, index: Data, source: Array, *, dim: int) -> Array:
    return _taken(g, index, dim, source)


def _index_fill(x: Array, index: Data, value: Scalar, *, dim: int) -> Array:
    line = lined(x)
    return np.reshape(_replaced(line, _along(line, dim, index), value), np.shape(x))


def _index_fill_value_gradient(g: Array, index: Data, value: Array, *, dim: int) -> Array:
    """Σ g over what was filled: an index that is named twice fills once."""
    line = lined(g)
    places = np.unique(np.asarray(index) % np.shape(line)[dim])
    return summed_to(np.take(line, places, axis=dim), value)


def _puts() -> Iterator[Sample]:
    rng = np.random.default_rng(49)
    x = rng.standard_normal((4, 3, 5))
    rows, columns = np.array([3, 0]), np.array([1, -1])
    cases = (((rows,), (2, 3, 5)), ((rows, columns), (5,)), ((None, columns), (2, 1)), ((x > 0,), ()))
    for indices, shape in cases:
        for accumulate in (False, True):
            values = np.asarray(rng.standard_normal(shape))
            yield Sample({"x": x, "values": values, INDICES: indices}, {"accumulate": accumulate})
    again = np.array([1, 1, 0, 1])
    yield Sample(
        {"x": x, "values": rng.standard_normal((4, 3, 5)), INDICES: (again,)}, {"accumulate": True}
    )


def _scatters() -> Iterator[Sample]:
    rng = np.random.default_rng(50)
    x = rng.standard_normal((3, 4))
    for dim, index in (
        (0, np.array([[2, 0, 1]])),
        (1, np.array([[3, 0], [1, 2]])),
        (-1, np.array([[0], [3], [1]])),
    ):
        yield Sample({"x": x, "index": index, "src": rng.standard_normal(index.shape)}, {"dim": dim})
        yield Sample({"x": x, "index": index, "src": 1.7}, {"dim": dim})
    yield Sample({"x": np.zeros((2, 3), int), "index": np.array([[1], [2]]), "src": 1}, {"dim": -1})


def _sums() -> Iterator[Sample]:
    rng = np.random.default_rng(51)
    x = rng.standard_normal((3, 4))
    for dim, shape in ((0, (5, 3)), (1, (2, 6)), (-1, (3, 1))):
        index = rng.integers(0, x.shape[dim], shape)
        yield Sample({"x": x, "index": index, "src": rng.standard_normal(shape)}, {"dim": dim})
    yield Sample(
        {"x": np.zeros((2, 3), int), "index": np.array([[1]]), "src": np.ones((4, 4), int)}, {"dim": 1}
    )


def _indexed(*, value: bool = False, twice: bool = False) -> Iterator[Sample]:
    rng = np.random.default_rng(52)
    x = rng.standard_normal((4, 3, 5))
    for dim in (0, 1, -1):
        index = np.array([1, 0, 1]) if twice else np.array([2, 0])
        shape = list(x.shape)
        shape[dim] = len(index)
        source = rng.standard_normal(shape)
        if value:
            yield Sample({"x": x, "index": index, "value": 1.7}, {"dim": dim})
            yield Sample({"x": x, "index": index, "value": np.asarray(0.3)}, {"dim": dim})
        else:
            yield Sample({"x": x, "index": index, "source": source}, {"dim": dim})
            if twice:
                yield Sample({"x": x, "index": index, "source": source}, {"dim": dim, "alpha": -0.3})


PUT, KEPT = r"x,\; x_i = v", r"g [\text{not at } i]"

OPERATIONS = (
    define(
        "index_put",
        (_put, PUT),
        {"x": (_put_x_gradient, KEPT), "values": (_put_values_gradient, r"g_i")},
        options={"accumulate": False},
        torch="torch.index_put",
        aten={"aten.index_put.default": "x *indices values accumulate -> y"},
        samples=_puts,
    ),
    define(
        "scatter",
        (_scatter, PUT),
        {"x": (_scatter_x_gradient, KEPT), "src": (_scatter_src_gradient, r"g_i")},
        options={"dim": REQUIRED},
        torch="torch.scatter",
        aten={"aten.scatter.src": "x dim index src -> y", "aten.scatter.value": "x dim index src -> y"},
        samples=_scatters,
    ),
    define(
        "scatter_add",
        (_scatter_add, r"x_r + \sum_{k: i_k = r} s_k"),
        {"x": (_same, r"g"), "src": (_scatter_src_gradient, r"g_i")},
        options={"dim": REQUIRED},
        torch="torch.scatter_add",
        aten={"aten.scatter_add.default": "x dim index src -> y"},
        samples=_sums,
    ),
    define(
        "index_add",
        (_index_add, r"x_r + \alpha \sum_{k: i_k = r} s_k"),
        {"x": (_same, r"g"), "source": (_index_add_source_gradient, r"\alpha g_i")},
        options={"dim": REQUIRED, "alpha": 1},
        torch="torch.index_add",
        aten={"aten.index_add.default": "x dim index source alpha -> y"},
        samples=lambda: _indexed(twice=True),
    ),
    define(
        "index_copy",
        (_index_copy, PUT),
        {"x": (_index_copy_x_gradient, KEPT), "source": (_index_copy_source_gradient, r"g_i")},
        options={"dim": REQUIRED},
        torch="torch.index_copy",
        aten={"aten.index_copy.default": "x dim index source -> y"},
        samples=_indexed,
    ),
    define(
        "index_fill",
        (_index_fill, PUT),
        {"x": (_index_copy_x_gradient, KEPT), "value": (_index_fill_value_gradient, r"\sum g_i")},
        options={"dim": REQUIRED},
        torch="torch.index_fill",
        aten={
            "aten.index_fill.int_Scalar": "x dim index value -> y",
            "aten.index_fill.int_Tensor": "x dim index value -> y",
        },
        samples=lambda: _indexed(value=True),
    ),
)
