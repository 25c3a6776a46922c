"""Number formats, and the more precise arithmetic in which the truth of a formula is evaluated.

A certificate is relative to a contract, which states the rounding that an implementation may do. The
contract is defined here and printed with every result: number format, rounding to nearest, any order
of summation and any blocking, fused multiply-add or not, subnormals kept or flushed (probed, not
assumed), and elementary functions accurate to K units in the last place.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from parity.bounds import balls
from parity.bounds.branches import array_of
from parity.bounds.error_function import erf, erf_of_longdoubles
from reference.arrays import Array, primitive

ULP: dict[str, tuple[int, str]] = {
    "exp": (4, "numpy 2.35, torch 0.6 ulp in float32, observed; glibc manual: 1"),
    "exp2": (4, "as exp"),
    "exp_u20": (
        6,
        "torch's own faster exp in float32, of its attention: calibrated, 5.49 seen; its comment: 20",
    ),
    "expm1": (4, "as log1p; glibc manual: 1 to 2"),
    "log": (4, "as exp; glibc manual: 1"),
    "log2": (4, "as log"),
    "log10": (4, "as log; glibc manual: 2"),
    "log1p": (4, "numpy 1.78, torch 0.6 ulp in float32, observed; glibc manual: 2"),
    "tanh": (4, "numpy 1.37, torch 0.6 ulp in float32, observed; glibc manual: 2"),
    "cosh": (4, "as exp; glibc manual: 2"),
    "sinh": (4, "as exp; glibc manual: 2"),
    "sin": (4, "numpy 1.46, torch 0.61 ulp in float32, observed; glibc manual: 1"),
    "cos": (4, "as sin"),
    "tan": (4, "as sin; glibc manual: 1"),
    **dict.fromkeys(
        ("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"), (4, "as sin; glibc manual: 1 to 3")
    ),
    "erf": (
        6,
        "absolute, of 1: oneDNN's, which torch's GELU asks; calibrated, 5.72 seen: "
        "tests/reports/calibrate_erf.py",
    ),
    "pow": (4, "glibc manual: 1; numpy as exp"),
    "sqrt": (1, "IEEE 754: correctly rounded; one ulp leaves room for a Newton step"),
}
"""K, in units in the last place, for each elementary function, with its source.

