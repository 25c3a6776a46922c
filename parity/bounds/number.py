"""A number that carries its rounding bound.

A `Bounded` is a pair of arrays: `value`, evaluated in more precise arithmetic, and `bound`, the largest
distance from it that any admissible evaluation of the same expression can have. It implements numpy's
functions, so the deck's formulas run on it unchanged and return the truth together with its bound.

For an operation c = a ∘ b, computed as ĉ = fl(â ∘ b̂):

    |ĉ − c| ≤ what the operands' bounds carry through ∘  +  the rounding of ∘ itself

Every term is non-negative; the rounding of their evaluation in float64 is covered by `SLACK`. A bound
that is infinite or NaN means that nothing is known: possible overflow, or a divisor that may be zero.
Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, chapters 2 to 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from parity.bounds.branches import array_of, is_recorded
from parity.bounds.formats import Arithmetic
from parity.bounds.formats import arithmetic as arithmetic_of
from parity.bounds.overflow import Float64s, guarded
from parity.bounds.remembered import Remembered
from parity.bounds.unknown import UnknownBoundError
from reference.arrays import Array

Truths: TypeAlias = npt.NDArray[Any]

SLACK = 1 + 2.0**-32
"""Covers the rounding of the bounds' own evaluation: 2^21 float64 roundings of non-negative terms."""

EXACT: Float64s = np.zeros(())
"""The bound of an exact number: 0."""


class OpenSum(NamedTuple):
    """A sum to which more terms may be added, all accumulated in any order.

    `roundings` is one count for all numbers of the sum, or an array with one for each.
    """

    roundings: int | npt.NDArray[np.int_]
    magnitude: Float64s  # Σ |term|, operands' bounds included
    carried: Float64s  # Σ of what the operands' bounds carry


