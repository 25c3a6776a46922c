"""A number that carries its rounding bound.

A `Bounded` is a pair of arrays: `value`, evaluated in better arithmetic, and `bound`, how far any
admissible evaluation of the same expression can end from it. It answers to numpy's functions, so
the deck's formulas run on it as they stand, and out come the truth and the bound of each together.

For an operation c = a ∘ b, computed as ĉ = fl(â ∘ b̂):

    |ĉ − c| ≤ what the operands' bounds carry through ∘  +  the rounding of ∘ itself

Every term is non-negative; their own evaluation in float64 is covered by `SLACK`. A bound that is
infinite or NaN says that the arithmetic cannot tell: possible overflow, a zero divisor.
Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, chapters 2 to 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from parity.bounds.formats import Arithmetic
from parity.bounds.formats import arithmetic as arithmetic_of

Float64s: TypeAlias = npt.NDArray[np.float64]
Truths: TypeAlias = npt.NDArray[Any]

SLACK = 1 + 2.0**-32
"""Covers the rounding of the bounds' own evaluation: 2^21 float64 roundings of non-negative terms."""

EXACT: Float64s = np.zeros(())
"""The bound of a number that carries none."""


class OpenSum(NamedTuple):
    """A sum that may still be accumulated in any order, together with terms yet to be added."""

    roundings: int
    magnitude: Float64s  # Σ |term|, operands' bounds included
    carried: Float64s  # Σ of what the operands' bounds carry


