"""What stands in trees: operators, functions, and the ways in which a tensor is rearranged or cut down.

Each works on plain floats, for the sieve, and on numbers with bounds, for the proof. What only moves
or selects numbers moves their bounds along; what looks at a number to decide (a sign, a rounding) needs
one that is known exactly.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import numpy as np

from parity.bounds import Bounded, exact
from parity.bounds.formats import ULP
from reference.arrays import Array

Number: TypeAlias = Bounded | Array | float
Operation: TypeAlias = Callable[..., Number]


ULPS = 2 * ULP["tanh"][0]
"""Units of u that a library's elementary function may be off by."""


def moved(change: Callable[[Any], Any]) -> Operation:
    """Numbers in other places, some more than once, some not at all."""

    def operation(x: Number) -> Number:
        if not isinstance(x, Bounded):
            return cast(Number, change(np.asarray(x)))
        bound = x.bound if x.is_exact else change(np.broadcast_to(x.carried, x.shape))
        return Bounded(x.arithmetic, change(x.value), bound)

    return operation


def decided(change: Callable[[Any], Any]) -> Operation:
    """A function of numbers that are known exactly. Raises ValueError for others."""

    def operation(x: Number) -> Number:
        if not isinstance(x, Bounded):
            return cast(Number, change(np.asarray(x)))
        if not x.is_exact:
            raise ValueError("known up to a bound only")
        return exact(x.arithmetic, np.asarray(change(x.lowered()), dtype=x.arithmetic.dtype))

    return operation


def stepped(change: Callable[[Any], Any]) -> Operation:
    """A growing function, number by number: between its values at both ends of what a number can be."""

    def operation(x: Number) -> Number:
        if not isinstance(x, Bounded):
            return np.asarray(change(np.asarray(x)), dtype=np.float64)
        if x.is_exact:
            return decided(change)(x)
        value, bound = x.lowered(), np.broadcast_to(x.carried, x.shape)
        middle = np.asarray(change(value), dtype=np.float64)
        ends = [
            np.abs(np.asarray(change(value + way * bound), dtype=np.float64) - middle) for way in (-1, 1)
        ]
        return Bounded(x.arithmetic, x.arithmetic.lift(middle), np.maximum(*ends))

    return operation


def function(of: Callable[[Any], Any], steepest: Callable[[Any], Any]) -> Operation:
    """A function for which `parity.bounds` has no rule: `steepest` bounds its slope up to |x|."""

    def operation(x: Number) -> Number:
        if not isinstance(x, Bounded):
            return cast(Number, of(np.asarray(x)))
        if x.arithmetic.truth == "ball":
            raise ValueError("not in ball arithmetic")
        value = of(x.value)
        carried = x.carried * steepest(x.magnitude() + x.carried)
        return Bounded(
            x.arithmetic, value, carried + ULPS * x.arithmetic.unit * np.abs(x.arithmetic.lower(value))
        )

    return operation


def power(x: Any, exponent: float) -> Any:
    """x to a constant; to a small whole number, as the product that it is."""
    if exponent in (1, 2, 3, 4):
        found = x
        for _ in range(int(exponent) - 1):
            found = found * x
        return found
    if exponent in (-1, -2):
        return 1 / power(x, -exponent)
    return np.power(x, exponent)


def kept(index: Any) -> Operation:
    """Zeros but for a part."""

    def change(x: Any) -> Any:
        mask = np.zeros(x.shape)
        mask[index] = 1
        return x * mask

    return moved(change)


def dropped(index: Any) -> Operation:
    """Zeros in a part."""

    def change(x: Any) -> Any:
        mask = np.ones(x.shape)
        mask[index] = 0
        return x * mask

    return moved(change)


def repeated(index: Any) -> Operation:
    """A part, for all."""
    return moved(lambda x: np.broadcast_to(x[index], x.shape))


def total(axis: int | None) -> Operation:
    """A sum over units (0), over the batch (1), or over everything, with its axes kept."""

    def operation(x: Any) -> Any:
        if axis is None and np.ndim(x.value if isinstance(x, Bounded) else x) == 2:
            return np.add.reduce(np.add.reduce(x, axis=1, keepdims=True), axis=0, keepdims=True)
        return np.add.reduce(x, axis=axis, keepdims=True)

    return operation


def product(x: Any) -> Any:
    """Σ's sister over the batch."""
    columns = [x[:, k : k + 1] for k in range(np.shape(x.value if isinstance(x, Bounded) else x)[1])]
    found = columns[0]
    for column in columns[1:]:
        found = found * column
    return found


def one(x: Any) -> Any:
    """The number in an array of one."""
    if isinstance(x, Bounded):
        return Bounded(x.arithmetic, x.value.reshape(()), np.asarray(x.carried).reshape(()))
    return np.asarray(x).reshape(())