class Bounded(NDArrayOperatorsMixin):
    """A true `value` with a `bound` for every admissible evaluation of it; see the module's docstring.

    `bound` broadcasts against `value`. Where a positive number may have overflowed to infinity,
    `floor` is its smallest possible value (NaN elsewhere): its reciprocal is then at most 1/floor.
    Where a negative number may have overflowed, as when the lowest number is used as a mask, `bound` is
    infinite and `ceiling` is its largest possible value (NaN elsewhere): e^x is then nearly 0.
    `kink` marks products with a slope, such as ReLU's, that the bounds cannot decide: the bound is valid
    but too wide to be useful.
    """

    __slots__ = ("arithmetic", "bound", "ceiling", "floor", "kink", "open_sum", "value")

    def __init__(
        self,
        arithmetic: Arithmetic,
        value: Truths,
        bound: Float64s,
        open_sum: OpenSum | None = None,
        floor: Float64s | None = None,
        kink: npt.NDArray[np.bool_] | None = None,
        ceiling: Float64s | None = None,
    ) -> None:
        self.arithmetic = arithmetic
        self.value = array_of(value)
        self.bound = bound
        self.open_sum, self.floor, self.kink, self.ceiling = open_sum, floor, kink, ceiling

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> str:
        """The name of the storage format, as `cast` takes it."""
        return self.arithmetic.storage.name

    @property
    def T(self) -> Bounded:
        """The transpose, like `numpy.ndarray.T`."""
        return self.moved(np.transpose)

    def transpose(self, *axes: Any) -> Bounded:
        """Permute the axes, like `numpy.ndarray.transpose`."""
        return self.moved(lambda part: part.transpose(*axes))

    def swapaxes(self, one: int, other: int) -> Bounded:
        """Exchange two axes, like `numpy.ndarray.swapaxes`."""
        return self.moved(lambda part: part.swapaxes(one, other))

    def reshape(self, *shape: Any) -> Bounded:
        """The same numbers in another shape, like `numpy.ndarray.reshape`."""
        return self.moved(lambda part: part.reshape(*shape))

    def __getitem__(self, index: Any) -> Bounded:
        """A part of the numbers, with any index that an array takes."""
        return self.moved(lambda part: part[index])

    def moved(self, move: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Bounded:
        """The numbers moved by `move`, with their bounds; a movement does not round."""

        def along(part: Any) -> Any:  # a part that is shared by all numbers is not moved
            return part if part is None or np.ndim(part) == 0 else move(np.broadcast_to(part, self.shape))

        open_sum = self.open_sum and OpenSum(*map(along, self.open_sum))
        return Bounded(
            self.arithmetic,
            move(self.value),
            along(self.bound),
            open_sum,
            along(self.floor),
            along(self.kink),
            along(self.ceiling),
        )

    @property
    def is_exact(self) -> bool:
        return self.bound is EXACT

    @property
    def carried(self) -> Float64s:
        """`bound`, but infinite where an evaluation may have overflowed."""
        if self.floor is None:
            return self.bound
        return np.where(np.isnan(self.floor), self.bound, np.inf)

    def lowered(self) -> Float64s:
        """The value rounded to float64."""
        return self.arithmetic.lower(self.value)

    def magnitude(self) -> Float64s:
        """|value| rounded to float64."""
        return self.arithmetic.lower(np.abs(self.value))

    def __bool__(self) -> bool:
        raise TypeError("a number that carries a bound cannot decide an `if`")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Bounded:
        """The rule of a ufunc or a primitive of `reference.arrays`. Raises UnknownBoundError."""
        found = RULES.get((ufunc.__name__, method))
        if found is None:
            raise UnknownBoundError(f"{ufunc.__name__} ({method})")
        options.pop("out", None)  # always (None,): only the engine uses buffers
        if not options and all(_is_single(value) for value in inputs):
            return _REMEMBERED.get((ufunc.__name__, method), inputs, lambda: found.on(inputs, options))
        return found.on(inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Apply the rule of a numpy function that is not a ufunc; most of them only move numbers."""
        found = RULES.get((function.__name__, "__array_function__"))
        if found is None:
            raise UnknownBoundError(function.__name__)
        return found.function(*inputs, **options)


class BoundRule(NamedTuple):
    """The bound of one function: a function of `Bounded` operands, except at the positions in `data`."""

    function: Callable[..., Bounded]
    data: tuple[int, ...]

    def on(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> Bounded:
        """Apply the rule, in the coarsest format of its operands."""
        judge = coarsest(inputs)
        operands = (
            value if place in self.data else in_format(judge, value) for place, value in enumerate(inputs)
        )
        return self.function(*operands, **options)


def _is_single(value: Any) -> bool:
    if isinstance(value, Bounded):
        return value.value.ndim == 0 and not is_recorded(value.value)
    return isinstance(value, bool | int | float)


_REMEMBERED: Remembered[Bounded] = Remembered()
"""Functions of single numbers, as of an optimizer's constants, which come again with every tensor."""

RULES: dict[tuple[str, str], BoundRule] = {}
"""The rule of each numpy function that formulas use, by (name, method)."""


def rule(
    name: str, method: str = "__call__", data: tuple[int, ...] = ()
) -> Callable[[Callable[..., Bounded]], Callable[..., Bounded]]:
    """Decorator that registers a rule for a numpy function; operands at `data` positions stay plain."""

    def enter(function: Callable[..., Bounded]) -> Callable[..., Bounded]:
        RULES[name, method] = BoundRule(function, data)
        return function

    return enter


def exact(arithmetic: Arithmetic, floats: npt.ArrayLike) -> Bounded:
    """Recorded floats of a side as exact numbers."""
    return Bounded(arithmetic, arithmetic.lift(floats), EXACT)


def bounded(arithmetic: Arithmetic, floats: npt.ArrayLike, bound: Float64s) -> Bounded:
    """Floats with a given bound of the same shape."""
    return Bounded(arithmetic, arithmetic.lift(floats), bound if np.any(bound) else EXACT)


def constant(arithmetic: Arithmetic, number: float | Float64s) -> Bounded:
    """A constant of a formula, with one rounding unless the side's format represents it exactly."""
    number = array_of(number).astype(np.float64)
    rounded = number.astype(arithmetic.dtype).astype(np.float64)
    bound = EXACT if rounded == number else array_of(arithmetic.u * np.abs(number) + arithmetic.eta)
    return Bounded(arithmetic, arithmetic.lift(number), bound)


def doubles(judge: Arithmetic) -> Arithmetic:
    """The arithmetic of hyperparameters: double precision, even for a network in float32."""
    return judge if judge.dtype == np.float64 else _doubles()


@cache
def _doubles() -> Arithmetic:
    return arithmetic_of(np.float64)


def rounded(judge: Arithmetic, number: float, roundings: int) -> Bounded:
    """A constant computed with a given number of roundings."""
    return Bounded(judge, judge.lift(number), np.asarray(judge.gamma(roundings) * abs(number)))


def hold_both(x: Bounded, other: Bounded) -> Bounded:
    """x, with its bound widened to include every evaluation of another form of it."""
    apart = x.arithmetic.lower(np.abs(x.value - other.value))
    return Bounded(x.arithmetic, x.value, np.maximum(x.carried, apart + other.carried), kink=x.kink)


def coarsest(operands: Iterable[Any]) -> Arithmetic:
    """The format in which an operation is done, the coarsest of its operands' formats."""
    found = [operand.arithmetic for operand in operands if isinstance(operand, Bounded)]
    return found[0] if len(found) == 1 else max(found, key=lambda arithmetic: arithmetic.u)


def in_format(arithmetic: Arithmetic, number: Bounded | Array | float | tuple[float, ...]) -> Bounded:
    """An operand converted to the format of an operation, rounded if its own format is finer.

    An array of floats or integers is data, exact unless the format rounds it. A tuple holds constants,
    each replaced by the nearest number of the format.
    """
    if isinstance(number, Bounded):
        if number.arithmetic is arithmetic or number.arithmetic.u == arithmetic.u:
            return number
        if number.size > 1 or (is_recorded(number.value) and not number.is_exact):
            return cast_to(arithmetic, number)
        if not number.is_exact:
            return _REMEMBERED.get(("cast", arithmetic), (number,), partial(cast_to, arithmetic, number))
        return constant(arithmetic, number.lowered().reshape(()))
    if isinstance(number, tuple):
        return Bounded(arithmetic, arithmetic.lift(np.array(number, arithmetic.dtype)), EXACT)
    if isinstance(number, np.ndarray):
        data = exact(arithmetic, number)
        return data if number.dtype in (arithmetic.dtype, np.bool_) else cast_to(arithmetic, data)
    return constant(arithmetic, number)


def cast_to(arithmetic: Arithmetic, x: Bounded) -> Bounded:
    """x in another format: u|x|, or 0 for exact numbers that the format represents; may overflow."""
    value = x.lowered()
    lifted = arithmetic.lift(value) if x.arithmetic.truth != arithmetic.truth else x.value
    if x.is_exact:
        kept = value.astype(arithmetic.dtype) == x.value
        if np.all(kept | np.isnan(value)):
            return Bounded(arithmetic, lifted, EXACT)
        bound = np.where(kept, 0.0, arithmetic.unit * np.abs(value) + arithmetic.eta)
    else:
        magnitude = np.abs(value) + x.carried
        bound = x.carried + arithmetic.unit * magnitude + arithmetic.eta
    return Bounded(arithmetic, lifted, guarded(np.abs(value) + x.carried, arithmetic.overflow, bound))
