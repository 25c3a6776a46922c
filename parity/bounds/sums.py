"""Rounding bounds of sums in any order: of two numbers, along an axis, of products, and by index.

A sum stays *open*: a term added later, such as a bias after a matrix product, may have been accumulated
first, so it counts as one more term of the same sum.
"""

from __future__ import annotations

from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds import balls, sliced
from parity.bounds.branches import array_of, everywhere, somewhere
from parity.bounds.formats import Arithmetic
from parity.bounds.number import (
    EXACT,
    Bounded,
    OpenSum,
    Truths,
    rule,
)
from parity.bounds.operations import divide, negative
from parity.bounds.overflow import Float64s, ceiling, fits, guarded
from parity.bounds.rounding import Rounding, either

Axes: TypeAlias = int | tuple[int, ...] | None


@rule("add")
def add(x: Bounded, y: Bounded) -> Bounded:
    """u|x + y|, and B_x + B_y carried; if one of them is an open sum, the other is one more term of it.

    x̂ + ŷ − (x + y) = (x̂ − x) + (ŷ − y), and one rounding, which cannot underflow. A recorded infinity
    plus a finite number is that infinity. Two open sums of k and m terms have k − 1 and m − 1 additions,
    and one more joins them.

    Source: Higham (2002), §2.2; that sums of floats do not underflow, Hauser (1996).
    """
    if x.open_sum or y.open_sum:
        return accumulated(x, y)
    value = x.value + y.value
    carried = y.bound if x.is_exact else x.bound if y.is_exact else x.bound + y.bound
    total = Rounding(x.arithmetic.unit, 0.0).close(x.arithmetic, value, carried)
    total.kink = either(x.kink, y.kink)
    if x.floor is not None and y.floor is None:
        total.floor = x.floor + (y.arithmetic.lower(y.value) - y.bound)
    elif y.floor is not None and x.floor is None:
        total.floor = y.floor + (x.arithmetic.lower(x.value) - x.bound)
    elif x.floor is not None and y.floor is not None:
        total.bound = np.maximum(total.bound, np.maximum(x.carried, y.carried))
    return _beyond(total, x, y)


@rule("subtract")
def subtract(x: Bounded, y: Bounded) -> Bounded:
    """As the sum of x and −y.

    Source: as add.
    """
    return add(x, negative(y))


@rule("accumulated (vectorized)")
def accumulated(x: Bounded, y: Bounded) -> Bounded:
    """γ_r Σ|terms| + 2rη, and the terms' bounds carried, for a sum of r + 1 terms in any order.

    Every term takes part in at most r additions, in any order: Σ t_i (1 + θ_i) with |θ_i| ≤ γ_r. A number
    that is not an open sum is one term.

    Source: Higham (2002), §4.2.
    """
    one_more = OpenSum(1, EXACT, EXACT)
    return _beyond(_close_sum(x.arithmetic, x.value + y.value, _terms(x), _terms(y), one_more), x, y)


def _beyond(total: Bounded, x: Bounded, y: Bounded) -> Bounded:
    """The total, with what is known where it is or may be infinite.

    An exact infinity plus a number known to be finite is that infinity. Rounding is monotone, so a total
    that may overflow to −∞ is at most the rounded sum of both upper bounds.
    """
    if everywhere(total.bound < np.inf):
        return total
    infinite = np.isinf(total.lowered())
    one, other = (np.isinf(part.lowered()) & (part.carried == 0) for part in (x, y))
    finite_one, finite_other = (np.isfinite(part.lowered()) & np.isfinite(part.carried) for part in (x, y))
    sure = (one & (finite_other | other)) | (other & finite_one)
    total.bound = np.where(infinite & sure, 0.0, total.bound)
    if total.ceiling is None:
        most = _most(x) + _most(y)
        most = most + total.arithmetic.unit * np.abs(most)
        below = np.isinf(total.bound) & (np.abs(most) <= total.arithmetic.largest)
        total.ceiling = np.where(below, most, np.nan) if somewhere(below) else None
    return total


def _most(x: Bounded) -> Float64s:
    """Upper bound of each number."""
    most = x.lowered() + x.carried
    return most if x.ceiling is None else np.where(np.isnan(x.ceiling), most, x.ceiling)


