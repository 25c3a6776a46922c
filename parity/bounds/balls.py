"""Ball arithmetic of python-flint: intervals that enclose the exact value, where floats are not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import flint
import numpy as np
import numpy.typing as npt

Balls: TypeAlias = npt.NDArray[np.object_]

BITS = 128
"""Precision of ball arithmetic, in bits."""


@contextmanager
def precision() -> Iterator[None]:
    """Context that sets the library's global precision to `BITS` and restores it on exit."""
    before, flint.ctx.prec = flint.ctx.prec, BITS
    try:
        yield
    finally:
        flint.ctx.prec = before


_to_ball = np.frompyfunc(lambda value: flint.arb(float(value)), 1, 1)


def from_floats(values: npt.NDArray[np.generic]) -> Balls:
    """Floats of up to 106 bits as exact balls, built from two doubles, high and low."""
    high = values.astype(np.float64)
    balls = np.asarray(_to_ball(high), dtype=object)
    if values.dtype.itemsize <= high.dtype.itemsize:
        return balls
    rest = np.subtract(values, high, dtype=values.dtype).astype(np.float64)
    return np.asarray(balls + _to_ball(np.where(np.isfinite(high), rest, 0.0)), dtype=object)


def to_longdouble(balls: Balls) -> npt.NDArray[np.longdouble]:
    """The nearest longdoubles, computed from two doubles each, high and low."""
    high = balls.astype(np.float64)
    low = np.asarray(balls - from_floats(high)).astype(np.float64)
    return high.astype(np.longdouble) + low


def special(name: str, balls: Balls) -> Balls:
    """Apply a function that numpy lacks, or that a ball does not support on its whole domain."""
    return np.asarray(_SPECIAL[name](balls), dtype=object)


def _erf(ball: flint.arb) -> flint.arb:
    """erf, with erf(±∞) = ±1, which a ball's own erf does not return."""
    return ball.erf() if ball.is_finite() or ball.is_nan() else flint.arb(1 if ball > 0 else -1)


def _log(ball: flint.arb) -> flint.arb:
    """log, with log 0 = −∞, which a ball's own log does not return."""
    return flint.arb.neg_inf() if ball == 0 else ball.log()


def _arctan(ball: flint.arb) -> flint.arb:
    """arctan, with arctan(±∞) = ±π/2, which a ball's own does not return."""
    return ball.atan() if ball.is_finite() or ball.is_nan() else flint.arb.pi() / (2 if ball > 0 else -2)


_SPECIAL = {
    "erf": np.frompyfunc(_erf, 1, 1),
    "log": np.frompyfunc(_log, 1, 1),
    "arctan": np.frompyfunc(_arctan, 1, 1),
    "arcsin": np.frompyfunc(flint.arb.asin, 1, 1),
    "arccos": np.frompyfunc(flint.arb.acos, 1, 1),
    "arcsinh": np.frompyfunc(flint.arb.asinh, 1, 1),
    "arccosh": np.frompyfunc(flint.arb.acosh, 1, 1),
    "arctanh": np.frompyfunc(flint.arb.atanh, 1, 1),
}


def power(x: Balls, y: Balls) -> Balls:
    """x ** y, including bases that are not positive, which a ball's own power does not support."""
    return np.asarray(_power(x, y), dtype=object)


def _power_of(x: flint.arb, y: flint.arb) -> flint.arb:
    whole = y.unique_fmpz()
    if whole is not None:
        return x**whole
    return flint.arb(0) if x == 0 and y > 0 else x**y


_power = np.frompyfunc(_power_of, 2, 1)


def product(x: Balls, y: Balls) -> Balls:
    """x @ y of arrays with at least two axes; leading axes broadcast."""
    if x.ndim == y.ndim == 2:
        matrix = flint.arb_mat(x.tolist()) * flint.arb_mat(y.tolist())
        return np.array(matrix.entries(), dtype=object).reshape(x.shape[0], y.shape[1])
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = np.broadcast_to(x, batch + x.shape[-2:])
    y = np.broadcast_to(y, batch + y.shape[-2:])
    result = np.empty((*batch, x.shape[-2], y.shape[-1]), dtype=object)
    for place in np.ndindex(batch):
        result[place] = product(x[place], y[place])
    return result
