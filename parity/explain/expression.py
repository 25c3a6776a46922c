"""Numbers that remember how they were computed: an equation's own function, run on them, writes itself out.

The formulas are numpy functions and take arrays of objects. An element of the result is then a tree of
sums, products and functions of the elements of the operands that it was computed from.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TypeAlias

Index: TypeAlias = tuple[int, ...]

BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow,
}  # fmt: skip
NEUTRAL = {("+", 0.0), ("*", 1.0), ("-", 0.0), ("/", 1.0), ("^", 1.0)}
"""Constants that change nothing, on the right of an operation or, of a sum or product, on either side."""


class Remembering:
    """A number with the operation and the numbers that it was computed from.

    `made` is an operation of `BINARY`, "neg", the name of a function of one number, or "" for an element
    of an operand (with its name and index) and for a constant.
    """

    __slots__ = ("index", "made", "operand", "parts", "value")

    def __init__(
        self,
        value: float,
        made: str = "",
        parts: tuple[Remembering, ...] = (),
        operand: int | None = None,
        index: Index = (),
    ) -> None:
        """Create a constant, an operand's element, or what an operation made of `parts`."""
        self.value, self.made, self.parts = float(value), made, parts
        self.operand, self.index = operand, index

    @property
    def is_constant(self) -> bool:
        """Whether the number depends on no operand."""
        return self.operand is None and not self.parts

    @property
    def leaves(self) -> Iterator[Remembering]:
        """The operands' elements in this number, in the order in which they first stand."""
        pending, seen = [self], set[int]()  # a part that stands in several places is one object
        while pending:
            number = pending.pop()
            if id(number) in seen:
                continue
            seen.add(id(number))
            if number.operand is not None:
                yield number
            pending += reversed(number.parts)

    def _with(self, made: str, other: object, *, swapped: bool = False) -> Remembering:
        that = other if isinstance(other, Remembering) else Remembering(float(other))  # type: ignore[arg-type]
        left, right = (that, self) if swapped else (self, that)
        for kept, constant in ((left, right), (right, left)):
            if constant.is_constant:
                if (made, constant.value) in NEUTRAL and (kept is left or made in "+*"):
                    return kept
                if (made, constant.value) == ("*", 0.0):
                    return constant
        try:
            value = BINARY[made](left.value, right.value)
        except ArithmeticError:
            value = math.nan
        value = value if isinstance(value, float) else math.nan
        fixed = left.is_constant and right.is_constant
        return Remembering(value) if fixed else Remembering(value, made, (left, right))

    def __add__(self, other: object) -> Remembering:
        return self._with("+", other)

    def __radd__(self, other: object) -> Remembering:
        return self._with("+", other, swapped=True)

    def __sub__(self, other: object) -> Remembering:
        return self._with("-", other)

    def __rsub__(self, other: object) -> Remembering:
        return self._with("-", other, swapped=True)

    def __mul__(self, other: object) -> Remembering:
        return self._with("*", other)

    def __rmul__(self, other: object) -> Remembering:
        return self._with("*", other, swapped=True)

    def __truediv__(self, other: object) -> Remembering:
        return self._with("/", other)

    def __rtruediv__(self, other: object) -> Remembering:
        return self._with("/", other, swapped=True)

    def __pow__(self, other: object) -> Remembering:
        return self._with("^", other)

    def __rpow__(self, other: object) -> Remembering:
        return self._with("^", other, swapped=True)

    def __neg__(self) -> Remembering:
        return Remembering(-self.value, "neg", (self,))

    def __pos__(self) -> Remembering:
        return self

    def __abs__(self) -> Remembering:
        return Remembering(abs(self.value), "abs", (self,))

    def __float__(self) -> float:
        return self.value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __lt__(self, other: object) -> bool:
        return self.value < float(other)  # type: ignore[arg-type]

    def __le__(self, other: object) -> bool:
        return self.value <= float(other)  # type: ignore[arg-type]

    def __gt__(self, other: object) -> bool:
        return self.value > float(other)  # type: ignore[arg-type]

    def __ge__(self, other: object) -> bool:
        return self.value >= float(other)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return self.value == float(other)  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Callable[[], Remembering]:
        """A function of `math`, such as `exp`: the way in which numpy's functions ask objects."""
        function = None if name.startswith("_") else getattr(math, name, None)
        if not callable(function):
            raise AttributeError(name)

        def call() -> Remembering:
            try:
                value = function(self.value)
            except (ValueError, OverflowError):
                value = math.nan
            return Remembering(value) if self.is_constant else Remembering(value, name, (self,))

        return call
