"""Rules of steps, comparisons, products and logarithms, against brute force."""

import numpy as np
import pytest

from parity.bounds import SLACK, Bounded, bounded, exact
from parity.bounds.formats import arithmetic

FLOAT32 = arithmetic(np.float32)


def within(found: Bounded, observed: np.ndarray) -> np.ndarray:
    error = np.abs(np.asarray(observed, float) - found.lowered())
    return (error <= found.carried * SLACK) | ~np.isfinite(found.carried)


def perturbed(rng: np.random.Generator, x: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return x + bound * rng.choice([-1.0, 1.0, 0.0, 0.5], x.shape)


@pytest.mark.parametrize("step", [np.floor, np.ceil, np.rint, np.trunc])
def test_steps(step):
    rng = np.random.default_rng(0)
    special = np.array([0.5, 1.5, -0.5, 2.0, -3.0])
    x = np.concatenate([special, 3 * rng.standard_normal(200)]).astype(np.float32)
    assert np.array_equal(step(exact(FLOAT32, x)).lowered(), step(x))
    assert step(exact(FLOAT32, x)).is_exact
    bound = rng.choice([1e-6, 0.1, 1.7], x.shape)
    found = step(bounded(FLOAT32, x, bound))
    for _ in range(20):
        assert within(found, step(perturbed(rng, x.astype(float), bound))).all()
    assert (found.carried[(bound == 1e-6) & (np.abs(x * 2 - np.rint(x * 2)) > 1e-4)] == 0).all()


def test_truth_values():
    rng = np.random.default_rng(1)
    x, y = np.rint(rng.standard_normal((2, 300))).astype(np.float32)
    bound = rng.choice([0.0, 0.25, 1.0], x.shape)
    for function in (np.not_equal, np.logical_or):
        assert np.array_equal(function(exact(FLOAT32, x), exact(FLOAT32, y)).lowered(), function(x, y))
        found = function(bounded(FLOAT32, x, bound), exact(FLOAT32, y))
        for _ in range(20):
            assert within(found, function(perturbed(rng, x.astype(float), bound), y)).all()
        assert (found.carried[bound == 0] == 0).all()
    found = np.logical_not(bounded(FLOAT32, x, bound))
    for _ in range(20):
        assert within(found, np.logical_not(perturbed(rng, x.astype(float), bound))).all()
    assert (found.carried[(bound == 0) | (np.abs(x) > 1)] == 0).all()


def test_what_is_asked_of_numbers_that_are_no_numbers():
    x = np.array([1.0, np.nan, np.inf, -np.inf], np.float32)
    for function in (np.isnan, np.isinf):
        assert np.array_equal(function(exact(FLOAT32, x)).lowered(), function(x))
    unknown = bounded(FLOAT32, x[:1], np.array([np.inf]))
    assert np.isinf(np.isinf(unknown).carried).all()


@pytest.mark.parametrize(
    ("function", "domain"),
    [(np.log2, (1e-3, 50)), (np.log10, (1e-3, 50)), (np.exp2, (-30, 30)), (np.tan, (-4, 4))],
)
def test_elementary_functions(function, domain):
    rng = np.random.default_rng(2)
    x = rng.uniform(*domain, 2000).astype(np.float32)
    found = function(exact(FLOAT32, x))
    assert within(found, function(x)).all()
    assert np.median(found.carried / np.abs(found.lowered())) < 16 * 2.0**-24
    bound = np.abs(x) * rng.choice([1e-7, 1e-4], x.shape)
    found = function(bounded(FLOAT32, x, bound))
    for _ in range(20):
        assert within(found, function(perturbed(rng, x.astype(float), bound))).all()


def test_nobody_rounds_the_logarithm_of_nothing():
    for function in (np.log2, np.log10):
        with np.errstate(divide="ignore"):
            assert function(exact(FLOAT32, np.zeros(1, np.float32))).carried == 0
    assert np.exp2(exact(FLOAT32, np.array([-np.inf], np.float32))).carried == 0


def test_no_pole_of_the_tangent_is_passed_over():
    assert np.isinf(np.tan(bounded(FLOAT32, np.array([1.5]), np.array([0.1]))).carried).all()


def test_products_in_any_order():
    rng = np.random.default_rng(3)
    for spread, size in ((0.5, 3), (0.5, 40), (15, 6), (20, 4)):
        sizes = np.exp(spread * rng.standard_normal((50, size))).clip(1e-38, 1e38)
        x = (sizes * rng.choice([-1, 1], sizes.shape)).astype(np.float32)
        x[0, 0] = 0
        found = np.multiply.reduce(exact(FLOAT32, x), axis=-1)
        assert found.carried[0] == 0 or np.isinf(found.carried[0])
        for _ in range(30):
            with np.errstate(all="ignore"):
                observed = np.multiply.reduce(x[:, rng.permutation(size)], axis=-1, dtype=np.float32)
            assert within(found, observed).all()


def test_products_of_what_carries_a_bound():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 5))
    bound = rng.choice([0.0, 1e-5, 0.3], x.shape)
    found = np.prod(bounded(FLOAT32, x, bound), axis=-1)
    for _ in range(50):
        assert within(found, np.prod(perturbed(rng, x, bound), axis=-1)).all()
