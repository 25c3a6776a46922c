"""Number formats, and the better arithmetic in which the truth of a formula is evaluated.

A certificate is relative to a contract: what an implementation may do to a number. It is stated
here and printed with every result: number format, rounding to nearest, any order of summation and
any blocking, fused multiply-add or not, subnormals kept or flushed (probed, not assumed), and
elementary functions good to K units in the last place.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from parity.bounds import balls
from reference.arrays import Array

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


@dataclass(frozen=True)
class Format:
    """A number format: how numbers are stored, and the format in which they are computed.

    `u` is half a unit in the last place of 1, `eta` half the smallest subnormal, `largest` the largest
    finite number. `numpy` is the dtype that holds its numbers, with bits to spare where numpy does not
    know the format; `torch` is its name in `torch`. Sums and products are accumulated in the format
    `inside`, whose results are rounded out once. `truth` judges; `digits` significant digits tell each
    number from its neighbours.
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
    """A format of `bits` significant bits and largest exponent `exponent`, as IEEE 754 makes them."""
    least = 2.0 ** (1 - exponent)
    # Half of float64's smallest subnormal is no float64 itself, so there it is the whole.
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
"""Every format that a certificate can be about, by name."""

COMPUTED = tuple(name for name, row in FORMATS.items() if row.inside == name)
"""The formats that both sides compute in: float32 and float64."""


def format_of(dtype: npt.DTypeLike) -> Format:
    """A row of the table, by its name or by numpy's dtype. Raises ValueError for another."""
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in FORMATS:
        raise ValueError(f"dtype: {', '.join(FORMATS)}, not {name}")
    return FORMATS[name]


UNITS = {"float64": 2.0**-53, "longdouble": 2.0**-64, "ball": 2.0**-120}
"""The unit of each arithmetic that evaluates a truth."""


@dataclass(frozen=True)
class Arithmetic:
    """A side's number format, and the arithmetic that judges it.

    `u` is half a unit in the last place of 1, `eta` what one underflow can lose, `largest` the
    largest finite number; `u_truth` is the unit of the truth's own evaluation, always added. What has
    been computed is rounded out to `storage`, once, where that is a coarser format than the one inside.
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
        """What one rounded operation can move a number by, relatively, the truth's own included."""
        return self.u + self.u_truth

    def gamma(self, roundings: float) -> float:
        """γ_k = k u / (1 − k u), the deterministic bound of k roundings (Higham, 2002, §3.1).

        Infinite where k u ≥ 1, beyond which nothing is known.
        """
        ku = roundings * self.unit
        return ku / (1 - ku) if ku < 1 else float("inf")

    def gammas(self, roundings: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        """γ_k for each k of an array."""
        ku = roundings * self.unit
        return np.where(ku < 1, ku / np.where(ku < 1, 1 - ku, 1), np.inf)

    @property
    def overflow(self) -> float:
        """Results up to here are rounded to finite numbers: the largest and half a unit, nearly."""
        return self.largest * (1 + self.u / 2)

    def lift(self, exact: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Floats of the side, as numbers of the truth's arithmetic; exact."""
        array = np.asarray(exact)
        if self.truth == "ball":
            return balls.from_floats(array.astype(np.float64))
        return array.astype(np.longdouble if self.truth == "longdouble" else np.float64)

    def lower(self, truth: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Numbers of the truth's arithmetic, rounded to float64; for magnitudes and display."""
        return np.asarray(truth).astype(np.float64)  # operations on 0-d object arrays return bare balls

    def special(self, name: str, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A function that numpy lacks, by ball arithmetic."""
        with self.precision():
            found = balls.special(
                name, values.astype(object) if self.truth == "ball" else balls.from_floats(values)
            )
            if self.truth == "ball":
                return found
            return found.astype(np.float64) if self.truth == "float64" else balls.to_longdouble(found)

    def precision(self) -> AbstractContextManager[None]:
        """The precision that ball arithmetic is to have, where that is the truth's."""
        return balls.precision()


def wide_longdouble() -> bool:
    """Whether numpy's longdouble has the 64-bit significand (or more) that float64 can be judged by."""
    return bool(np.finfo(np.longdouble).nmant >= 63)


def arithmetic(dtype: npt.DTypeLike, truth: str | None = None) -> Arithmetic:
    """The arithmetic that judges a side computing in `dtype`, a name of `FORMATS` or numpy's dtype.

    float32 and what is shorter are judged in float64. float64 is judged in longdouble where that is
    wide enough and in 128-bit ball arithmetic elsewhere; whatever longdouble would reject, balls
    decide. `truth` ("float64", "longdouble", "ball") asks for one by name.

    Raises ValueError for a dtype that is none of these, or a truth not better than it.
    """
    storage = format_of(dtype)
    return replace(rounding_each(FORMATS[storage.inside], truth), storage=storage)


def rounding_each(row: Format, truth: str | None = None) -> Arithmetic:
    """The arithmetic that rounds every result to this format, as a program without a wider one does.

    Raises ValueError for a truth not better than the format.
    """
    if truth is None:
        truth = "ball" if row.truth == "longdouble" and not wide_longdouble() else row.truth
    if truth not in UNITS or UNITS[truth] >= row.u:
        raise ValueError(f"truth: {truth!r} cannot judge {row.name}")
    flushes = flushes_subnormals(row.numpy)
    eta = row.least_normal if flushes else row.eta
    return Arithmetic(row.numpy, row.u, eta, row.largest, truth, UNITS[truth], flushes, row)


def flushes_subnormals(dtype: npt.DTypeLike) -> bool:
    """Whether this thread flushes subnormal results to zero; `torch.set_flush_denormal` makes it so.

    A product that should be subnormal is computed and looked at.
    """
    tiny: Array = np.full(2, np.finfo(dtype).smallest_normal, dtype)
    return bool((tiny * tiny.dtype.type(0.5))[0] == 0)
