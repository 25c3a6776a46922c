"""Rounding bounds of sums, in any order: of two numbers, of an axis, of products, of what shares a cell.

A sum stays *open*: a term that is added to it later may have been the first that was accumulated, as
the bias of a product is, so it is one more term of the same sum.
"""

from __future__ import annotations

from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds import balls
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
    """u|x + y|, and B_x + B_y carried; or, where one of them is an open sum, one more term of it.

    x̂ + ŷ − (x + y) = (x̂ − x) + (ŷ − y), and one rounding, which cannot underflow. A recorded infinity
    and a finite number are that infinity. Two open sums of k and m terms have k − 1 and m − 1
    additions, and one joins them.

    Source: Higham (2002), §2.2; that sums of floats do not underflow, Hauser (1996).
    """
    if x.open_sum or y.open_sum:
        return accumulated(x, y)
    value = x.value + y.value
    total = Rounding(x.arithmetic.unit, 0.0).close(x.arithmetic, value, x.bound + y.bound)
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
    """As x and −y added.

    Source: as add.
    """
    return add(x, negative(y))


@rule("accumulated (vectorized)")
def accumulated(x: Bounded, y: Bounded) -> Bounded:
    """γ_r Σ|terms| + 2rη, and the sum of the terms' bounds carried, of a sum of r + 1 terms in any order.

    Every term meets at most r additions, whatever the order: Σ t_i (1 + θ_i) with |θ_i| ≤ γ_r. A number
    that is no open sum is one term.

    Source: Higham (2002), §4.2.
    """
    one_more = OpenSum(1, EXACT, EXACT)
    return _beyond(_close_sum(x.arithmetic, x.value + y.value, _terms(x), _terms(y), one_more), x, y)


def _beyond(total: Bounded, x: Bounded, y: Bounded) -> Bounded:
    """The total, where it is or may be infinite: as much as is known.

    An infinity that is no accident and a number that is surely finite are that infinity. Rounding is
    monotone, so what overflows to −∞ or does not is at most the rounded sum of the most that both can be.
    """
    if np.max(total.bound, initial=0.0) < np.inf:
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
        total.ceiling = np.where(below, most, np.nan) if below.any() else None
    return total


def _most(x: Bounded) -> Float64s:
    """The most that a number can be."""
    most = x.lowered() + x.carried
    return most if x.ceiling is None else np.where(np.isnan(x.ceiling), most, x.ceiling)


