"""The largest and smallest numbers, and numbers in order. Errors go back to the numbers that were chosen.

Which of several equal numbers is chosen is left to each side: `indices` is checked to be a best choice.
Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, Data, attains, scatter_add, select
from reference.formula import Formula
from reference.operation import REQUIRED, Operation, Option, Sample, define
from reference.operations.shapes import Dims, alike, along, axes_of, kept, lined


def _largest(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    return np.max(x, axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _smallest(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    return np.min(x, axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _shared(g: Array, x: Array, y: Array, *, dim: Dims) -> Array:
    """g, shared equally among all numbers that are y."""
    best = attains(x, kept(y, x, dim), axes_of(dim, np.ndim(x)))
    ones = select(best, np.ones_like(x), np.zeros_like(x))
    share = kept(g, x, dim) / np.sum(ones, axis=axes_of(dim, np.ndim(x)), keepdims=True)
    return select(best, np.broadcast_to(share, np.shape(x)), np.zeros_like(x))


def _opened(part: Array, x: Array, *, dim: int, keepdim: bool) -> Array:
    return part if keepdim or np.ndim(x) == 0 else np.expand_dims(part, dim)


def _closed(part: Array, x: Array, *, dim: int, keepdim: bool) -> Array:
    return part if keepdim or np.ndim(x) == 0 else np.squeeze(part, dim)


def _taken(x: Array, indices: Data, dim: int) -> Array:
    return x if np.ndim(x) == 0 else np.take_along_axis(x, indices, dim)  # type: ignore[arg-type]


def _at(x: Array, indices: Data, *, dim: int, keepdim: bool) -> Array:
    """The numbers of x that were chosen."""
    opened = _opened(indices, x, dim=dim, keepdim=keepdim)  # type: ignore[arg-type]
    return _closed(_taken(x, opened, dim), x, dim=dim, keepdim=keepdim)


def _at_gradient(g: Array, x: Array, indices: Data, *, dim: int, keepdim: bool) -> Array:
    opened = _opened(indices, x, dim=dim, keepdim=keepdim)  # type: ignore[arg-type]
    where = along(opened, np.shape(x), dim)
    return scatter_add(np.shape(x), where, _opened(g, x, dim=dim, keepdim=keepdim))


def _argmax(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    return np.argmax(x, axis=dim, keepdims=keepdim)


def _argmin(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    return np.argmin(x, axis=dim, keepdims=keepdim)


def _best(x: Array, chosen: Data, dim: int | None, *, keepdim: bool, best: Array) -> Array:
    """`chosen` where x is `best` there, and −1 elsewhere."""
    if dim is None:
        found = np.reshape(x, -1)[np.reshape(chosen, -1)]
        return np.where(alike(np.reshape(found, np.shape(chosen)), np.asarray(np.max(best))), chosen, -1)
    opened = _opened(chosen, x, dim=dim, keepdim=keepdim)  # type: ignore[arg-type]
    right = np.where(alike(_taken(x, opened, dim), best), opened, -1)
    return _closed(right, x, dim=dim, keepdim=keepdim)


def _is_largest(x: Array, chosen: Data, *, dim: int | None, keepdim: bool) -> Array:
    return _best(x, chosen, dim, keepdim=keepdim, best=np.max(x, axis=dim, keepdims=True))


def _is_smallest(x: Array, chosen: Data, *, dim: int | None, keepdim: bool) -> Array:
    return _best(x, chosen, dim, keepdim=keepdim, best=np.min(x, axis=dim, keepdims=True))


def _order(x: Array, *, dim: int, descending: bool) -> Array:
    if np.ndim(x) == 0:
        return np.zeros((), np.int64)
    if descending:  # NaN first
        return np.lexsort((-x, ~np.isnan(x)), axis=dim)  # type: ignore[return-value]
    return np.argsort(x, axis=dim, kind="stable")  # type: ignore[return-value]


def _sorted_gradient(g: Array, x: Array, indices: Data, *, dim: int) -> Array:
    return scatter_add(np.shape(x), along(indices, np.shape(x), dim), g)


def _is_order(x: Array, chosen: Data, *, dim: int, descending: bool) -> Array:
    """`chosen` where it leads to the number of that rank, and names each place once."""
    if np.ndim(x) == 0:
        return chosen  # type: ignore[return-value]
    return _is_ranked(x, chosen, np.shape(x)[dim], dim=dim, largest=descending)


def _is_ranked(x: Array, chosen: Data, k: int, *, dim: int, largest: bool) -> Array:
    ranked = np.sort(x, axis=dim)
    ranked = np.flip(ranked, dim) if largest else ranked
    right = alike(np.take_along_axis(x, chosen, dim), np.take(ranked, range(k), dim))  # type: ignore[arg-type]
    places = np.sort(chosen, axis=dim)
    twice = np.any(
        np.take(places, range(1, k), dim) == np.take(places, range(k - 1), dim), axis=dim, keepdims=True
    )
    return np.where(right & ~twice, chosen, -1)


def _top(x: Array, *, k: int, dim: int, largest: bool) -> Array:
    order = _order(x, dim=dim, descending=largest)
    return order if np.ndim(x) == 0 else np.take(order, range(k), dim)


def _is_top(x: Array, chosen: Data, *, k: int, dim: int, largest: bool, sorted: bool) -> Array:
    if np.ndim(x) == 0:
        return np.zeros_like(chosen)
    if sorted:
        return _is_ranked(x, chosen, k, dim=dim, largest=largest)
    order = _order(np.take_along_axis(x, chosen, dim), dim=dim, descending=largest)  # type: ignore[arg-type]
    ranked = np.take_along_axis(chosen, order, dim)  # type: ignore[arg-type]
    right = _is_ranked(x, ranked, k, dim=dim, largest=largest) == ranked
    return np.where(np.all(right, axis=dim, keepdims=True), chosen, -1)


def _middle(x: Array, *, dim: int, keepdim: bool) -> Array:
    """Where the median is: the lower one of two, or the first NaN."""
    if np.ndim(x) == 0:
        return np.zeros((), np.int64)
    order = np.argsort(x, axis=dim, kind="stable")
    found = np.take(order, [(np.shape(x)[dim] - 1) // 2], axis=dim)
    nan = np.isnan(x)
    found = np.where(np.any(nan, dim, keepdims=True), np.argmax(nan, dim, keepdims=True), found)
    return _closed(found, x, dim=dim, keepdim=keepdim)  # type: ignore[arg-type]


def _is_median(x: Array, chosen: Data, *, dim: int, keepdim: bool) -> Array:
    middle = np.sort(lined(x), axis=dim)
    best = np.take(middle, [(np.shape(middle)[dim] - 1) // 2], axis=dim)
    last = np.take(middle, [-1], axis=dim)  # NaN, if there is one
    best = np.where(np.isnan(last), last, best)
    return _best(x, chosen, dim, keepdim=keepdim, best=best if np.ndim(x) else x)


def _sorted_values(x: Array, indices: Data, *, dim: int) -> Array:
    return _taken(x, indices, dim)


def _any(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    return np.max(np.not_equal(x, 0), axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _all(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    return np.min(np.not_equal(x, 0), axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _tied(*dims: Dims) -> Iterator[Sample]:
    rng = np.random.default_rng(41)
    for dim in dims:
        for keepdim in (False, True):
            x = np.rint(2 * rng.standard_normal((3, 4, 5)))
            yield Sample({"x": x}, {"dim": dim, "keepdim": keepdim})
    yield Sample({"x": rng.standard_normal((2, 6))})


def _one_axis() -> Iterator[Sample]:
    yield from (sample for sample in _tied(0, -1) if sample.options)
    yield Sample({"x": np.asarray(0.7)}, {"dim": 0})
    yield Sample({"x": np.array([[3, 1], [3, 2]])}, {"dim": 0})


def _chosen() -> Iterator[Sample]:
    yield from _tied(0, -1)
    yield Sample({"x": np.array([[3, 1], [2, 5]])})


def _orders() -> Iterator[Sample]:
    for sample in _tied(0, -1):
        for descending in (False, True):
            yield Sample(sample.operands, {"dim": sample.options.get("dim", -1), "descending": descending})
    yield Sample({"x": np.array([3, 1, 2])})


def _tops() -> Iterator[Sample]:
    rng = np.random.default_rng(42)
    for options in ({}, {"dim": 0}, {"largest": False}, {"sorted": False}, {"dim": 1, "k": 1}):
        yield Sample({"x": np.rint(3 * rng.standard_normal((4, 5)))}, {"k": 3, **options})


def _truths() -> Iterator[Sample]:
    rng = np.random.default_rng(43)
    x = rng.standard_normal((3, 4)) > 0.5
    yield Sample({"x": x})
    for keepdim in (False, True):
        yield Sample({"x": x}, {"dim": 1, "keepdim": keepdim})
        yield Sample({"x": np.where(x, 0.5, 0)}, {"dim": 0, "keepdim": keepdim})
        yield Sample({"x": x}, {"dim": (0, 1), "keepdim": keepdim})


AXES: dict[str, Option] = {"dim": None, "keepdim": False}


def _extreme(name: str, function: Callable[..., Array], latex: str, *also: str) -> Operation:
    return define(
        name,
        (function, latex),
        {"x": (_shared, r"\frac{g [x = y]}{\sum_i [x_i = y]}")},
        options={**AXES, "dim": ()},
        torch=f"torch.{name}",
        aten={f"aten.{name}.default": "x dim keepdim -> y", **dict.fromkeys(also, "x -> y")},
        samples=lambda: _tied((0,), (-1, 0), (1,)),
    )


def _with_indices(
    name: str, choose: Callable[..., Array], check: Callable[..., Array], latex: str
) -> Operation:
    return define(
        name,
        {"indices": (choose, rf"\operatorname{{arg}}{latex}"), "y": (_at, latex)},
        {"x": (_at_gradient, r"g \text{ at the indices}")},
        options={"dim": REQUIRED, "keepdim": False},
        choices={"indices": check},
        operands=("x",),
        torch=f"torch.{name.removesuffix('_along')}",
        aten={f"aten.{name.removesuffix('_along')}.dim": "x dim keepdim -> y indices"},
        samples=_one_axis,
    )


def _choice(name: str, choose: Callable[..., Array], check: Callable[..., Array], latex: str) -> Operation:
    return Operation(
        name,
        ("x",),
        {"y": Formula(name, latex, choose)},
        options=AXES,
        choices={"y": check},
        torch=f"torch.{name}",
        aten={f"aten.{name}.default": "x dim keepdim -> y"},
        samples=_chosen,
    )


def _truth(name: str, function: Callable[..., Array], latex: str) -> Operation:
    return define(
        name,
        (function, latex),
        {},
        options=AXES,
        torch=f"torch.{name}",
        aten={
            f"aten.{name}.default": "x -> y",
            f"aten.{name}.dim": "x dim keepdim -> y",
            f"aten.{name}.dims": "x dim keepdim -> y",
        },
        samples=_truths,
    )


OPERATIONS = (
    _extreme("amax", _largest, r"\max_i x_i", "aten.max.default"),
    _extreme("amin", _smallest, r"\min_i x_i", "aten.min.default"),
    _with_indices("max_along", _argmax, _is_largest, r"\max_i x_i"),
    _with_indices("min_along", _argmin, _is_smallest, r"\min_i x_i"),
    _with_indices("median_along", _middle, _is_median, r"\operatorname{median} x"),
    _choice("argmax", _argmax, _is_largest, r"\arg\max_i x_i"),
    _choice("argmin", _argmin, _is_smallest, r"\arg\min_i x_i"),
    define(
        "sort",
        {"indices": (_order, r"\pi"), "y": (_sorted_values, r"x_{\pi}")},
        {"x": (_sorted_gradient, r"g_{\pi^{-1}}")},
        options={"dim": -1, "descending": False},
        choices={"indices": _is_order},
        operands=("x",),
        torch="torch.sort",
        aten={
            "aten.sort.default": "x dim descending -> y indices",
            "aten.sort.stable": "x - dim descending -> y indices",
        },
        samples=_orders,
    ),
    define(
        "topk",
        {"indices": (_top, r"\pi"), "y": (_sorted_values, r"x_{\pi}")},
        {"x": (_sorted_gradient, r"g \text{ at the indices}")},
        options={"k": REQUIRED, "dim": -1, "largest": True, "sorted": True},
        choices={"indices": _is_top},
        operands=("x",),
        torch="torch.topk",
        aten={"aten.topk.default": "x k dim largest sorted -> y indices"},
        samples=_tops,
    ),
    _truth("any", _any, r"\exists i: x_i \ne 0"),
    _truth("all", _all, r"\forall i: x_i \ne 0"),
)