This is a premise of the contract, not a tolerance on a result."""


@dataclass(frozen=True)
class Format:
    """A number format: how numbers are stored, and the format in which they are computed.

    `u` is half a unit in the last place of 1, `eta` half the smallest subnormal, `largest` the largest
    finite number. `numpy` is the dtype that holds its numbers, a wider one if numpy lacks the format;
    `torch` is its name in `torch`. Sums and products are accumulated in the format `inside`, and the
    result is rounded once to this format. `truth` is the arithmetic that judges it; `digits` significant
    digits distinguish each number from its neighbours.
    """

    name: str
    numpy: np.dtype[np.generic]
    torch: str
    safetensors: str
    u: float
    eta: float
    least_normal: float
    largest: float
    inside: str
    truth: str
    digits: int


def _row(
    name: str, dtype: npt.DTypeLike, code: str, bits: int, exponent: int, inside: str, digits: int
) -> Format:
    """A format with `bits` significant bits and largest exponent `exponent`, as defined by IEEE 754."""
    least = 2.0 ** (1 - exponent)
    # Half of float64's smallest subnormal is not a float64, so for float64 the whole is used.
    eta = max(least * 2.0**-bits, 2.0**-1074)
    largest = (2 - 2.0 ** (1 - bits)) * 2.0**exponent
    truth = "longdouble" if bits == 53 else "float64"
    return Format(name, np.dtype(dtype), name, code, 2.0**-bits, eta, least, largest, inside, truth, digits)


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        _row("float32", np.float32, "F32", 24, 127, "float32", 9),
        _row("float64", np.float64, "F64", 53, 1023, "float64", 17),
        _row("bfloat16", np.float32, "BF16", 8, 127, "float32", 4),
        _row("float16", np.float16, "F16", 11, 15, "float32", 5),
    )
}
"""All formats that can be certified, by name."""

COMPUTED = tuple(name for name, row in FORMATS.items() if row.inside == name)
"""The formats in which both sides can compute: float32 and float64."""


def digits_of(dtype: npt.DTypeLike) -> int:
    """Digits that tell every two numbers of a dtype apart; of indices, those of any of them."""
    known = FORMATS.get(np.dtype(dtype).name)
    return known.digits if known else len(str(np.iinfo(np.int64).max))


def format_of(dtype: npt.DTypeLike) -> Format:
    """A format by its name or numpy dtype. Raises ValueError for an unknown one."""
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in FORMATS:
        raise ValueError(f"dtype: {', '.join(FORMATS)}, not {name}")
    return FORMATS[name]


@primitive(1)
def erf_of_floats(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """erf of doubles or longdoubles; a primitive, so that a plan records it as one call."""
    return erf_of_longdoubles(values) if values.dtype == np.longdouble else erf(values.astype(np.float64))


UNITS = {"float64": 2.0**-53, "longdouble": 2.0**-64, "ball": 2.0**-120}
"""Unit roundoff of each arithmetic in which truths are evaluated."""


@dataclass(frozen=True)
class Arithmetic:
    """A side's number format, and the arithmetic that judges it.

    `u` is half a unit in the last place of 1, `eta` the largest error of one underflow, `largest` the
    largest finite number; `u_truth` is the unit roundoff of the truth's own evaluation, always added.
    A computed result is rounded once to `storage`, if that is coarser than the format of computation.
    """

    dtype: np.dtype[np.generic]
    u: float
    eta: float
    largest: float
    truth: str
    u_truth: float
    flushes: bool
    storage: Format

    @property
    def unit(self) -> float:
        """Largest relative error of one rounded operation, including the truth's own rounding."""
        return self.u + self.u_truth

    def gamma(self, roundings: float) -> float:
        """γ_k = k u / (1 − k u), the deterministic bound of k roundings (Higham, 2002, §3.1).

        Infinite if k u ≥ 1, where no bound is known.
        """
        ku = roundings * self.unit
        return ku / (1 - ku) if ku < 1 else float("inf")

    def gammas(self, roundings: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        """γ_k for each k of an array."""
        most = int(np.max(roundings, initial=0))
        if most < roundings.size:  # few counts that come again and again
            return self._gammas(np.arange(most + 1))[roundings]
        return self._gammas(roundings)

    def _gammas(self, roundings: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        ku = roundings * self.unit
        return np.where(ku < 1, ku / np.where(ku < 1, 1 - ku, 1), np.inf)

    @property
    def overflow(self) -> float:
        """Largest result that surely rounds to a finite number: `largest` plus almost half a unit."""
        return self.largest * (1 + self.u / 2)

    def lift(self, exact: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Floats of the side converted to the truth's arithmetic, exactly."""
        array = array_of(exact)
        if self.truth == "ball":
            return balls.from_floats(array.astype(np.float64))
        return array.astype(np.longdouble if self.truth == "longdouble" else np.float64, copy=False)

    def lower(self, truth: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Numbers of the truth's arithmetic rounded to float64, for magnitudes and display; ∞ beyond it."""
        array = array_of(truth)  # operations on 0-d object arrays return bare balls
        with np.errstate(over="ignore"):
            return array.astype(np.float64, copy=False)

    def special(self, name: str, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A function that numpy lacks: erf of floats by `error_function`, all else in ball arithmetic."""
        if name == "erf" and self.truth != "ball":
            return erf_of_floats(values)
        with self.precision():
            found = balls.special(
                name, values.astype(object) if self.truth == "ball" else balls.from_floats(values)
            )
            if self.truth == "ball":
                return found
            return found.astype(np.float64) if self.truth == "float64" else balls.to_longdouble(found)

    def precision(self) -> AbstractContextManager[None]:
        """Context that sets the precision of ball arithmetic, if the truth uses it."""
        return balls.precision()


def wide_longdouble() -> bool:
    """Whether numpy's longdouble has at least the 64-bit significand needed to judge float64."""
    return bool(np.finfo(np.longdouble).nmant >= 63)


def arithmetic(dtype: npt.DTypeLike, truth: str | None = None) -> Arithmetic:
    """The arithmetic that judges a side computing in `dtype`, a name of `FORMATS` or numpy's dtype.

    float32 and shorter formats are judged in float64. float64 is judged in longdouble if that is wide
    enough, else in 128-bit ball arithmetic; numbers that longdouble would reject are decided by balls.
    `truth` ("float64", "longdouble", "ball") selects one by name.

    Raises ValueError for an unknown dtype, or a truth that is not more precise than it.
    """
    storage = format_of(dtype)
    return replace(rounding_each(FORMATS[storage.inside], truth), storage=storage)


def rounding_each(row: Format, truth: str | None = None) -> Arithmetic:
    """The arithmetic of a program that rounds every single result to this format.

    Raises ValueError for a truth that is not more precise than the format.
    """
    if truth is None:
        truth = "ball" if row.truth == "longdouble" and not wide_longdouble() else row.truth
    if truth not in UNITS or UNITS[truth] >= row.u:
        raise ValueError(f"truth: {truth!r} cannot judge {row.name}")
    flushes = flushes_subnormals(row.numpy)
    eta = row.least_normal if flushes else row.eta
    return Arithmetic(row.numpy, row.u, eta, row.largest, truth, UNITS[truth], flushes, row)


def flushes_subnormals(dtype: npt.DTypeLike) -> bool:
    """Whether this thread flushes subnormal results to zero, as after `torch.set_flush_denormal`.

    Tested by computing a product whose result is subnormal.
    """
    tiny: Array = np.full(2, np.finfo(dtype).smallest_normal, dtype)
    return bool((tiny * tiny.dtype.type(0.5))[0] == 0)