@rule("add", "reduce")
def add_reduce(x: Bounded, axis: Axes = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Σ|x| + 2(k − 1)η for a sum of k terms in any order, and ΣB carried.

    Every term meets at most k − 1 additions: Σ x_i (1 + θ_i) with |θ_i| ≤ γ_{k−1}. Attained to first
    order by 1 + d + d + … with d a little below u.

    Source: Higham (2002), §4.2.
    """
    value = np.asarray(x.value.sum(axis=axis, keepdims=keepdims))
    carried = np.broadcast_to(x.carried, x.shape)
    magnitude = x.magnitude() + carried
    magnitudes = np.asarray(magnitude.sum(axis=axis, keepdims=keepdims))
    carries = np.asarray(carried.sum(axis=axis, keepdims=keepdims))
    return _close_sum(x.arithmetic, value, OpenSum(max(_terms_along(x, axis) - 1, 0), magnitudes, carries))


def _terms_along(x: Bounded, axis: Axes) -> int:
    """How many numbers each sum over these axes has."""
    if axis is None:
        return x.size
    return prod(x.shape[place] for place in (axis if isinstance(axis, tuple) else (axis,)))


@rule("sum", "__array_function__")
def total_of(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """As add.reduce, whose default is the first axis; here it is all of them.

    Source: as add.reduce.
    """
    return add_reduce(x, axis, keepdims)


@rule("mean", "__array_function__")
def mean(x: Bounded, axis: Axes = None, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Σ|x|/k and 2u|mean|: the sum of k terms in any order, and a division.

    Source: as add.reduce and divide; `at::mean` of PyTorch sums and divides.
    """
    k = x.arithmetic.lift(float(_terms_along(x, axis)))
    return divide(add_reduce(x, axis, keepdims), Bounded(x.arithmetic, k, EXACT))


@rule("add", "accumulate")
def add_accumulate(x: Bounded, axis: int = 0) -> Bounded:
    """γ_i Σ_{j≤i}|x_j| for the i-th partial sum (the first is 0), in any order of its own.

    A running sum and a parallel scan both give each partial sum as a sum of its own terms.

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

    Every product meets its own rounding and at most k − 1 additions: Σ x_i y_i (1 + θ_i) with
    |θ_i| ≤ γ_k. Blocks are an order; fusing a product into an addition leaves one rounding out.

    Source: Higham (2002), §3.1 and §3.5.
    """
    arithmetic, k = x.arithmetic, x.shape[-1]
    value = _product(arithmetic, x.value, y.value)
    magnitude_x, magnitude_y = x.magnitude(), y.magnitude()
    carried = EXACT
    if not (x.is_exact and y.is_exact):
        bound_x = np.broadcast_to(x.carried, x.shape)
        bound_y = np.broadcast_to(y.carried, y.shape)
        carried = magnitude_x @ bound_y
        magnitude_x, magnitude_y = magnitude_x + bound_x, magnitude_y + bound_y
        carried = carried + bound_x @ magnitude_y
    return _close_sum(arithmetic, value, OpenSum(k, magnitude_x @ magnitude_y, carried))


@rule("scatter_add (vectorized)", data=(0, 1))
def scatter_add(shape: tuple[int, ...], index: object, values: Bounded) -> Bounded:
    """γ_{c−1} Σ|values| in a cell where c of them fall, in any order, and ΣB carried.

    Each cell is a sum of its own. One of no terms is 0, and of one term that term.

    Source: Higham (2002), §4.2.
    """
    carried = np.broadcast_to(values.carried, values.shape)
    sums = OpenSum(
        np.maximum(_scattered(shape, index, np.ones(values.shape, int), 0) - 1, 0),
        _scattered(shape, index, values.magnitude() + carried, 0.0),
        _scattered(shape, index, carried, 0.0),
    )
    zero = values.arithmetic.lift(0.0)
    return _close_sum(values.arithmetic, _scattered(shape, index, values.value, zero), sums)


def _scattered(shape: tuple[int, ...], index: object, values: Truths, zero: object) -> Truths:
    cells = np.full(shape, zero, values.dtype)
    np.add.at(cells, index, values)  # type: ignore[arg-type]  # whatever indexes an array
    return cells


@rule("variance (vectorized)", data=(1, 3))
def variance(x: Bounded, axis: Axes, mean: Bounded, n: float) -> Bounded:
    """γ_{k+4}(V + C) + 4η + C, C = Σ(2|x − m|e + e²)/n, e = B_m + B_x: Σ(x − m)²/n of k terms.

    Two passes: the computed mean is off by at most e, so each square by 2|x − m|e + e²; then a
    subtraction counted twice by the square, a square, k − 1 additions and a division of two roundings.
    With m = Σx/k computed, B_m is γ_k Σ|x|/k, and C is first order in it. Updating means (Welford's,
    and blocks joined pairwise) err by about k κ u V, κ² = 1 + m²/V, which C covers. E[x²] − E[x]² errs
    by k κ² u V and is not admitted.

    Source: Higham (2002), §1.9 and problem 1.10; Chan, Golub and LeVeque (1983); PyTorch's
    RowwiseMoments and WelfordOps.
    """
    arithmetic, k = x.arithmetic, _terms_along(x, axis)
    d = x.value - mean.value
    value = np.asarray(np.square(d).sum(axis=axis, keepdims=True) / arithmetic.lift(float(n)))
    apart = x.carried + mean.carried
    spread = apart * (2 * arithmetic.lower(np.abs(d)) + apart)
    carried = np.asarray(spread.sum(axis=axis, keepdims=True) / n)
    magnitude = arithmetic.lower(value) + carried
    bound = carried + arithmetic.gamma(k + 4) * magnitude + 2 * (k / n + 1) * arithmetic.eta
    limit = arithmetic.largest / (n * (1 + arithmetic.gamma(k + 4)))
    return Bounded(arithmetic, value, guarded(magnitude, limit, bound))


@rule("blend (vectorized)")
def blend(old: Bounded, new: Bounded, beta: Bounded) -> Bounded:
    """γ_4 (β|old| + (1 − β)|new|), 0 ≤ β ≤ 1: as two products and a sum, or by `torch.lerp`.

    β old + (1 − β) new: each product's factor is rounded, it is, and so is the sum: 3 roundings.
    lerp, with w = min(β, 1 − β) and p the other one: 3u w|new − old| + u|result|, at most
    3u w(|old| + |new|) + u(β|old| + (1 − β)|new|), and w is no larger than β or 1 − β: 4 roundings.
    A β that has been computed carries its own error, B_β |new − old|. lerp is given 1 − β; where that is
    the larger and rounded, its 1 − (1 − β) is off by u(1 − β), which |new − old| multiplies.

    Source: Higham (2002), §3.1, lemma 3.1; `torch.lerp`'s two forms, ATen/native/Lerp.h.
    """
    arithmetic = old.arithmetic
    weight = beta.arithmetic.lower(beta.value)
    value = beta.value * old.value + (1 - beta.value) * new.value
    size_old, size_new = old.magnitude() + old.carried, new.magnitude() + new.carried
    magnitude, farthest = weight * size_old + (1 - weight) * size_new, size_old + size_new
    carried = weight * old.carried + (1 - weight) * new.carried
    larger = (weight < 0.5) & (((1 - weight).astype(arithmetic.dtype) != 1 - weight) | (beta.carried > 0))
    if not beta.is_exact or np.any(larger):
        apart = arithmetic.lower(np.abs(new.value - old.value)) + old.carried + new.carried
        off = beta.carried + np.where(larger, arithmetic.unit * (1 - weight), 0.0)
        carried = carried + off * apart
    bound = carried + arithmetic.gamma(4) * magnitude + 8 * arithmetic.eta
    return Bounded(arithmetic, value, guarded(farthest * (1 + arithmetic.unit), arithmetic.largest, bound))


def _terms(x: Bounded) -> OpenSum:
    """A number as what it contributes to an open sum: one more term."""
    return x.open_sum or OpenSum(0, x.magnitude() + x.carried, x.carried)


def _close_sum(arithmetic: Arithmetic, value: Truths, *parts: OpenSum) -> Bounded:
    """γ_r Σ|terms| + 2rη, what the terms carried, and the sum left open for further terms."""
    roundings, magnitude, carried = parts[0]
    for part in parts[1:]:
        roundings = roundings + part.roundings
        magnitude, carried = magnitude + part.magnitude, carried + part.carried
    gamma: float | npt.NDArray[np.float64] = (
        arithmetic.gamma(roundings) if isinstance(roundings, int) else arithmetic.gammas(roundings)
    )
    bound = carried + (gamma * magnitude + 2 * roundings * arithmetic.eta)
    open_sum, limit = OpenSum(roundings, magnitude, carried), arithmetic.largest / (1 + gamma)
    if fits(magnitude, limit):
        return Bounded(arithmetic, value, bound, open_sum)
    most = ceiling(arithmetic.lower(value), magnitude, limit, bound)
    return Bounded(arithmetic, value, guarded(magnitude, limit, bound), open_sum, ceiling=most)


def _product(arithmetic: Arithmetic, x: Truths, y: Truths) -> Truths:
    if arithmetic.truth != "ball":
        return np.asarray(x @ y)
    rows = x[None] if x.ndim == 1 else x
    columns = y[:, None] if y.ndim == 1 else y
    shape = np.matmul(np.empty(x.shape), np.empty(y.shape)).shape
    return np.asarray(balls.product(rows, columns)).reshape(shape)
