"""Products along an axis, whole and running.

Source: PyTorch's pages of the functions; `cumprod_backward` in FunctionsManual.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, select
from reference.formula import Formula
from reference.operation import REQUIRED, Operation, Sample, UnreadArgumentError
from reference.operations.shapes import axes_of, kept, lined
from reference.operations.statistics import in_format


def _product(x: Array, *, dim: int | None, keepdim: bool, dtype: str | None) -> Array:
    return np.prod(in_format(x, dtype), axis=axes_of(dim, np.ndim(x)), keepdims=keepdim)


def _product_gradient(g: Array, x: Array, y: Array, *, dim: int | None) -> Array:
    """g times the product of all the others."""
    if np.ndim(x) == 0:
        return g
    line = np.reshape(x, -1) if dim is None else np.moveaxis(x, dim, -1)
    n = np.shape(line)[-1]
    others = np.prod(np.where(np.eye(n, dtype=bool), 1.0, np.expand_dims(line, -2)), axis=-1)
    placed = np.reshape(others, np.shape(x)) if dim is None else np.moveaxis(others, -1, dim)
    return kept(g, x, dim) * placed


def _product_gradient_by_division(g: Array, x: Array, y: Array, *, dim: int | None) -> Array:
    return kept(g, x, dim) * (kept(y, x, dim) / x)


def _last(x: Array, dim: int) -> Array:
    return np.moveaxis(lined(x), dim, -1)


def _back(found: Array, x: Array, dim: int) -> Array:
    return np.reshape(np.moveaxis(found, -1, dim), np.shape(x))


def _products(line: Array, mask: Array) -> Array:
    """Of the numbers that the mask (…, n) keeps: (*lead, …) of (*lead, n)."""
    lead = np.ndim(line) - 1
    opened = np.reshape(line, (*np.shape(line)[:-1], *(1,) * (np.ndim(mask) - 1), -1))
    return np.prod(np.where(mask[(None,) * lead], opened, 1.0), axis=-1)


def _cumprod(x: Array, *, dim: int, dtype: str | None) -> Array:
    """y_i: the product of the first i numbers."""
    if dtype is not None and x.dtype != dtype:
        raise UnreadArgumentError("dtype")
    line = _last(x, dim)
    n = np.shape(line)[-1]
    return _back(_products(line, np.tri(n, dtype=bool)), x, dim)


def _cumprod_gradient(g: Array, x: Array, y: Array, *, dim: int) -> Array:
    """∂L/∂x_k: Σ over i from k on of g_i and the product of the first i numbers without x_k."""
    line, errors = _last(x, dim), _last(g, dim)
    n = np.shape(line)[-1]
    i, k, j = np.ogrid[:n, :n, :n]
    others = _products(line, (j <= i) & (j != k))
    later = np.where(np.tri(n, dtype=bool), others, 0.0)
    return _back(np.sum(np.expand_dims(errors, -1) * later, axis=-2), x, dim)


def _cumprod_gradient_by_division(g: Array, x: Array, y: Array, *, dim: int) -> Array:
    """Σ over i from k on of g_i y_i, by x_k, before the first zero; as above of that zero; 0 behind it.

    This is PyTorch's. Of an infinite x_k it makes no number, and behind a zero it multiplies by none.
    """
    line, products = _last(x, dim), _last(g, dim) * _last(y, dim)
    zeros, n = np.expand_dims(np.equal(line, 0), -2), np.shape(line)[-1]
    reached, behind = (
        np.max(np.where(np.tri(n, k=k, dtype=bool), zeros, 0.0), axis=-1) > 0 for k in (0, -1)
    )
    before = np.logical_not(reached)
    nothing = np.zeros_like(products)
    terms = np.flip(select(before, products, nothing), -1)
    divided = np.flip(np.cumsum(terms, axis=-1), -1) / line
    others = _last(_cumprod_gradient(g, x, y, dim=dim), dim)
    return _back(select(before, divided, select(behind, nothing, others)), x, dim)


def _along_one() -> Iterator[Sample]:
    rng = np.random.default_rng(37)
    for shape, options in (((2, 3), {}), ((2, 3), {"dim": 1}), ((4, 2, 3), {"dim": 0, "keepdim": True})):
        yield Sample({"x": rng.standard_normal(shape)}, options)
    for zeros in (1, 2):
        x = rng.standard_normal((2, 4))
        x[0, :zeros] = 0
        yield Sample({"x": x}, {"dim": -1})
    yield Sample({"x": np.asarray(0.7)})


def _in_products() -> Iterator[Sample]:
    rng = np.random.default_rng(68)
    for shape, dim in (((2, 4), -1), ((3, 2), 0), ((2, 3, 4), 1), ((5,), 0), ((), 0)):
        yield Sample({"x": np.asarray(rng.standard_normal(shape))}, {"dim": dim})
    for zeros in (1, 2):
        x = rng.standard_normal((2, 4))
        x[0, 1 : 1 + zeros] = 0
        yield Sample({"x": x}, {"dim": -1})


CUMPROD = Operation(
    "cumprod",
    ("x",),
    {"y": Formula("cumprod", r"\prod_{j \le i} x_j", _cumprod)},
    {
        "x": Formula(
            "cumprod_input_gradient",
            r"\sum_{i \ge k} g_i \prod_{j \le i, j \ne k} x_j",
            _cumprod_gradient,
            other_forms=(_cumprod_gradient_by_division,),
            also=(_cumprod_gradient_by_division,),
        )
    },
    options={"dim": REQUIRED, "dtype": None},
    torch="torch.cumprod",
    aten={"aten.cumprod.default": "x dim dtype -> y"},
    samples=_in_products,
)

OPERATIONS = (
    CUMPROD,
    Operation(
        "prod",
        ("x",),
        {"y": Formula("prod", r"\prod_i x_i", _product)},
        {
            "x": Formula(
                "prod_input_gradient",
                r"g \prod_{j \ne i} x_j",
                _product_gradient,
                other_forms=(_product_gradient_by_division,),
                also=(_product_gradient_by_division,),
            )
        },
        options={"dim": None, "keepdim": False, "dtype": None},
        torch="torch.prod",
        aten={"aten.prod.default": "x dtype -> y", "aten.prod.dim_int": "x dim keepdim dtype -> y"},
        samples=_along_one,
    ),
)
