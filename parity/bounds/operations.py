"""Rounding bounds of arithmetic, sums and products. Each rule stands under its numpy function's name.

u is `Arithmetic.unit`, η `Arithmetic.eta`; a product is allowed 2η, since its factors may have been
associated in another order (each order underflows at another place).
"""

from __future__ import annotations

import flint
import numpy as np
import numpy.typing as npt

from parity.bounds.formats import Arithmetic
from parity.bounds.number import (
    EXACT,
    Bounded,
    Float64s,
    OpenSum,
    Rounding,
    Truths,
    guarded,
    rule,
)


@rule("positive")
def positive(x: Bounded) -> Bounded:
    return x


@rule("negative")
def negative(x: Bounded) -> Bounded:
    return Bounded(x.arithmetic, -x.value, x.carried, kink=x.kink)


@rule("absolute")
def absolute(x: Bounded) -> Bounded:
    return Bounded(x.arithmetic, np.abs(x.value), x.bound, floor=x.floor)


@rule("add")
def add(x: Bounded, y: Bounded) -> Bounded:
    """u|x + y|, or, where one of them is an open sum, one more term of it.

    Two open sums of k and m terms have k − 1 and m − 1 additions, and one joins them.
    """
    value = x.value + y.value
    if x.open_sum or y.open_sum:
        join = OpenSum(1, EXACT, EXACT) if x.open_sum and y.open_sum else OpenSum(0, EXACT, EXACT)
        return _close_sum(x.arithmetic, value, _terms(x), _terms(y), join)
    total = _rounding(x, 1, underflows=0).close(x.arithmetic, value, x.bound + y.bound)
    total.kink = _either(x.kink, y.kink)
    if x.floor is not None and y.floor is None:
        total.floor = x.floor + (y.arithmetic.lower(y.value) - y.bound)
    elif y.floor is not None and x.floor is None:
        total.floor = y.floor + (x.arithmetic.lower(x.value) - x.bound)
    elif x.floor is not None and y.floor is not None:
        total.bound = np.maximum(total.bound, np.maximum(x.carried, y.carried))
    return total


@rule("subtract")
def subtract(x: Bounded, y: Bounded) -> Bounded:
    return add(x, negative(y))


@rule("multiply")
def multiply(x: Bounded, y: Bounded) -> Bounded:
    """u|xy| + 2η, and |x|B_y + B_x|y| + B_x B_y carried; of an exact zero and a finite number, 0.

    Zero times what is not finite is NaN when multiplied and 0 when selected, as PyTorch's ReLU does
    with its slope: nobody can tell which it was.
    """
    value = x.value * y.value
    product = _rounding(x, 1, underflows=2).close(x.arithmetic, value, _product_carries(x, y))
    nan = np.isnan(x.arithmetic.lower(value))
    if nan.any():
        untold = nan & ((x.value == 0) | (y.value == 0))
        product.value = np.where(untold, x.arithmetic.lift(0.0), value)
        product.bound = np.where(untold, np.inf, product.bound)
    elif not np.all(value):
        nothing = ((x.value == 0) & (x.carried == 0)) | ((y.value == 0) & (y.carried == 0))
        product.bound = np.where(nothing & np.isfinite(product.bound), 0.0, product.bound)
    product.kink = _either(x.kink, y.kink)
    return product


@rule("square")
def square(x: Bounded) -> Bounded:
    return multiply(x, x)


@rule("divide")
def divide(x: Bounded, y: Bounded) -> Bounded:
    """2u|x/y| + 2η: it may have been a product with a rounded reciprocal."""
    value = x.value / y.value
    if x.is_exact and y.is_exact:
        carried = EXACT
    else:
        quotient = x.arithmetic.lower(np.abs(value))
        room = y.magnitude() - y.carried
        carried = (x.carried + quotient * y.carried) / np.where(room > 0, room, 0)
    return _rounding(x, 2, underflows=2).close(x.arithmetic, value, carried)


@rule("reciprocal")
def reciprocal(x: Bounded) -> Bounded:
    """u|1/x| + η. Of what may have overflowed: between 0 and about 1/largest, as in a deep sigmoid."""
    arithmetic, value = x.arithmetic, 1 / x.value
    carried = EXACT
    if not x.is_exact:
        room = x.magnitude() - x.bound
        carried = arithmetic.lower(np.abs(value)) * x.bound / np.where(room > 0, room, 0)
    if x.floor is not None:  # x is in [floor, ∞], so 1/x and 1/value are both in [0, 1/floor]
        tail = np.where(x.floor > 0, 1 / x.floor, np.inf)
        carried = np.where(np.isnan(x.floor), carried, tail)
    return _rounding(x, 1, underflows=1).close(arithmetic, value, carried)


