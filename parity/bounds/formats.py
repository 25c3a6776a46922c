"""Number formats, and the better arithmetic in which the truth of a formula is evaluated.

A certificate is relative to a contract: what an implementation may do to a number. It is stated
here and printed with every result: number format, rounding to nearest, any order of summation and
any blocking, fused multiply-add or not, subnormals kept or flushed (probed, not assumed), and
elementary functions good to K units in the last place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import flint
import numpy as np
import numpy.typing as npt

from reference.arrays import Array

ULP: dict[str, tuple[int, str]] = {
    "exp": (4, "numpy 2.35, torch 0.6 ulp in float32, observed; glibc manual: 1"),
    "exp2": (4, "as exp"),
    "expm1": (4, "as log1p; glibc manual: 1 to 2"),
    "log": (4, "as exp; glibc manual: 1"),
    "log1p": (4, "numpy 1.78, torch 0.6 ulp in float32, observed; glibc manual: 2"),
    "tanh": (4, "numpy 1.37, torch 0.6 ulp in float32, observed; glibc manual: 2"),
    "cosh": (4, "as exp; glibc manual: 2"),
    "sinh": (4, "as exp; glibc manual: 2"),
    "erf": (
        6,
        "absolute, of 1: oneDNN's, which torch's GELU asks; calibrated, 5.72 seen: "
        "tests/reports/calibrate_erf.py",
    ),
    "pow": (4, "glibc manual: 1; numpy as exp"),
    "sqrt": (1, "IEEE 754: correctly rounded; one ulp leaves room for a Newton step"),
}
"""K, in units in the last place, for each elementary function, with its source.

An input of the contract, never a tolerance on a result."""

BALL_BITS = 128
"""Precision of ball arithmetic, in bits."""


@dataclass(frozen=True)
class Arithmetic:
    """A side's number format, and the arithmetic that judges it.

    `u` is half a unit in the last place of 1, `eta` what one underflow can lose, `largest` the
    largest finite number; `u_truth` is the unit of the truth's own evaluation, always added.
    """

    dtype: np.dtype[np.generic]
    u: float
    eta: float
    largest: float
    truth: str
    u_truth: float
    flushes: bool

    @property
    def unit(self) -> float:
        """What one rounded operation can move a number by, relatively, the truth's own included."""
        return self.u + self.u_truth

    def gamma(self, roundings: float) -> float:
        """γ_k = k u / (1 − k u), the deterministic bound of k roundings (Higham, 2002, §3.1).

        Infinite where k u ≥ 1, beyond which nothing is known.
        """
        ku = roundings * self.unit
        return ku / (1 - ku) if ku < 1 else float("inf")

    def lift(self, exact: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Floats of the side, as numbers of the truth's arithmetic; exact."""
        array = np.asarray(exact)
        if self.truth == "ball":
            return np.asarray(_to_ball(array.astype(np.float64)), dtype=object)
        return array.astype(np.longdouble if self.truth == "longdouble" else np.float64)

    def lower(self, truth: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Numbers of the truth's arithmetic, rounded to float64; for magnitudes and display."""
        return np.asarray(truth).astype(np.float64)  # operations on 0-d object arrays return bare balls

    def special(self, name: str, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A function that numpy lacks, by ball arithmetic; into longdouble as two doubles, high and low."""
        with self.precision():
            balls = np.asarray(_BALL[name](values if self.truth == "ball" else _wide_to_ball(values)))
            if self.truth == "ball":
                return balls
            high: npt.NDArray[np.float64] = balls.astype(np.float64)
            if self.truth == "float64":
                return high
            low = np.asarray(balls - np.asarray(_to_ball(high))).astype(np.float64)
            return high.astype(np.longdouble) + low

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Ball arithmetic's precision is a global of its library: set here, restored on leaving."""
        before, flint.ctx.prec = flint.ctx.prec, BALL_BITS
        try:
            yield
        finally:
            flint.ctx.prec = before


_to_ball = np.frompyfunc(lambda value: flint.arb(float(value)), 1, 1)


def _erf(ball: flint.arb) -> flint.arb:
    """erf; of ±∞, which a ball's own erf does not know, ±1."""
    return ball.erf() if ball.is_finite() or ball.is_nan() else flint.arb(1 if ball > 0 else -1)


_BALL = {"erf": np.frompyfunc(_erf, 1, 1)}


def _wide_to_ball(values: npt.NDArray[np.generic]) -> npt.NDArray[np.object_]:
    """Floats of up to 106 bits, as balls: their high and low halves are doubles."""
    high = values.astype(np.float64)
    rest = np.subtract(values, high, dtype=values.dtype).astype(np.float64)
    low = np.where(np.isfinite(high), rest, 0.0)
    return np.asarray(_to_ball(high) + _to_ball(low), dtype=object)


def wide_longdouble() -> bool:
    """Whether numpy's longdouble has the 64-bit significand (or more) that float64 can be judged by."""
    return bool(np.finfo(np.longdouble).nmant >= 63)


def arithmetic(dtype: npt.DTypeLike, truth: str | None = None) -> Arithmetic:
    """The arithmetic that judges a side computing in `dtype`.

    float32 is judged in float64. float64 is judged in longdouble where that is wide enough and in
    128-bit ball arithmetic elsewhere; whatever longdouble would reject, balls decide. `truth`
    ("float64", "longdouble", "ball") asks for one by name.

    Raises ValueError for a dtype that is neither, or a truth not better than it.
    """
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype: float32 or float64, not {kind}")
    units = {"float64": 2.0**-53, "longdouble": 2.0**-64, "ball": 2.0**-120}
    single = kind == np.dtype(np.float32)
    if truth is None:
        truth = "float64" if single else "longdouble" if wide_longdouble() else "ball"
    if truth not in units or (truth == "float64" and not single):
        raise ValueError(f"truth: {truth!r} cannot judge {kind}")
    info = np.finfo(np.float32 if single else np.float64)
    flushes = flushes_subnormals(kind)
    # Half the smallest subnormal; for float64 that half is no float64 itself, so the whole.
    subnormal = float(info.smallest_subnormal) / (2 if single else 1)
    eta = float(info.smallest_normal) if flushes else subnormal
    return Arithmetic(kind, float(info.eps) / 2, eta, float(info.max), truth, units[truth], flushes)


def flushes_subnormals(dtype: npt.DTypeLike) -> bool:
    """Whether this thread flushes subnormal results to zero; `torch.set_flush_denormal` makes it so.

    A product that should be subnormal is computed and looked at.
    """
    tiny: Array = np.full(2, np.finfo(dtype).smallest_normal, dtype)
    return bool((tiny * tiny.dtype.type(0.5))[0] == 0)