class Bounded(NDArrayOperatorsMixin):
    """A truth `value` and a `bound` on every admissible evaluation of it; see the module.

    `bound` broadcasts against `value`. Where a positive number may have overflowed to infinity,
    `floor` holds the least it can be (NaN elsewhere): a reciprocal brings it back to below 1/floor.
    `kink` marks products with a slope (as ReLU's) that the bounds cannot decide: the bound holds, and
    says little.
    """

    __slots__ = ("arithmetic", "bound", "floor", "kink", "open_sum", "value")

    def __init__(
        self,
        arithmetic: Arithmetic,
        value: Truths,
        bound: Float64s,
        open_sum: OpenSum | None = None,
        floor: Float64s | None = None,
        kink: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.arithmetic = arithmetic
        self.value = np.asarray(value)
        self.bound = bound
        self.open_sum, self.floor, self.kink = open_sum, floor, kink

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def T(self) -> Bounded:
        """The transpose, as of an array."""
        return Bounded(self.arithmetic, self.value.T, self.bound.T)

    def __getitem__(self, index: slice | tuple[slice, slice]) -> Bounded:
        """A part of it, as of an array."""
        bound = EXACT if self.is_exact else np.broadcast_to(self.carried, self.shape)[index]
        return Bounded(self.arithmetic, self.value[index], bound)

    @property
    def is_exact(self) -> bool:
        return self.bound is EXACT

    @property
    def carried(self) -> Float64s:
        """`bound`, infinite where an evaluation may have overflowed."""
        if self.floor is None:
            return self.bound
        return np.where(np.isnan(self.floor), self.bound, np.inf)

    def lowered(self) -> Float64s:
        """Value, rounded to float64."""
        return self.arithmetic.lower(self.value)

    def magnitude(self) -> Float64s:
        """|value|, rounded to float64."""
        return self.arithmetic.lower(np.abs(self.value))

    def __bool__(self) -> bool:
        raise TypeError("a number that carries a bound cannot decide an `if`")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Bounded:
        rule = RULES.get((ufunc.__name__, method))
        if rule is None:
            raise TypeError(f"no rounding bound is known for numpy.{ufunc.__name__} ({method})")
        options.pop("out", None)  # always (None,): buffers are the engine's affair
        found = [value.arithmetic for value in inputs if isinstance(value, Bounded)]
        coarsest = max(
            found, key=lambda arithmetic: arithmetic.u
        )  # a double among floats is rounded to them
        return rule(*(_in(coarsest, value) for value in inputs), **options)


Rule: TypeAlias = Callable[..., Bounded]

RULES: dict[tuple[str, str], Rule] = {}
"""The rounding bound of each of numpy's functions that formulas use, by (name, method)."""


def rule(name: str, method: str = "__call__") -> Callable[[Rule], Rule]:
    """Enter a rule for a numpy function."""

    def enter(function: Rule) -> Rule:
        RULES[name, method] = function
        return function

    return enter


def exact(arithmetic: Arithmetic, floats: npt.ArrayLike) -> Bounded:
    """Floats that a side recorded: they are what they are."""
    return Bounded(arithmetic, arithmetic.lift(floats), EXACT)


def bounded(arithmetic: Arithmetic, floats: npt.ArrayLike, bound: Float64s) -> Bounded:
    """Floats known up to `bound`, which has their shape."""
    return Bounded(arithmetic, arithmetic.lift(floats), bound if np.any(bound) else EXACT)


def constant(arithmetic: Arithmetic, number: float) -> Bounded:
    """A constant of a formula: rounded to the side's format, unless it is one of its floats."""
    rounded = float(arithmetic.dtype.type(number))
    bound = EXACT if rounded == number else np.asarray(arithmetic.u * abs(number))
    return Bounded(arithmetic, arithmetic.lift(np.float64(number)), bound)


def doubles(judge: Arithmetic) -> Arithmetic:
    """The arithmetic of hyperparameters: double precision, also beside a network of float32."""
    return judge if judge.dtype == np.float64 else _doubles()


@cache
def _doubles() -> Arithmetic:
    return arithmetic_of(np.float64)


def rounded(judge: Arithmetic, number: float, roundings: int) -> Bounded:
    """A constant that came out of so many roundings."""
    return Bounded(judge, judge.lift(number), np.asarray(judge.gamma(roundings) * abs(number)))


def hold_both(x: Bounded, other: Bounded) -> Bounded:
    """x, with a bound that also holds every evaluation of another form of it."""
    apart = x.arithmetic.lower(np.abs(x.value - other.value))
    return Bounded(x.arithmetic, x.value, np.maximum(x.carried, apart + other.carried), kink=x.kink)


def _in(arithmetic: Arithmetic, number: Bounded | float | tuple[float, ...]) -> Bounded:
    """An operand in the format of an operation, which rounds what has a finer one."""
    if isinstance(number, tuple):  # constants, each the nearest number of the format
        return Bounded(arithmetic, arithmetic.lift(np.array(number, arithmetic.dtype)), EXACT)
    if not isinstance(number, Bounded):
        return constant(arithmetic, number)
    if number.arithmetic is arithmetic or number.arithmetic.u == arithmetic.u:
        return number
    value = number.lowered()
    if number.is_exact and value.size == 1:
        return constant(arithmetic, float(value))
    return Bounded(arithmetic, arithmetic.lift(value), number.carried + arithmetic.unit * np.abs(value))


def guarded(arithmetic: Arithmetic, magnitude: Float64s, bound: Float64s) -> Float64s:
    """`bound`, infinite where an evaluation of this `magnitude` may overflow the side's format."""
    if magnitude.size and not np.max(magnitude) <= arithmetic.largest:
        return np.where(magnitude <= arithmetic.largest, bound, np.inf)
    return bound


@dataclass(frozen=True)
class Rounding:
    """What one operation adds: `relative` to the result, and `absolute` for underflow."""

    relative: float
    absolute: float

    def close(self, arithmetic: Arithmetic, value: Truths, carried: Float64s) -> Bounded:
        """The result of an operation: its value, what it carried, and this rounding on top."""
        magnitude = arithmetic.lower(np.abs(value)) + carried
        bound = carried + (self.relative * magnitude + self.absolute)
        return Bounded(arithmetic, value, guarded(arithmetic, magnitude, bound))
