"""erf of floats against balls: the errors that its docstring derives."""

from __future__ import annotations

import numpy as np
import pytest

from parity.bounds import balls
from parity.bounds.error_function import FARTHEST, NODES_IN_ONE, erf, erf_of_longdoubles
from parity.bounds.formats import wide_longdouble

RANDOM = np.random.default_rng(8)


def _points(dtype):
    """All ranges, both signs, the middles between two nodes and their neighbours, very small numbers."""
    middles = (np.arange(2 * 7 * NODES_IN_ONE) / dtype(2 * NODES_IN_ONE)).astype(dtype)
    beside = [np.nextafter(middles, dtype(sign)) for sign in (-9, 9)]
    fine = RANDOM.standard_normal(4000).astype(dtype) * dtype(2) ** -50
    spread = RANDOM.uniform(-7, 7, 4000).astype(dtype) + fine
    small = dtype(10) ** RANDOM.uniform(-300, 0, 500).astype(dtype)
    return np.concatenate([middles, *beside, spread, small, -small])


def _worst(found, points):
    with balls.precision():
        apart = balls.from_floats(found) - balls.special("erf", balls.from_floats(points))
        return max(abs(float(one)) for one in apart)


def test_in_float64():
    points = _points(np.float64)
    assert _worst(erf(points), points) <= 2.0**-52


@pytest.mark.skipif(not wide_longdouble(), reason="longdouble has no 64 bits here")
def test_in_longdouble():
    points = _points(np.longdouble)
    assert _worst(erf_of_longdoubles(points), points) <= 3 * 2.0**-64


@pytest.mark.parametrize(("function", "dtype"), [(erf, np.float64), (erf_of_longdoubles, np.longdouble)])
def test_at_the_ends(function, dtype):
    points = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, FARTHEST, 30.0, -30.0], dtype)
    with np.errstate(invalid="ignore"):  # a signal of the NaN, or of ∞ − ∞, as the rules have it
        found = function(points)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array([1, -1, np.nan, 0, -0.0, 1, 1, -1], dtype))
    assert np.signbit(found[4])
    assert function(np.ones((2, 0, 3), dtype)).shape == (2, 0, 3)
    assert function(np.array(0.5, dtype)).shape == ()
