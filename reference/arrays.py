"""Array types, and the few elementwise and array functions for which numpy has no ufunc."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Array: TypeAlias = npt.NDArray[np.floating]
"""A float32 or float64 numpy array, or any object that implements numpy's ufuncs."""

Data: TypeAlias = npt.NDArray[np.generic]
"""An array of any dtype: indices, masks, or numbers."""

Scalar: TypeAlias = float | Array
"""A Python number, or an array used as a factor."""


PRIMITIVES: dict[str, Callable[..., Scalar]] = {}
"""The functions that `primitive` decorates, by the name that an overriding operand receives."""


def primitive(operands: int) -> Callable[[Callable[..., Scalar]], Callable[..., Array]]:
    """Decorate a function so that operands can override it through `__array_ufunc__`, like a numpy ufunc.

    `operands` is the number of arguments. An overriding operand receives the ufunc "NAME (vectorized)",
    the name that `np.frompyfunc` gives; for plain arrays the function is called directly.
    """

    def decorate(function: Callable[..., Scalar]) -> Callable[..., Array]:
        overridable = np.frompyfunc(function, operands, 1)
        PRIMITIVES[overridable.__name__] = function

        def call(*values: Array) -> Array:
            if any(_overrides_ufuncs(value) for value in values):
                return overridable(*values)
            return function(*values)  # type: ignore[return-value]  # a float where all are floats

        call.__name__, call.__doc__ = function.__name__, function.__doc__
        return call

    return decorate


def _overrides_ufuncs(value: object) -> bool:
    return hasattr(value, "__array_ufunc__") and not isinstance(value, np.ndarray | np.generic)


@primitive(3)
def select(condition: Array, yes: Array, no: Array) -> Array:
    """`yes` where the condition holds, else `no`; a NaN in the branch not chosen has no effect.

    At least one of `yes` and `no` must be an array: two Python floats would give a float64 array.
    """
    return np.where(condition, yes, no)


@primitive(2)
def full_like(z: Array, number: Array) -> Array:
    """An array of the shape and dtype of z, filled with `number`."""
    z = np.asarray(z)  # numpy returns the sum of an object array as a bare object
    return np.full_like(z, type(z.flat[0])(number) if z.dtype == object else number)


@primitive(2)
def column(z: Array, numbers: tuple[float, ...]) -> Array:
    """Constants, one per row, as a column (rows, 1) in the dtype of z."""
    return np.array(numbers, z.dtype)[:, None]


@primitive(1)
def labels(y: Array) -> Array:
    """How often each label occurs in each sample, (outputs, batch).

    Each column of y is a list of label indices, terminated by −1.
    """
    outputs, listed = y.shape[0], np.cumsum(np.equal(y, -1), axis=0) == 0
    belongs = np.zeros(y.shape, y.dtype)
    for row, sample in np.argwhere(listed):
        belongs[int(float(y[row, sample])) % outputs, sample] += 1
    return belongs


@primitive(2)
def larger(p: Scalar, q: Scalar) -> Scalar:
    """Elementwise maximum; for two Python floats, a Python float."""
    return max(p, q) if isinstance(p, float) and isinstance(q, float) else np.maximum(p, q)


@primitive(2)
def smaller(p: Scalar, q: Scalar) -> Scalar:
    """Elementwise minimum."""
    return -larger(-p, -q)


@primitive(1)
def root(p: Array) -> Array:
    """√p where p is a difference that rounding may make negative; then NaN, as in PyTorch."""
    return np.sqrt(p)


@primitive(1)
def epsilon(p: Array) -> float:
    """Machine epsilon of p's dtype: the distance from 1 to the next larger number."""
    return float(np.finfo(np.float64 if p.dtype == object else p.dtype).eps)


