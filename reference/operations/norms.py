"""Norms along axes: (Σ|x|^p)^(1/p), of every order.

Source: `torch.linalg.vector_norm`; `norm_backward` in FunctionsManual.cpp, one form for each kind of order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, select
from reference.formula import Formula
from reference.operation import Operation, Sample, UnreadArgumentError, define
from reference.operations.shapes import Dims, axes_of, kept


def _norm(x: Array, *, ord: float | None, dim: Dims, keepdim: bool, dtype: str | None) -> Array:
    if dtype is not None and x.dtype != dtype:
        raise UnreadArgumentError("dtype")
    axes, p = axes_of(dim, np.ndim(x)), 2 if ord is None else ord
    sizes = np.absolute(x)
    if p == math.inf:
        return np.max(sizes, axis=axes, keepdims=keepdim)
    if p == -math.inf:
        return np.min(sizes, axis=axes, keepdims=keepdim)
    if p == 0:
        nonzero = select(np.equal(x, 0), np.zeros_like(x), np.ones_like(x))
        return np.sum(nonzero, axis=axes, keepdims=keepdim)
    if p == 1:
        return np.sum(sizes, axis=axes, keepdims=keepdim)
    if p == 2:
        return np.sqrt(np.sum(np.square(x), axis=axes, keepdims=keepdim))
    return np.power(np.sum(np.power(sizes, p), axis=axes, keepdims=keepdim), 1 / p)


def _norm_gradient(g: Array, x: Array, y: Array, *, ord: float | None, dim: Dims) -> Array:
    """g sign x |x|^(p − 1)/y^(p − 1); 0 where y is 0. Of a largest number g, shared among equal ones."""
    p = 2 if ord is None else ord
    g, y = kept(g, x, dim), kept(y, x, dim)
    if p == 0:
        return np.zeros_like(x)
    if p == 1:
        return np.sign(x) * g
    if math.isinf(p):
        best = np.equal(np.absolute(x), y)
        share = select(best, np.ones_like(x), np.zeros_like(x))
        return np.sign(x) * share * (g / np.sum(share, axis=axes_of(dim, np.ndim(x)), keepdims=True))
    if p == 2:
        return g * _unless_zero(y, x / y)
    if p < 1:
        below = _unless_zero(x, np.power(np.absolute(x), p - 1))
        return np.sign(x) * below * g * np.power(y, 1 - p)
    if p < 2:
        return np.sign(x) * np.power(np.absolute(x), p - 1) * _unless_zero(y, g / np.power(y, p - 1))
    return x * np.power(np.absolute(x), p - 2) * _unless_zero(y, g / np.power(y, p - 1))


def _unless_zero(x: Array, value: Array) -> Array:
    return select(np.equal(x, 0), np.zeros_like(value), value)


def _samples() -> Iterator[Sample]:
    rng = np.random.default_rng(40)
    for p in (2, 1, 0, math.inf, -math.inf, 3, 1.5, 0.5):
        yield Sample({"x": rng.standard_normal((2, 3, 4))}, {"ord": p})
        yield Sample({"x": rng.standard_normal((3, 5))}, {"ord": p, "dim": (1,), "keepdim": True})
        yield Sample({"x": np.array([[1.0, -1.0, 0.5], [0.25, 2.0, 2.0]])}, {"ord": p, "dim": (-1,)})
    yield Sample({"x": np.zeros((2, 3))}, {"dim": (1,)})
    yield Sample({"x": rng.standard_normal((2, 3))}, {"ord": None, "dim": (1,)})


def _others(v: Array, dim: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(np.ndim(v)) if axis != dim % np.ndim(v))


def _lengths(v: Array, *, dim: int) -> Array:
    """The 2-norm of each part of v along `dim`."""
    return np.sqrt(np.sum(np.square(v), axis=_others(v, dim), keepdims=True))


def _weight_norm(v: Array, scale: Array, norm: Array) -> Array:
    return v * (scale / norm)


def _weight_norm_v_gradient(g: Array, v: Array, scale: Array, norm: Array, *, dim: int) -> Array:
    """What of g is not along v, by s/‖v‖."""
    along = np.sum(g * v, axis=_others(v, dim), keepdims=True)
    return (scale / norm) * (g - v * (along / (norm * norm)))


def _weight_norm_v_gradient_apart(g: Array, v: Array, scale: Array, norm: Array, *, dim: int) -> Array:
    along = np.sum(g * v, axis=_others(v, dim), keepdims=True)
    return (scale / norm) * g - (scale / norm) * (v * (along / (norm * norm)))


def _weight_norm_scale_gradient(g: Array, v: Array, norm: Array, *, dim: int) -> Array:
    return np.sum(g * v, axis=_others(v, dim), keepdims=True) / norm


def _weights() -> Iterator[Sample]:
    rng = np.random.default_rng(58)
    for shape, dim in (((3, 5), 0), ((4, 2, 3), 0), ((3, 5), 1), ((2, 3, 4), 2)):
        scale = rng.standard_normal([size if axis == dim else 1 for axis, size in enumerate(shape)])
        yield Sample({"v": rng.standard_normal(shape), "scale": scale}, {"dim": dim})


WEIGHT_NORM = Operation(
    "weight_norm",
    ("v", "scale"),
    {
        "norm": Formula("weight_norm_norm", r"\lVert v \rVert", _lengths),
        "y": Formula("weight_norm", r"\frac{s}{\lVert v \rVert} v", _weight_norm),
    },
    {
        "v": Formula(
            "weight_norm_v_gradient",
            r"\frac{s}{\lVert v \rVert} \left(g - \frac{\sum g v}{\lVert v \rVert^2} v\right)",
            _weight_norm_v_gradient,
            other_forms=(_weight_norm_v_gradient_apart,),
            also=(_weight_norm_v_gradient_apart,),
        ),
        "scale": Formula(
            "weight_norm_scale_gradient", r"\frac{\sum g v}{\lVert v \rVert}", _weight_norm_scale_gradient
        ),
    },
    options={"dim": 0},
    torch="torch.nn.utils.parametrizations.weight_norm",
    aten={"aten._weight_norm_interface.default": "v scale dim -> y norm"},
    samples=_weights,
)

OPERATIONS = (
    WEIGHT_NORM,
    define(
        "vector_norm",
        (_norm, r"\left(\sum_i |x_i|^p\right)^{1/p}"),
        {"x": (_norm_gradient, r"g \operatorname{sign}(x) \frac{|x|^{p - 1}}{y^{p - 1}}")},
        options={"ord": 2, "dim": None, "keepdim": False, "dtype": None},
        torch="torch.linalg.vector_norm",
        aten={
            "aten.linalg_vector_norm.default": "x ord dim keepdim dtype -> y",
            "aten.norm.ScalarOpt_dim": "x ord dim keepdim -> y",
        },
        samples=_samples,
    ),
)
