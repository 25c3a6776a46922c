"""What the formulas compute on, and the few functions of arrays that numpy has no ufunc for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Array: TypeAlias = npt.NDArray[np.floating]
"""A float32 or float64 numpy array. Anything that answers to numpy's ufuncs can stand in for it."""

Data: TypeAlias = npt.NDArray[np.generic]
"""An array of anything: indices, masks, or numbers."""

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


@primitive(1)
def exp_u20(p: Array) -> Array:
    """e^p, less exactly: PyTorch's vectorised exponential of that name, which its attention kernel asks."""
    return np.exp(p)


@primitive(2)
def cast(p: Array, kind: npt.DTypeLike) -> Array:
    """p in another format, each number rounded to the nearest; bfloat16's are held in float32."""
    return bfloat16(p.astype(np.float32)) if kind == "bfloat16" else p.astype(kind)


@primitive(2)
def accumulated(total: Scalar, term: Scalar) -> Scalar:
    """total + term, two terms of one sum, or more where they are sums: accumulated in any order."""
    return total + term


def total(*terms: Scalar) -> Scalar:
    """The sum of a few terms, which broadcast, in any order."""
    return reduce(accumulated, terms)


@primitive(3)
def scatter_add(shape: tuple[int, ...], index: object, values: Array) -> Array:
    """Zeros of this shape, and each value added to the cell that `index` names, as `numpy.add.at` does."""
    cells = np.zeros(shape, values.dtype)
    np.add.at(cells, index, values)  # type: ignore[arg-type]  # whatever indexes an array
    return cells


@primitive(4)
def variance(x: Array, axis: int | tuple[int, ...], mean: Array, n: float) -> Array:
    """Σ(x − mean)²/n over the axes, which are kept; `mean` is computed, n their size or one less."""
    return np.add.reduce(np.square(x - mean), axis=axis, keepdims=True) / n


def contract(subscripts: str, x: Array, y: Array) -> Array:
    """Σ x y as `numpy.einsum` reads the subscripts of two operands: one sum of products, in any order.

    A label of both operands that the result lacks is summed; one of all three is a batch of products.
    Every other label is one operand's and the result's. It is one `numpy.matmul`, between movements.

    Raises ValueError for a label that is repeated, or missing where it is needed.
    """
    (of_x, of_y), made = subscripts.partition("->")[0].split(","), subscripts.partition("->")[2]
    if any(len(set(labels)) < len(labels) for labels in (of_x, of_y, made)) or set(made) ^ (
        (set(of_x) ^ set(of_y)) | (set(of_x) & set(of_y) & set(made))
    ):
        raise ValueError(f"contract: no sum of products of two operands: {subscripts!r}")
    batch = [label for label in made if label in of_x and label in of_y]
    summed = [label for label in of_x if label in of_y and label not in made]
    rows = [label for label in made if label not in of_y]
    columns = [label for label in made if label not in of_x]
    sizes = dict(zip(of_x, x.shape, strict=True)) | dict(zip(of_y, y.shape, strict=True))
    k = math.prod(sizes[label] for label in summed)

    def ordered(a: Array, labels: str, order: list[str]) -> Array:
        return np.transpose(a, [labels.index(label) for label in order])

    shape = [sizes[label] for label in batch]
    left = np.reshape(ordered(x, of_x, [*batch, *rows, *summed]), (*shape, -1, k))
    right = np.reshape(ordered(y, of_y, [*batch, *summed, *columns]), (*shape, k, -1))
    found = [*batch, *rows, *columns]
    product = np.reshape(np.matmul(left, right), [sizes[label] for label in found])
    return np.transpose(product, [found.index(label) for label in made])


def windows(
    x: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...] | None = None,
    padding: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
    around: float = 0.0,
) -> Array:
    """Every window that a convolution or a pooling sees, over the last axes, one for each size of `kernel`.

    `around` is what the padding is filled with: 0, or −∞ for a maximum.
    Shapes: x (…, *sizes) -> (…, *windows, *kernel), (size + 2 padding − dilation (kernel − 1) − 1) //
    stride + 1 windows an axis, `torch.nn.Conv2d`'s and `Unfold`'s.
    """
    axes, ones = len(kernel), (1,) * len(kernel)
    stride, dilation = stride or ones, dilation or ones
    lead = np.ndim(x) - axes
    if padding and any(padding):
        x = np.pad(x, [(0, 0)] * lead + [(p, p) for p in padding], constant_values=around)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    seen = sliding_window_view(x, reach, axis=tuple(range(lead, lead + axes)))
    whole = (slice(None),) * lead
    return seen[*whole, *(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation)]
