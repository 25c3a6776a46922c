"""Rules for numpy functions that only move numbers: nothing is rounded, and bounds move along.

In functions of several arrays, plain arrays are data, that is, exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from parity.bounds.branches import array_of
from parity.bounds.number import EXACT, Bounded, coarsest, in_format, rule
from parity.bounds.selection import maximum, minimum, select

Operand: TypeAlias = Bounded | npt.NDArray[Any] | float

MOVEMENTS: tuple[Callable[..., Any], ...] = (
    np.reshape,
    np.ravel,
    np.transpose,
    np.swapaxes,
    np.moveaxis,
    np.expand_dims,
    np.squeeze,
    np.broadcast_to,
    np.flip,
    np.roll,
    np.take,
    np.take_along_axis,
    np.repeat,
    np.tile,
    np.diagonal,
    sliding_window_view,
)
"""Functions that move their first operand; their other operands are data."""


def _enter(function: Callable[..., Any]) -> None:
    def moved(x: Bounded, *places: Any, **options: Any) -> Bounded:
        """The bound of each number, in its new place: a copy is exact.

        Source: IEEE 754, copy.
        """
        return x.moved(lambda part: function(part, *places, **options))

    rule(function.__name__, "__array_function__")(moved)


for _function in MOVEMENTS:
    _enter(_function)


@rule("concatenate", "__array_function__")
def concatenate(parts: Sequence[Operand], axis: int | None = 0) -> Bounded:
    """The bound of each number, in its new place.

    Source: IEEE 754, copy.
    """
    return _together(lambda *arrays: np.concatenate(arrays, axis), *parts)


@rule("stack", "__array_function__")
def stack(parts: Sequence[Operand], axis: int = 0) -> Bounded:
    """The bound of each number, in its new place.

    Source: IEEE 754, copy.
    """
    return _together(lambda *arrays: np.stack(arrays, axis), *parts)


@rule("where", "__array_function__")
def where(condition: Bounded | npt.NDArray[np.bool_], yes: Operand, no: Operand) -> Bounded:
    """The bound of the chosen number if the condition is data; for a bounded condition, as select.

    Source: IEEE 754, copy.
    """
    if isinstance(condition, Bounded):
        judge = coarsest((condition, yes, no))
        return select(condition, in_format(judge, yes), in_format(judge, no))
    shape = np.broadcast_shapes(np.shape(condition), np.shape(yes), np.shape(no))
    judge = coarsest((yes, no))
    parts = (in_format(judge, part).moved(lambda a: np.broadcast_to(a, shape)) for part in (yes, no))
    return _together(lambda one, other: array_of(np.where(condition, one, other)), *parts)


@rule("clip", "__array_function__")
def clip(x: Bounded, low: Operand | None, high: Operand | None) -> Bounded:
    """As min(max(x, low), high).

    Source: as maximum.
    """
    judge = coarsest((x, low, high))
    held = in_format(judge, x)
    held = held if low is None else maximum(held, in_format(judge, low))
    return held if high is None else minimum(held, in_format(judge, high))


@rule("pad", "__array_function__")
def pad(x: Bounded, width: Any, mode: str = "constant", constant_values: float = 0.0) -> Bounded:
    """The bound of each number, in its new place; for the padding, the bound of a constant.

    Source: IEEE 754, copy.
    """
    if mode != "constant":
        return x.moved(lambda part: np.pad(part, width, mode))  # type: ignore[call-overload]
    around = in_format(x.arithmetic, constant_values)
    return _together(lambda part, c: np.pad(part, width, constant_values=c), x, around)


@rule("tril", "__array_function__")
def tril(x: Bounded, k: int = 0) -> Bounded:
    """The bound of each number; 0 for the zeros above the diagonal.

    Source: IEEE 754, copy.
    """
    return where(_lower(x, k), x, 0.0)


@rule("triu", "__array_function__")
def triu(x: Bounded, k: int = 0) -> Bounded:
    """The bound of each number; 0 for the zeros below the diagonal.

    Source: IEEE 754, copy.
    """
    return where(_lower(x, k - 1), 0.0, x)


def _lower(x: Bounded, k: int) -> npt.NDArray[np.bool_]:
    return np.tri(x.shape[-2], x.shape[-1], k, dtype=np.bool_)


@rule("zeros_like", "__array_function__")
def zeros_like(x: Bounded) -> Bounded:
    """0: zeros are exact.

    Source: IEEE 754.
    """
    return _filled(x, 0.0)


@rule("ones_like", "__array_function__")
def ones_like(x: Bounded) -> Bounded:
    """0: ones are exact.

    Source: IEEE 754.
    """
    return _filled(x, 1.0)


@rule("full_like", "__array_function__")
def full_like(x: Bounded, number: Operand) -> Bounded:
    """u|number| for a constant that the format cannot represent, else 0; a bounded number keeps its bound.

    Source: IEEE 754, conversion.
    """
    return _filled(x, number)


def _filled(x: Bounded, number: Operand) -> Bounded:
    return in_format(x.arithmetic, number).moved(lambda part: np.broadcast_to(part, x.shape))


def _fact(function: Callable[..., Any]) -> None:
    def fact(x: Bounded, *axis: int) -> Any:
        """0: a property of the array, such as its shape, not a floating-point number.

        Source: numpy.
        """
        return function(x.value, *axis)

    rule(function.__name__, "__array_function__")(fact)


for _function in (np.shape, np.ndim, np.size):
    _fact(_function)


def _together(move: Callable[..., npt.NDArray[Any]], *parts: Operand) -> Bounded:
    """Combine several arrays into one, moving their bounds along."""
    judge = coarsest(parts)
    operands = [in_format(judge, part) for part in parts]

    def along(name: str, absent: Any) -> npt.NDArray[Any] | None:
        found = [getattr(operand, name) for operand in operands]
        if all(part is None for part in found):
            return None
        spread = (
            np.broadcast_to(absent if part is None else part, operand.shape)
            for part, operand in zip(found, operands, strict=True)
        )
        return move(*spread)

    exact = all(operand.is_exact for operand in operands)
    bound = EXACT if exact else along("bound", 0.0)
    assert bound is not None
    value = move(*(operand.value for operand in operands))
    floor, ceiling = along("floor", np.nan), along("ceiling", np.nan)
    return Bounded(judge, value, bound, floor=floor, kink=along("kink", np.False_), ceiling=ceiling)