@primitive(1)
def bfloat16(p: Array) -> Array:
    """p rounded to bfloat16's 8 significant bits, to nearest with ties to even."""
    bits = p.astype(np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(p.dtype)


@primitive(3)
def blend(old: Array, new: Array, beta: Array) -> Array:
    """Exponential moving average, β old + (1 − β) new.

    PyTorch also computes it as old + (1 − β)(new − old), with `torch.lerp`.
    """
    return beta * old + (1 - beta) * new


@primitive(1)
def erf(z: Array) -> Array:
    """The error function, elementwise, from the C library; numpy has none."""
    values = np.asarray(_ERF(z))
    return values if z.dtype == object else values.astype(z.dtype)


_ERF = np.frompyfunc(lambda v: v.erf() if hasattr(v, "erf") else math.erf(v), 1, 1)


@primitive(1)
def exp_u20(p: Array) -> Array:
    """e^p as some kernels have it, by PyTorch's name: less exact, and 0 where it would be subnormal."""
    return np.exp(p)


@primitive(2)
def cast(p: Array, kind: npt.DTypeLike) -> Array:
    """p converted to another format, rounded to nearest; bfloat16 values are stored as float32."""
    return bfloat16(p.astype(np.float32)) if kind == "bfloat16" else p.astype(kind)


@primitive(2)
def accumulated(total: Scalar, term: Scalar) -> Scalar:
    """total + term, as part of one longer sum whose terms may be added in any order."""
    return total + term


def total(*terms: Scalar) -> Scalar:
    """Sum of the terms, with broadcasting, in any order."""
    return reduce(accumulated, terms)


@primitive(3)
def scatter_add(shape: tuple[int, ...], index: object, values: Array) -> Array:
    """Zeros of this shape with each value added at its index, as by `numpy.add.at`."""
    cells = np.zeros(shape, values.dtype)
    np.add.at(cells, index, values)  # type: ignore[arg-type]  # whatever indexes an array
    return cells


@primitive(3)
def attains(x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    """Which numbers of x are y, their largest or smallest over the axes, which y keeps as size 1."""
    return np.equal(x, y)


@primitive(4)
def variance(x: Array, axis: int | tuple[int, ...], mean: Array, n: float) -> Array:
    """Σ(x − mean)²/n over the axes, kept as size 1.

    `mean` is the computed mean of x; n is the number of terms, or one less.
    """
    return np.add.reduce(np.square(x - mean), axis=axis, keepdims=True) / n


@primitive(3)
def certain_nans(made: Array, operands: tuple[Array, ...], certain: Callable[..., Array]) -> Array:
    """`made` of these operands, of which not every NaN is one in all algorithms.

    A zero that was put in for a window or a stride is no term, for example: an algorithm may multiply it by
    an infinity or a NaN, or leave it out. `certain(*operands)` is NaN where every algorithm's result is. It
    may be asked of the operands' signs instead, with infinities and NaNs, so that no product overflows.
    """
    return made


@primitive(3)
def any_order(made: Array, factors: tuple[Array, ...], summed: Callable[..., Array]) -> Array:
    """`made`, the sum `summed(*factors)` of products of one number of each factor, of three or more.

    Another algorithm multiplies them in another order, or sums over some axes before the last product.
    """
    return made


def contract(subscripts: str, x: Array, y: Array) -> Array:
    """Sum of products of two operands in the notation of `numpy.einsum`, accumulated in any order.

    A label in both operands but not in the result is summed over; a label in all three is a batch axis.
    Any other label occurs in one operand and in the result. Computed as one `numpy.matmul`, with
    transposes and reshapes around it.

    Raises ValueError for a repeated label, or for one that is missing from the result or the operands.
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
    """All windows of a convolution or a pooling, over the last len(kernel) axes.

    The padding is filled with `around`: 0, or −∞ for a maximum.
    Shapes: x (…, *sizes) -> (…, *windows, *kernel), with (size + 2 padding − dilation (kernel − 1) − 1)
    // stride + 1 windows along an axis, as in `torch.nn.Conv2d` and `torch.nn.Unfold`.
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
