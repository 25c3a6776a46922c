"""Formulas that round nothing: what they make must be the same numbers, and is compared as it is.

A formula is tried on the recorded numbers themselves. As long as it only moves, copies, compares and
chooses among them, its result is the exact one, of bound 0. With the first function that rounds, or a
constant that the format does not have, the attempt is over, and the formula is evaluated with bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from parity.bounds.movement import MOVEMENTS

Values: TypeAlias = npt.NDArray[Any]

CHOICES: dict[tuple[str, str], Callable[..., Any]] = {
    **{
        (function.__name__, "__call__"): function
        for function in (
            np.positive, np.negative, np.absolute, np.maximum, np.minimum, np.greater, np.greater_equal,
            np.less, np.less_equal, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_not,
        )
    },
    ("maximum", "reduce"): np.maximum.reduce,
    ("minimum", "reduce"): np.minimum.reduce,
    ("select (vectorized)", "__call__"): np.where,
    ("larger (vectorized)", "__call__"): np.maximum,
    ("smaller (vectorized)", "__call__"): np.minimum,
}  # fmt: skip
"""Functions whose result is an operand, its negative, or a truth value."""

MOVED = {function.__name__ for function in MOVEMENTS}
"""Movements of the first operand; what follows says where to."""

CHOSEN = frozenset(
    {"where", "max", "min", "pad", "concatenate", "stack", "zeros_like", "ones_like", "tril", "triu"}
)
FACTS = frozenset({"shape", "ndim", "size"})


class RoundedError(Exception):
    """Here a number may be rounded."""


class Unrounded(NDArrayOperatorsMixin):
    """A tensor's own numbers, or truth values, of which a formula may not make others."""

    __slots__ = ("array",)

    def __init__(self, array: Values) -> None:
        self.array = np.asarray(array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def size(self) -> int:
        return self.array.size

    @property
    def T(self) -> Unrounded:
        return Unrounded(self.array.T)

    def transpose(self, *axes: Any) -> Unrounded:
        """As numpy's."""
        return Unrounded(self.array.transpose(*axes))

    def swapaxes(self, one: int, other: int) -> Unrounded:
        """As numpy's."""
        return Unrounded(self.array.swapaxes(one, other))

    def reshape(self, *shape: Any) -> Unrounded:
        """As numpy's."""
        return Unrounded(self.array.reshape(*shape))

    def __getitem__(self, index: Any) -> Unrounded:
        return Unrounded(self.array[index])

    def __bool__(self) -> bool:
        raise RoundedError("a condition")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Unrounded:
        """The choice among operands of one format."""
        options.pop("out", None)
        if ufunc.__name__ == "scatter_add (vectorized)":
            shape, index, values = inputs
            return Unrounded(_placed(shape, index, _array(values)))
        chosen = CHOICES.get((ufunc.__name__, method))
        if chosen is None:
            raise RoundedError(ufunc.__name__)
        return Unrounded(chosen(*_together(inputs), **options))

    def __array_function__(
        self, function: Callable[..., Any], types: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """The movement, or the choice."""
        name = function.__name__
        if name in FACTS:
            return function(*(_array(value) for value in inputs), **options)
        if name in MOVED and isinstance(inputs[0], Unrounded):
            return Unrounded(function(inputs[0].array, *inputs[1:], **options))
        if name not in CHOSEN:
            raise RoundedError(name)
        if name in ("concatenate", "stack"):
            return Unrounded(function(_together(inputs[0]), *inputs[1:], **options))
        if name == "where":
            return Unrounded(np.where(_array(inputs[0]), *_together(inputs[1:])))
        if name == "pad":
            _together((inputs[0], options.get("constant_values", 0.0)))
        return Unrounded(function(_array(inputs[0]), *inputs[1:], **options))


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Unrounded) else value


def _placed(shape: tuple[int, ...], index: tuple[Values, ...], values: Values) -> Values:
    """Values in the cells of zeros that they are added to. Raises RoundedError where two of them meet."""
    cells = np.zeros(shape, values.dtype)
    if not values.size:
        return cells
    each, rest = np.broadcast_arrays(*index), shape[len(index) :]
    places = np.ravel_multi_index(each, shape[: len(index)]).reshape(-1)
    if np.bincount(places).max() > 1:
        raise RoundedError("a sum")
    cells.reshape(-1, *rest)[places] = np.broadcast_to(values, (*each[0].shape, *rest)).reshape(-1, *rest)
    return cells


def _together(values: Sequence[Any]) -> list[Any]:
    """Operands of one format, and constants that it has. Raises RoundedError for others."""
    arrays = [_array(value) for value in values]
    kinds = {array.dtype for array in arrays if isinstance(array, np.ndarray) and array.dtype.kind != "b"}
    if len(kinds) > 1:
        raise RoundedError("two formats")
    for value in arrays:
        if isinstance(value, np.ndarray):
            continue
        if not kinds or not isinstance(value, int | float) or float(next(iter(kinds)).type(value)) != value:
            raise RoundedError("a constant")
    return arrays


def unrounded(form: Callable[..., object], arguments: Sequence[object]) -> Values | None:
    """What a formula makes of numbers without rounding any; None: it may round."""
    try:
        made = form(*arguments)
    except (RoundedError, AttributeError, ValueError, KeyError, TypeError, IndexError, OverflowError):
        return None
    return made.array if isinstance(made, Unrounded) else None


def identical(one: Values, other: Values) -> bool:
    """Whether two arrays are the same memory, or hold the same numbers; a NaN is like none."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.ctypes.data == other.ctypes.data and one.strides == other.strides:
        return one.dtype.kind not in "fc" or not np.isnan(np.min(one))
    return bool(np.array_equal(one, other))