@rule("matmul")
def matmul(x: Bounded, y: Bounded) -> Bounded:
    """γ_k |x||y| for sums of k products in any order, blocked or fused, and k underflows."""
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


@rule("blend (vectorized)")
def blend(old: Bounded, new: Bounded, beta: Bounded) -> Bounded:
    """γ_4 (β|old| + (1 − β)|new|), 0 ≤ β ≤ 1: as two products and a sum, or by `torch.lerp`.

    β old + (1 − β) new: each product's factor is rounded, it is, and so is the sum: 3 roundings.
    lerp, with w = min(β, 1 − β) and p the other one: 3u w|new − old| + u|result|, at most
    3u w(|old| + |new|) + u(β|old| + (1 − β)|new|), and w is no larger than β or 1 − β: 4 roundings.
    A β that has been computed carries its own error, B_β |new − old|.
    """
    arithmetic = old.arithmetic
    weight = beta.arithmetic.lower(beta.value)
    value = beta.value * old.value + (1 - beta.value) * new.value
    magnitude = weight * (old.magnitude() + old.carried) + (1 - weight) * (new.magnitude() + new.carried)
    carried = weight * old.carried + (1 - weight) * new.carried
    if not beta.is_exact:
        apart = arithmetic.lower(np.abs(new.value - old.value)) + old.carried + new.carried
        carried = carried + beta.carried * apart
    bound = carried + arithmetic.gamma(4) * magnitude + 8 * arithmetic.eta
    return Bounded(arithmetic, value, guarded(arithmetic, 2 * magnitude, bound))


@rule("add", "reduce")
def add_reduce(x: Bounded, axis: int | None = 0, keepdims: bool = False) -> Bounded:  # noqa: FBT001, FBT002 - numpy's signature
    """γ_{k−1} Σ|x| for a sum of k terms in any order."""
    value = np.asarray(x.value.sum(axis=axis, keepdims=keepdims))
    carried = np.broadcast_to(x.carried, x.shape)
    magnitude = x.magnitude() + carried
    k = x.value.size if axis is None else x.shape[axis]
    magnitudes = np.asarray(magnitude.sum(axis=axis, keepdims=keepdims))
    carries = np.asarray(carried.sum(axis=axis, keepdims=keepdims))
    return _close_sum(x.arithmetic, np.asarray(value), OpenSum(k - 1, magnitudes, carries))


def _either(
    p: npt.NDArray[np.bool_] | None, q: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Where at least one operand stands at a kink."""
    return q if p is None else p if q is None else p | q


def _rounding(x: Bounded, units: int, underflows: int) -> Rounding:
    return Rounding(units * x.arithmetic.unit, underflows * x.arithmetic.eta)


def _product_carries(x: Bounded, y: Bounded) -> Float64s:
    if x.is_exact and y.is_exact:
        return EXACT
    return x.magnitude() * y.carried + x.carried * (y.magnitude() + y.carried)


def _terms(x: Bounded) -> OpenSum:
    """A number as what it contributes to an open sum: one more term, and one more addition."""
    return x.open_sum or OpenSum(1, x.magnitude() + x.carried, x.carried)


def _close_sum(arithmetic: Arithmetic, value: Truths, *parts: OpenSum) -> Bounded:
    """γ_r Σ|terms| + 2rη, what the terms carried, and the sum left open for further terms."""
    roundings = sum(part.roundings for part in parts)
    magnitude, carried = parts[0].magnitude, parts[0].carried
    for part in parts[1:]:
        magnitude, carried = magnitude + part.magnitude, carried + part.carried
    bound = carried + (arithmetic.gamma(roundings) * magnitude + 2 * roundings * arithmetic.eta)
    open_sum = OpenSum(roundings, magnitude, carried)
    return Bounded(arithmetic, value, guarded(arithmetic, magnitude, bound), open_sum)


def _product(arithmetic: Arithmetic, x: Truths, y: Truths) -> Truths:
    if arithmetic.truth != "ball":
        return np.asarray(x @ y)
    product = flint.arb_mat(x.tolist()) * flint.arb_mat(y.tolist())
    return np.array(product.entries(), dtype=object).reshape(x.shape[0], y.shape[1])
