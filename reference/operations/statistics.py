"""Sums, means, spreads and norms along axes.

Source: PyTorch's pages of the functions; FunctionsManual.cpp for the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, cast, select, variance
from reference.operation import REQUIRED, Operation, Option, Sample, UnreadArgumentError, define
from reference.operations.shapes import Dims, axes_of, kept, lined, size_along


def in_format(x: Array, dtype: str | None) -> Array:
    """x in the format in which it is summed."""
    return x if dtype is None or x.dtype == dtype else cast(x, dtype)


def _like(g: Array, x: Array) -> Array:
    """An error in the format of x."""
    return g if g.dtype == x.dtype else cast(g, x.dtype)


def _sum(x: Array, *, dim: Dims, keepdim: bool, dtype: str | None) -> Array:
    return np.sum(in_format(x, dtype), axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _sum_gradient(g: Array, x: Array, *, dim: Dims) -> Array:
    return _like(np.broadcast_to(kept(g, x, dim), np.shape(x)), x)


def _mean(x: Array, *, dim: Dims, keepdim: bool, dtype: str | None) -> Array:
    return np.mean(in_format(x, dtype), axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _mean_gradient(g: Array, x: Array, *, dim: Dims) -> Array:
    return _like(np.broadcast_to(kept(g, x, dim) / size_along(x, dim), np.shape(x)), x)


def _freedom(x: Array, dim: Dims, correction: float | None) -> float:
    """n − c, which the squares are divided by. Raises UnreadArgumentError where that is not positive."""
    left = size_along(x, dim) - (1 if correction is None else correction)
    if left <= 0:
        raise UnreadArgumentError("correction")
    return left


def _centre(x: Array, dim: Dims) -> Array:
    return np.mean(x, axis=axes_of(dim, np.ndim(x)), keepdims=True)


def _shaped(y: Array, x: Array, dim: Dims, *, keepdim: bool) -> Array:
    return y if keepdim else np.squeeze(y, axes_of(dim, np.ndim(x)))


def _variance(x: Array, *, dim: Dims, correction: float | None, keepdim: bool) -> Array:
    n = _freedom(x, dim, correction)
    found = variance(x, axes_of(dim, np.ndim(x)), _centre(x, dim), n)
    return _shaped(found, x, dim, keepdim=keepdim)


def _variance_gradient(g: Array, x: Array, *, dim: Dims, correction: float | None) -> Array:
    return (2 / _freedom(x, dim, correction)) * kept(g, x, dim) * (x - _centre(x, dim))


def _deviation(x: Array, *, dim: Dims, correction: float | None, keepdim: bool) -> Array:
    return np.sqrt(_variance(x, dim=dim, correction=correction, keepdim=keepdim))


def _deviation_gradient(g: Array, x: Array, y: Array, *, dim: Dims, correction: float | None) -> Array:
    """Through the root: g/(2 y), and 0 where y is 0."""
    through = select(np.equal(y, 0), np.zeros_like(g), g / (y * 2))
    return _variance_gradient(through, x, dim=dim, correction=correction)


def _plain_mean(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    return np.mean(x, axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _variance_and_mean_gradient(
    g: Array, g_mean: Array, x: Array, *, dim: Dims, correction: float | None
) -> Array:
    spread = _variance_gradient(g, x, dim=dim, correction=correction)
    return spread + _mean_gradient(g_mean, x, dim=dim)


def _deviation_and_mean_gradient(
    g: Array, g_mean: Array, x: Array, y: Array, *, dim: Dims, correction: float | None
) -> Array:
    spread = _deviation_gradient(g, x, y, dim=dim, correction=correction)
    return spread + _mean_gradient(g_mean, x, dim=dim)


def _logsumexp(x: Array, *, dim: Dims, keepdim: bool) -> Array:
    """log Σ e^x, from the largest."""
    axes = axes_of(dim, np.ndim(x))
    largest = np.maximum.reduce(x, axis=axes, keepdims=True)
    largest = select(np.isinf(largest), np.zeros_like(largest), largest)
    found = np.log(np.add.reduce(np.exp(x - largest), axis=axes, keepdims=True)) + largest
    return _shaped(found, x, dim, keepdim=keepdim)


def _logsumexp_gradient(g: Array, x: Array, y: Array, *, dim: Dims) -> Array:
    return kept(g, x, dim) * np.exp(x - kept(y, x, dim))


def _cumsum(x: Array, *, dim: int, dtype: str | None) -> Array:
    x = in_format(x, dtype)
    return np.reshape(np.cumsum(lined(x), axis=dim), np.shape(x))


def _cumsum_gradient(g: Array, x: Array, *, dim: int) -> Array:
    line = lined(_like(g, x))
    return np.reshape(np.flip(np.cumsum(np.flip(line, dim), axis=dim), dim), np.shape(g))


OPTIONS: dict[str, Option] = {"dim": None, "keepdim": False}

CASES: tuple[tuple[tuple[int, ...], dict[str, Option]], ...] = (
    ((2, 3, 4), {}),
    ((2, 3, 4), {"dim": (0, -1)}),
    ((2, 3, 4), {"dim": (1,), "keepdim": True}),
    ((3, 5), {"dim": (0,)}),
    ((1, 6), {"dim": (1,)}),
    ((300, 2), {"dim": (0,)}),
)


def _reduced() -> Iterator[Sample]:
    rng = np.random.default_rng(35)
    for shape, options in CASES:
        yield Sample({"x": rng.standard_normal(shape)}, options)
    for dtype in ("float32", "float64"):
        yield Sample({"x": rng.standard_normal((2, 3))}, {"dim": (1,), "dtype": dtype})


def _summed() -> Iterator[Sample]:
    yield from _reduced()
    yield Sample({"x": np.asarray(0.7)})
    yield Sample({"x": np.arange(6).reshape(2, 3)}, {"dim": (0,)})
    yield Sample({"x": np.arange(6).reshape(2, 3) > 2}, {"dim": (1,)})
    yield Sample({"x": np.zeros((0, 2))}, {"dim": (0,)})
    for dtype in ("float32", "float64"):
        yield Sample({"x": np.linspace(-1, 2, 6).reshape(2, 3)}, {"dim": (0,), "dtype": dtype})


def _spread() -> Iterator[Sample]:
    rng = np.random.default_rng(36)
    for shape, options in CASES:
        for correction in (None, 0, 2):
            yield Sample({"x": rng.standard_normal(shape)}, {**options, "correction": correction})


def _axes() -> Iterator[Sample]:
    rng = np.random.default_rng(38)
    for dim in ((0,), (-1,), (0, 2)):
        for keepdim in (False, True):
            yield Sample({"x": 3 * rng.standard_normal((2, 3, 4))}, {"dim": dim, "keepdim": keepdim})
    masked = rng.standard_normal((2, 4))
    masked[0, 1:] = -np.inf
    yield Sample({"x": masked}, {"dim": (1,)})


def _running() -> Iterator[Sample]:
    rng = np.random.default_rng(39)
    for dim in (0, -1):
        yield Sample({"x": rng.standard_normal((4, 3, 5))}, {"dim": dim})
        yield Sample({"x": rng.standard_normal((4, 3))}, {"dim": dim, "dtype": "float64"})
    yield Sample({"x": np.arange(4)}, {"dim": 0})
    yield Sample({"x": np.asarray(0.7)}, {"dim": 0})


def _both(name: str, whole: str) -> dict[str, str]:
    """Over all axes, and along some."""
    return {f"aten.{name}.{whole}": "x dtype -> y", f"aten.{name}.dim": "x dim keepdim dtype -> y"}


def _with_spread(
    name: str, forward: tuple[Callable[..., Array], str], back: tuple[Callable[..., Array], str]
) -> Operation:
    return define(
        name,
        forward,
        {"x": back},
        options={**OPTIONS, "correction": None},
        torch=f"torch.{name}",
        aten={f"aten.{name}.correction": "x dim correction keepdim -> y"},
        samples=_spread,
    )


OPERATIONS = (
    define(
        "sum",
        (_sum, r"\sum_i x_i"),
        {"x": (_sum_gradient, r"g")},
        options={**OPTIONS, "dtype": None},
        torch="torch.sum",
        aten={"aten.sum.default": "x dtype -> y", "aten.sum.dim_IntList": "x dim keepdim dtype -> y"},
        samples=_summed,
    ),
    define(
        "mean",
        (_mean, r"\frac{1}{n} \sum_i x_i"),
        {"x": (_mean_gradient, r"\frac{g}{n}")},
        options={**OPTIONS, "dtype": None},
        torch="torch.mean",
        aten=_both("mean", "default"),
        samples=_reduced,
    ),
    _with_spread(
        "var",
        (_variance, r"\frac{1}{n - c} \sum_i (x_i - \mu)^2"),
        (_variance_gradient, r"\frac{2 g}{n - c} (x - \mu)"),
    ),
    _with_spread(
        "std",
        (_deviation, r"\sqrt{\frac{1}{n - c} \sum_i (x_i - \mu)^2}"),
        (_deviation_gradient, r"\frac{g}{(n - c) y} (x - \mu)"),
    ),
    define(
        "var_mean",
        {
            "mean": (_plain_mean, r"\frac{1}{n} \sum_i x_i"),
            "y": (_variance, r"\frac{1}{n - c} \sum_i (x_i - \mu)^2"),
        },
        {"x": (_variance_and_mean_gradient, r"\frac{2 g}{n - c} (x - \mu) + \frac{g_\mu}{n}")},
        options={**OPTIONS, "correction": None},
        torch="torch.var_mean",
        aten={"aten.var_mean.correction": "x dim correction keepdim -> y mean"},
        samples=_spread,
    ),
    define(
        "std_mean",
        {
            "mean": (_plain_mean, r"\frac{1}{n} \sum_i x_i"),
            "y": (_deviation, r"\sqrt{\frac{1}{n - c} \sum_i (x_i - \mu)^2}"),
        },
        {"x": (_deviation_and_mean_gradient, r"\frac{g}{(n - c) y} (x - \mu) + \frac{g_\mu}{n}")},
        options={**OPTIONS, "correction": None},
        torch="torch.std_mean",
        aten={"aten.std_mean.correction": "x dim correction keepdim -> y mean"},
        samples=_spread,
    ),
    define(
        "logsumexp",
        (_logsumexp, r"\log \sum_i e^{x_i}"),
        {"x": (_logsumexp_gradient, r"g e^{x - y}")},
        options={"dim": REQUIRED, "keepdim": False},
        torch="torch.logsumexp",
        aten={"aten.logsumexp.default": "x dim keepdim -> y"},
        samples=_axes,
    ),
    define(
        "cumsum",
        (_cumsum, r"\sum_{j \le i} x_j"),
        {"x": (_cumsum_gradient, r"\sum_{j \ge i} g_j")},
        options={"dim": REQUIRED, "dtype": None},
        torch="torch.cumsum",
        aten={"aten.cumsum.default": "x dim dtype -> y"},
        samples=_running,
    ),
)
