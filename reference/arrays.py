"""What the formulas compute on, and the few functions of arrays that numpy has no ufunc for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating]
"""A float32 or float64 numpy array. Anything that answers to numpy's ufuncs can stand in for it."""

Scalar: TypeAlias = float | Array
"""A number, or an array that is used as one factor."""


def primitive(operands: int) -> Callable[[Callable[..., Scalar]], Callable[..., Array]]:
    """Let other kinds of number answer to a function as they answer to numpy's ufuncs.

    numpy asks an operand's `__array_ufunc__` before it computes. A function decorated with this one does
    so too, under the name "NAME (vectorized)" that `np.frompyfunc` gives; plain arrays go straight in.
    """

    def decorate(function: Callable[..., Scalar]) -> Callable[..., Array]:
        asked = np.frompyfunc(function, operands, 1)

        def call(*values: Array) -> Array:
            if any(_answers_itself(value) for value in values):
                return asked(*values)
            return function(*values)  # type: ignore[return-value]  # a float where all are floats

        call.__name__, call.__doc__ = function.__name__, function.__doc__
        return call

    return decorate


def _answers_itself(value: object) -> bool:
    return hasattr(value, "__array_ufunc__") and not isinstance(value, np.ndarray | np.generic)


@primitive(3)
def select(condition: Array, yes: Array, no: Array) -> Array:
    """`yes` where the condition holds, else `no`; the other is not looked at, be it NaN.

    Of `yes` and `no` at least one is an array: two Python floats would make a float64 array.
    """
    return np.where(condition, yes, no)


@primitive(2)
def full_like(z: Array, number: Array) -> Array:
    """The number, in the shape and dtype of z."""
    z = np.asarray(z)  # a sum of objects is one of them, and no array
    return np.full_like(z, type(z.flat[0])(number) if z.dtype == object else number)


@primitive(2)
def column(z: Array, numbers: tuple[float, ...]) -> Array:
    """One constant for each row, (rows, 1), in the dtype of z."""
    return np.array(numbers, z.dtype)[:, None]


@primitive(1)
def labels(y: Array) -> Array:
    """How often k is listed, (outputs, batch), by columns that list labels and close the list with −1."""
    outputs, listed = y.shape[0], np.cumsum(np.equal(y, -1), axis=0) == 0
    belongs = np.zeros(y.shape, y.dtype)
    for row, sample in np.argwhere(listed):
        belongs[int(float(y[row, sample])) % outputs, sample] += 1
    return belongs


@primitive(2)
def larger(p: Scalar, q: Scalar) -> Scalar:
    """The larger of two, number by number; of two Python floats a Python float."""
    return max(p, q) if isinstance(p, float) and isinstance(q, float) else np.maximum(p, q)


@primitive(2)
def smaller(p: Scalar, q: Scalar) -> Scalar:
    """The smaller of two."""
    return -larger(-p, -q)


@primitive(1)
def root(p: Array) -> Array:
    """√p, of a difference, which rounding may have made negative: then NaN, here as in PyTorch."""
    return np.sqrt(p)


@primitive(1)
def epsilon(p: Array) -> float:
    """The machine epsilon of p's dtype: the distance from 1 to the next number."""
    return float(np.finfo(np.float64 if p.dtype == object else p.dtype).eps)


@primitive(1)
def bfloat16(p: Array) -> Array:
    """p, rounded to the 8 significant bits of a bfloat16 (to nearest, ties to even)."""
    bits = p.astype(np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(p.dtype)


@primitive(3)
def blend(old: Array, new: Array, beta: Array) -> Array:
    """β old + (1 − β) new: what every moving average of an optimizer is.

    PyTorch also writes it old + (1 − β)(new − old), `torch.lerp`.
    """
    return beta * old + (1 - beta) * new


@primitive(1)
def erf(z: Array) -> Array:
    """The error function, element by element: the C library's, which numpy does not offer."""
    values = np.asarray(_ERF(z))
    return values if z.dtype == object else values.astype(z.dtype)


_ERF = np.frompyfunc(lambda v: v.erf() if hasattr(v, "erf") else math.erf(v), 1, 1)