def extreme(choose: Callable[..., Any], axis: int | None) -> Operation:
    return decided(lambda x: np.asarray(choose(x, axis=axis, keepdims=True)))


def spread(axis: int | None) -> Operation:
    """A sum over an axis, for every number of it."""
    summed = total(axis)

    def operation(x: Any) -> Any:
        shape = np.shape(x.value if isinstance(x, Bounded) else x)
        return moved(lambda part: np.broadcast_to(part, shape))(summed(x))

    return operation


def unit(x: Any) -> Any:
    """x / ‖x‖."""
    return x / np.sqrt(total(None)(np.square(x)))


def standardised(x: Any, epsilon: float) -> Any:
    """(x − mean) / √(var + ε), over the batch."""
    batch = np.shape(x.value if isinstance(x, Bounded) else x)[1]
    centred = x - total(1)(x) / batch
    return centred / np.sqrt(total(1)(np.square(centred)) / batch + epsilon)


def transposed(x: Number) -> Number:
    return x.T if isinstance(x, Bounded) else np.asarray(x).T


def unequal(x: Any, y: Any) -> Any:
    return 1 - np.equal(x, y)


def compared(ufunc: Callable[..., Any]) -> Operation:
    """1 where it holds, else 0."""

    def operation(x: Any, y: Any) -> Any:
        found = ufunc(x, y)
        return found if isinstance(found, Bounded) else np.multiply(found, 1.0)

    return operation


OPERATIONS: Mapping[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "@": np.matmul,
    ">": compared(np.greater),
    ">=": compared(np.greater_equal),
    "<": compared(np.less),
    "<=": compared(np.less_equal),
    "==": compared(np.equal),
    "!=": compared(unequal),
    "neg": operator.neg,
    "T": transposed,
    "square": np.square,
    "power": power,
    "abs": np.abs,
    "sign": np.sign,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "cosh": np.cosh,
    "sin": function(np.sin, lambda reach: np.ones_like(reach)),
    "arctan": function(np.arctan, lambda reach: np.ones_like(reach)),
    "sinh": function(np.sinh, np.cosh),
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "sum": lambda x: one(total(None)(x)),
    "over_batch": total(1),
    "over_units": total(0),
    "over_units_lying": lambda x: transposed(total(0)(x)),
    "sum_everywhere": spread(None),
    "sum_of_batch_everywhere": spread(1),
    "sum_of_units_everywhere": spread(0),
    "sum_kept": total(None),
    "mean": lambda x: one(total(None)(x)) / np.size(x.value if isinstance(x, Bounded) else x),
    "product_of_batch": product,
    "largest": lambda x: one(extreme(np.max, None)(x)),
    "smallest": lambda x: one(extreme(np.min, None)(x)),
    "largest_of_batch": extreme(np.max, 1),
    "smallest_of_batch": extreme(np.min, 1),
    "over_its_norm": unit,
    "norm": lambda x: np.sqrt(total(None)(np.square(x))),
    "standardised": standardised,
    "rounded": stepped(np.round),
    "truncated": stepped(np.trunc),
    "rounded_2": stepped(lambda x: np.round(x, 2)),
    "float32": stepped(lambda x: x.astype(np.float32)),
    "float16": stepped(lambda x: x.astype(np.float16)),
    "sorted": decided(lambda x: np.sort(x, axis=-1)),
    "samples_reversed": moved(lambda x: x[:, ::-1]),
    "units_reversed": moved(lambda x: x[::-1]),
    "both_reversed": moved(lambda x: x[::-1, ::-1]),
    "next_sample": moved(lambda x: np.roll(x, -1, 1)),
    "previous_sample": moved(lambda x: np.roll(x, 1, 1)),
    "next_unit": moved(lambda x: np.roll(x, -1, 0)),
    "previous_unit": moved(lambda x: np.roll(x, 1, 0)),
    "first_sample": repeated(np.s_[:, :1]),
    "last_sample": repeated(np.s_[:, -1:]),
    "first_unit": repeated(np.s_[:1]),
    "last_unit": repeated(np.s_[-1:]),
    "only_first_sample": kept(np.s_[:, :1]),
    "only_last_sample": kept(np.s_[:, -1:]),
    "only_first_unit": kept(np.s_[:1]),
    "only_last_unit": kept(np.s_[-1:]),
    "not_first_sample": dropped(np.s_[:, :1]),
    "not_last_sample": dropped(np.s_[:, -1:]),
    "not_first_unit": dropped(np.s_[:1]),
    "not_last_unit": dropped(np.s_[-1:]),
}
"""By the head of a tree."""