@rule("add", "reduce")
def add_reduce(x: Bounded, axis: Axes = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Σ|x| + 2(k − 1)η for a sum of k terms in any order, and ΣB carried.

    Every term takes part in at most k − 1 additions: Σ x_i (1 + θ_i) with |θ_i| ≤ γ_{k−1}. Attained to
    first order by 1 + d + d + … with d slightly below u.

    Source: Higham (2002), §4.2.
    """
    value = array_of(x.value.sum(axis=axis, keepdims=keepdims))
    magnitudes = array_of(largest(x).sum(axis=axis, keepdims=keepdims))
    carries = EXACT
    if not x.is_exact:
        carries = array_of(np.broadcast_to(x.carried, x.shape).sum(axis=axis, keepdims=keepdims))
    return _close_sum(x.arithmetic, value, OpenSum(max(terms_along(x, axis) - 1, 0), magnitudes, carries))


def terms_along(x: Bounded, axis: Axes) -> int:
    """The number of terms of each sum over these axes."""
    if axis is None:
        return x.size
    return prod(x.shape[place] for place in (axis if isinstance(axis, tuple) else (axis,)))


@rule("sum", "__array_function__")
def total_of(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As add.reduce, over all axes by default instead of the first.

    Source: as add.reduce.
    """
    return add_reduce(x, axis, keepdims)


@rule("mean", "__array_function__")
def mean(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Σ|x|/k and 2u|mean|: the sum of k terms in any order, and a division.

    Source: as add.reduce and divide; `at::mean` of PyTorch sums and divides.
    """
    k = x.arithmetic.lift(float(terms_along(x, axis)))
    return divide(add_reduce(x, axis, keepdims), Bounded(x.arithmetic, k, EXACT))


@rule("add", "accumulate")
def add_accumulate(x: Bounded, axis: int = 0) -> Bounded:
    """γ_i Σ_{j≤i}|x_j| for the i-th partial sum (the first has i = 0), each in any order.

    Both a running sum and a parallel scan compute each partial sum as a sum of its own terms.

    Source: Higham (2002), §4.2.
    """
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    roundings = np.arange(x.shape[axis]).reshape(shape)
    carried = np.broadcast_to(x.carried, x.shape)
    magnitudes = (x.magnitude() + carried).cumsum(axis=axis)
    value = x.value.cumsum(axis=axis)
    return _close_sum(x.arithmetic, value, OpenSum(roundings, magnitudes, carried.cumsum(axis=axis)))


@rule("cumsum", "__array_function__")
def cumsum(x: Bounded, axis: int) -> Bounded:
    """As add.accumulate.

    Source: as add.accumulate.
    """
    return add_accumulate(x, axis)


@rule("matmul")
def matmul(x: Bounded, y: Bounded) -> Bounded:
    """γ_k |x||y| + 2kη for sums of k products in any order, and |x|B_y + B_x(|y| + B_y) carried.

    Every product has its own rounding and takes part in at most k − 1 additions: Σ x_i y_i (1 + θ_i)
    with |θ_i| ≤ γ_k. Blocking is one of the orders; a fused multiply-add has one rounding less.

    Source: Higham (2002), §3.1 and §3.5.
    """
    arithmetic, k = x.arithmetic, x.shape[-1]
    value = _product(arithmetic, x.value, y.value)
    carried = EXACT
    if not y.is_exact:
        carried = x.magnitude() @ np.broadcast_to(y.carried, y.shape)
    if not x.is_exact:
        carried = _plus(carried, np.broadcast_to(x.carried, x.shape) @ largest(y))
    return _close_sum(arithmetic, value, OpenSum(k, _magnitudes(x, y), carried))


def _magnitudes(x: Bounded, y: Bounded) -> Float64s:
    """(|x| + B_x)(|y| + B_y); of float32s without bounds a product M̂ in float32, (M̂ + 2kη)/(1 − γ_{k+2}).

    M̂ is at least (1 − γ_k) times the exact product, less η for every product that underflows; each factor
    is converted, with an error of u. Where it may overflow, float64 decides.

    Source: Higham (2002), §3.5, and the model with underflow of §2.2.
    """
    arithmetic, k = x.arithmetic, x.shape[-1]
    gamma = arithmetic.gamma(k + 2)
    if x.is_exact and y.is_exact and arithmetic.truth == "float64" and x.ndim > 1 < y.ndim and gamma < 1:
        single = np.abs(x.value.astype(np.float32)) @ np.abs(y.value.astype(np.float32))
        if bool(np.all(single < np.inf)):
            found: Float64s = single.astype(np.float64)
            found += 2 * k * arithmetic.eta
            found /= 1 - gamma
            return found
    product: Float64s = largest(x) @ largest(y)
    return product


@rule("scatter_add (vectorized)", data=(0, 1))
def scatter_add(shape: tuple[int, ...], index: object, values: Bounded) -> Bounded:
    """γ_{c−1} Σ|values| in a cell that receives c values, in any order, and ΣB carried.

    Each cell is a separate sum. Without terms it is 0, and with one term it is that term.

    Source: Higham (2002), §4.2.
    """
    carried = EXACT
    if not values.is_exact:
        carried = _scattered(shape, index, np.broadcast_to(values.carried, values.shape), 0.0)
    terms = _scattered(shape, index, np.ones(values.shape), 0.0).astype(int)
    magnitude = _scattered(shape, index, largest(values), 0.0)
    sums = OpenSum(np.maximum(terms - 1, 0), magnitude, carried)
    zero = values.arithmetic.lift(0.0)
    return _close_sum(values.arithmetic, _scattered(shape, index, values.value, zero), sums)


def _scattered(shape: tuple[int, ...], index: object, values: Truths, zero: object) -> Truths:
    if values.dtype == np.float64 and isinstance(index, tuple) and len(index) == len(shape) > 0:
        places = np.broadcast_arrays(*index)
        if all(place.dtype.kind in "iu" and np.min(place, initial=0) >= 0 for place in places):
            flat = np.ravel_multi_index([place.reshape(-1) for place in places], shape)
            terms = np.broadcast_to(values, places[0].shape).reshape(-1)
            return np.bincount(flat, terms, prod(shape)).reshape(shape)
    cells = np.full(shape, zero, values.dtype)
    np.add.at(cells, index, values)  # type: ignore[arg-type]  # whatever indexes an array
    return cells


def _terms(x: Bounded) -> OpenSum:
    """A number as an open sum, of one term unless it is open already."""
    return x.open_sum or OpenSum(0, largest(x), x.carried)


def largest(x: Bounded) -> Float64s:
    """|x| + B."""
    return x.magnitude() if x.is_exact else x.magnitude() + x.carried


def _plus(x: Float64s, y: Float64s) -> Float64s:
    """x + y, of which `EXACT` is 0."""
    return y if x is EXACT else x if y is EXACT else x + y


def _close_sum(arithmetic: Arithmetic, value: Truths, *parts: OpenSum) -> Bounded:
    """A sum with γ_r Σ|terms| + 2rη and the terms' bounds, left open for further terms."""
    roundings, magnitude, carried = parts[0]
    for part in parts[1:]:
        roundings = roundings + part.roundings
        magnitude, carried = _plus(magnitude, part.magnitude), _plus(carried, part.carried)
    gamma: float | npt.NDArray[np.float64] = (
        arithmetic.gamma(roundings) if isinstance(roundings, int) else arithmetic.gammas(roundings)
    )
    bound = _plus(carried, gamma * magnitude + 2 * roundings * arithmetic.eta)
    open_sum, limit = OpenSum(roundings, magnitude, carried), arithmetic.largest / (1 + gamma)
    if fits(magnitude, limit):
        return Bounded(arithmetic, value, bound, open_sum)
    most = ceiling(arithmetic.lower(value), magnitude, limit, bound)
    return Bounded(arithmetic, value, guarded(magnitude, limit, bound), open_sum, ceiling=most)


def _product(arithmetic: Arithmetic, x: Truths, y: Truths) -> Truths:
    if arithmetic.truth != "ball":
        return array_of(sliced.product(x, y))
    rows = x[None] if x.ndim == 1 else x
    columns = y[:, None] if y.ndim == 1 else y
    shape = np.matmul(np.empty(x.shape), np.empty(y.shape)).shape
    return np.asarray(balls.product(rows, columns)).reshape(shape)
