"""Products in slices: as exact as a product of longdoubles is allowed to be, or one of longdoubles."""

from __future__ import annotations

import flint
import numpy as np
import pytest

from parity.bounds import SLACK, exact
from parity.bounds.formats import arithmetic
from parity.bounds.sliced import SlicedProduct, worth_slicing

KINDS = ("ordinary", "scaled rows", "zeros", "wide", "cancelling", "subnormal", "huge", "constant")


def operand(kind: str, shape: tuple[int, int], random, axis: int) -> np.ndarray:
    values = random.standard_normal(shape)
    if kind == "scaled rows":
        values *= 2.0 ** random.integers(-300, 300, (shape[0], 1) if axis else (1, shape[1]))
    elif kind == "zeros":
        values *= random.random(shape) < 0.3
        values[0] = values[:, 0] = 0
    elif kind == "wide":
        values *= 10.0 ** random.uniform(-30, 0, shape)
    elif kind == "cancelling" and not axis:
        values[1::2] = -values[: shape[0] // 2 * 2 : 2][: len(values[1::2])]
    elif kind == "subnormal":
        values *= 1e-310
    elif kind == "huge":
        values *= 1e150
    elif kind == "constant":
        values = np.full(shape, 1 - 2.0**-53)
    return values


def ball(value: np.longdouble) -> flint.arb:
    fraction, exponent = np.frexp(value)
    high = float(fraction)
    return (flint.arb(high) + flint.arb(float(fraction - np.longdouble(high)))) * flint.arb(2) ** int(
        exponent
    )


def exactly(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x @ y and |x| @ |y| in balls of 3,000 bits."""

    def product(left, right):
        left, right = ([[ball(value) for value in row] for row in values] for values in (left, right))
        made = flint.arb_mat(left) * flint.arb_mat(right)
        return np.array(made.entries(), dtype=object).reshape(len(left), len(right[0]))

    return product(x, y), product(abs(x), abs(y))


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 3, 31, 64, 200])
def test_the_error_is_one_of_longdoubles(kind, k, low):
    random = np.random.default_rng(k)
    before, flint.ctx.prec = flint.ctx.prec, 3000
    try:
        x, y = operand(kind, (5, k), random, 1), operand(kind, (k, 4), random, 0)
        lowered = (None, None) if low else (x, y)
        a, b = x.astype(np.longdouble), y.astype(np.longdouble)
        if low:
            a = a * (1 + 2.0**-60 * random.integers(-8, 8, a.shape).astype(np.longdouble))
            b = b * (1 + 2.0**-60 * random.integers(-8, 8, b.shape).astype(np.longdouble))
        out = np.empty((5, 4), np.longdouble)
        with np.errstate(all="ignore"):
            SlicedProduct(a, b, out, lowered)()
        truth, size = exactly(a, b)
        for i in np.ndindex(out.shape):
            error = abs(ball(out[i]) - truth[i])
            assert error <= k * flint.arb(2) ** -64 * size[i]
    finally:
        flint.ctx.prec = before


def test_slices_are_used_of_ordinary_numbers_and_not_of_a_wide_row(monkeypatch):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((20, 64)), random.standard_normal((64, 30))
    out = np.empty((20, 30), np.longdouble)
    called = []
    right = np.matmul

    def matmul(*arrays):
        called.append(arrays[0].dtype)
        return right(*arrays)

    monkeypatch.setattr(np, "matmul", matmul)
    SlicedProduct(x.astype(np.longdouble), y.astype(np.longdouble), out, (x, y))()
    assert np.longdouble not in called
    x[0, 1:] *= 1e-30
    y[0] = 0
    SlicedProduct(x.astype(np.longdouble), y.astype(np.longdouble), out, (x, y))()
    assert called[-1] == np.longdouble


def test_numbers_that_are_not_finite_come_out_as_of_longdoubles():
    x, y = np.ones((3, 40)), np.ones((40, 3))
    for spoil in (np.nan, np.inf):
        x[1, 2] = spoil
        out = np.empty((3, 3), np.longdouble)
        SlicedProduct(x.astype(np.longdouble), y.astype(np.longdouble), out, (x, y))()
        np.testing.assert_array_equal(out, x.astype(np.longdouble) @ y.astype(np.longdouble))


def test_the_rule_of_products_multiplies_large_arrays_in_slices():
    random = np.random.default_rng(1)
    x, y = random.standard_normal((3, 17, 40)), random.standard_normal((40, 30))
    wide = [values.astype(np.longdouble) for values in (x, y)]
    assert worth_slicing(*wide)
    assert not worth_slicing(wide[0][:, :2, :2], wide[1][:2])
    found, longdoubles = (
        exact(arithmetic(np.float64), x) @ exact(arithmetic(np.float64), y),
        wide[0] @ wide[1],
    )
    assert found.value.dtype == np.longdouble
    assert not np.array_equal(found.value, longdoubles)  # or nothing was sliced
    assert (abs(found.value - longdoubles) <= 2 * 40 * 2.0**-64 * (abs(wide[0]) @ abs(wide[1]))).all()
    assert (abs(x @ y - found.value) <= found.carried * SLACK).all()
