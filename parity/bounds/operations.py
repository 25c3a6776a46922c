"""Rounding bounds of elementwise arithmetic. Each rule has the name of its numpy function.

u is `Arithmetic.unit`, η `Arithmetic.eta`; a product is allowed 2η, since its factors may have been
associated in another order, which underflows in another place.
"""

from __future__ import annotations

import numpy as np

from parity.bounds.branches import everywhere
from parity.bounds.number import EXACT, Bounded, rule
from parity.bounds.overflow import Float64s
from parity.bounds.rounding import Rounding, either


@rule("positive")
def positive(x: Bounded) -> Bounded:
    """x with its bound: nothing is rounded.

    Source: IEEE 754, copy.
    """
    return x


@rule("negative")
def negative(x: Bounded) -> Bounded:
    """−x with the bound of x: only the sign changes, and nothing is rounded.

    Source: IEEE 754, negate.
    """
    return Bounded(x.arithmetic, -x.value, x.carried, kink=x.kink)


@rule("absolute")
def absolute(x: Bounded) -> Bounded:
    """|x| with the bound of x.

    Only the sign changes, and nothing is rounded; ||x̂| − |x|| ≤ |x̂ − x|.

    Source: IEEE 754, abs.
    """
    return Bounded(x.arithmetic, np.abs(x.value), x.bound, floor=x.floor)


@rule("multiply")
def multiply(x: Bounded, y: Bounded) -> Bounded:
    """u|xy| + 2η, and |x|B_y + B_x|y| + B_x B_y carried; 0 for an exact zero and a finite number.

    x̂ŷ − xy = x(ŷ − y) + (x̂ − x)y + (x̂ − x)(ŷ − y), and one rounding of a number that is at most
    |xy| plus what is carried.

    Zero times a number that is not finite is NaN when multiplied and 0 when selected, as PyTorch's ReLU
    does with its slope, so the bound is infinite there.

    Source: Higham (2002), §2.2, the standard model, and the model with underflow.
    """
    value = x.value * y.value
    product = _rounding(x, 1, underflows=2).close(x.arithmetic, value, _product_carries(x, y))
    size = x.arithmetic.lower(np.abs(value))
    if not everywhere(size > 0):
        nan = np.isnan(size)
        uncertain = nan & ((x.value == 0) | (y.value == 0))
        product.value = np.where(uncertain, x.arithmetic.lift(0.0), value)
        product.bound = np.where(uncertain, np.inf, product.bound)
        nothing = ((x.value == 0) & (x.carried == 0)) | ((y.value == 0) & (y.carried == 0))
        product.bound = np.where(nothing & np.isfinite(product.bound), 0.0, product.bound)
    product.kink = either(x.kink, y.kink)
    return product


@rule("square")
def square(x: Bounded) -> Bounded:
    """As x times x: u x² + 2η, and 2|x|B + B² carried.

    Source: as multiply.
    """
    return multiply(x, x)


@rule("divide")
def divide(x: Bounded, y: Bounded) -> Bounded:
    """2u|x/y| + 2η, and (B_x + |x/y| B_y)/(|y| − B_y) carried.

    x̂/ŷ − x/y = ((x̂ − x) − (x/y)(ŷ − y))/ŷ, and |ŷ| is at least |y| − B_y. Two roundings, since the
    implementation may multiply by a rounded reciprocal, if that is a normal number.

    Source: Higham (2002), §2.2.
    """
    value = x.value / y.value
    if x.is_exact and y.is_exact:
        carried = EXACT
    else:
        room = y.magnitude() if y.is_exact else np.maximum(y.magnitude() - y.carried, 0)
        off = x.carried
        if not y.is_exact:
            off = x.arithmetic.lower(np.abs(value)) * y.carried + off
        # The product of bounds may underflow; η keeps it from being too small.
        carried = (off + x.arithmetic.eta) / room
    return _rounding(x, 2, underflows=2).close(x.arithmetic, value, carried)


@rule("reciprocal")
def reciprocal(x: Bounded) -> Bounded:
    """u|1/x| + η, and B/(|x|(|x| − B)) carried.

    1/x̂ − 1/x = (x − x̂)/(x x̂). If x may have overflowed, x ≥ f: then 1/x̂ and 1/x are both between 0
    and 1/f, as in a saturated sigmoid.

    Source: Higham (2002), §2.2.
    """
    arithmetic, value = x.arithmetic, 1 / x.value
    carried = EXACT
    if not x.is_exact:
        room = x.magnitude() - x.bound
        carried = arithmetic.lower(np.abs(value)) * x.bound / np.where(room > 0, room, 0)
    if x.floor is not None:  # x is in [floor, ∞], so 1/x and 1/value are both in [0, 1/floor]
        tail = np.where(x.floor > 0, 1 / x.floor, np.inf)
        carried = np.where(np.isnan(x.floor), carried, tail)
    return _rounding(x, 1, underflows=1).close(arithmetic, value, carried)


def _rounding(x: Bounded, units: int, underflows: int) -> Rounding:
    return Rounding(units * x.arithmetic.unit, underflows * x.arithmetic.eta)


def _product_carries(x: Bounded, y: Bounded) -> Float64s:
    if x.is_exact and y.is_exact:
        return EXACT
    if y.is_exact:
        return x.carried * y.magnitude()
    if x.is_exact:
        return x.magnitude() * y.carried
    return x.magnitude() * y.carried + x.carried * (y.magnitude() + y.carried)
