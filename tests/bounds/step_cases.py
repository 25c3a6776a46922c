"""Cases of the rules of steps, of what is asked of a number, of further functions and of products."""

from __future__ import annotations

import mpmath
import numpy as np

from reference import arrays
from tests.bounds.array_cases import comparison, near
from tests.bounds.case import Case
from tests.bounds.elementary_cases import SMALL, positive, ulps
from tests.bounds.operands import drawn, to_mp


def _step(ufunc):
    return Case(
        ufunc,
        lambda x: np.asarray(to_mp(ufunc(x.astype(float))), object),
        lambda _, x: [ufunc(x)],
        None,
        make=_around_steps,
    )


def _around_steps(random, dtype, kind, _):
    """Numbers of the kind, and whole and half numbers with their neighbours."""
    halves = random.integers(-6, 7, 24).astype(dtype) / dtype(2)
    beside = np.nextafter(halves, random.choice([-np.inf, np.inf], 24).astype(dtype))
    return (np.concatenate([drawn(random, dtype, kind, (24,)), halves, beside]),)


def _asked(ufunc):
    zero = to_mp(0.0)
    return Case(ufunc, lambda x: x * zero, lambda _, x: [ufunc(x).astype(x.dtype)], None)


def _conditions(combine):
    return Case(
        lambda x, y, z: combine(np.greater(x, y), np.greater(y, z)),
        lambda x, y, z: np.asarray(to_mp(combine(x > y, y > z).astype(float)), object),
        lambda _, x, y, z: [combine(x > y, y > z).astype(x.dtype)],
        None,
        3,
        lambda random, dtype, kind, _: (*near(random, dtype, kind, 2), near(random, dtype, kind, 2)[0]),
    )


def _products(random, x):
    """Products over the first axis in many orders."""
    for order in (np.arange(len(x)), np.arange(len(x))[::-1], random.permutation(len(x))):
        total = x[order[0]]
        for k in order[1:]:
            total = total * x[k]
        yield total
    half = len(x) // 2
    yield np.prod(x[:half], axis=0) * np.prod(x[half:], axis=0)


def _factors(random, dtype, kind, _):
    if kind == "chain":  # each product is rounded by nearly half a unit of a number just above 1
        return (np.full((20, 1), 1 + dtype(3) * np.finfo(dtype).eps, dtype),)
    return (drawn(random, dtype, kind, (9, 6)),)


def _product(apply):
    kinds = ("normal", "cancelling", "zeros", "ones", "subnormal", "wide", "chain")
    return Case(apply, lambda x: x.prod(axis=0), _products, 4, make=_factors, kinds=kinds)


def _log(base):
    return lambda x: mpmath.log(x, base) if x > 0 else mpmath.mpf("-inf")


def _scaled(x):
    """Powers of two that neither overflow nor are always 0."""
    largest = 0.9 * np.log2(float(np.finfo(x.dtype).max))
    return ((x * x.dtype.type(largest / 4)).clip(-largest, largest),)


def _all_certain(x, y):
    return arrays.certain_nans(x, (x, y), lambda x, y: x + y)


def _summed(x, y, z):
    return np.add.reduce(x * y * z, axis=0)


def _of_three(x, y, z):
    return arrays.any_order(_summed(x, y, z), (x, y, z), _summed)


def _in_orders(random, x, y, z):
    """Sums of products of three in each order; of one that is the same everywhere, also after the sum."""
    yield _summed(x, y, z)
    yield _summed(y, z, x)
    yield _summed(z, x, y)
    yield np.add.reduce(x * y, axis=0) * z[0]


def _three(random, dtype, kind, _):
    return tuple(drawn(random, dtype, kind, (rows, 8)) for rows in (4, 4, 1))


STEPS = {
    **{(ufunc.__name__, "__call__"): _step(ufunc) for ufunc in (np.floor, np.ceil, np.trunc, np.rint)},
    **{(ufunc.__name__, "__call__"): _asked(ufunc) for ufunc in (np.isnan, np.isinf)},
    ("not_equal", "__call__"): comparison(np.not_equal),
    ("logical_not", "__call__"): _conditions(lambda p, q: np.logical_and(np.logical_not(p), q)),
    ("logical_or", "__call__"): _conditions(np.logical_or),
    ("log2", "__call__"): ulps(np.log2, _log(2), "log2", 1.2, domain=positive, inside=positive),
    ("log10", "__call__"): ulps(np.log10, _log(10), "log10", 1.2, domain=positive, inside=positive),
    ("exp2", "__call__"): ulps(
        np.exp2, lambda x: mpmath.mpf(2) ** x, "exp2", 1.2, kinds=SMALL, domain=_scaled
    ),
    ("tan", "__call__"): ulps(np.tan, mpmath.tan, "tan", 1.2, kinds=SMALL),
    ("multiply", "reduce"): _product(lambda x: np.multiply.reduce(x, axis=0)),
    ("certain_nans (vectorized)", "__call__"): Case(
        _all_certain, lambda x, y: x, lambda _, x, y: [x], None, 2
    ),
    ("any_order (vectorized)", "__call__"): Case(
        _of_three, lambda x, y, z: np.asarray((x * y * z).sum(axis=0)), _in_orders, 40, 3, _three
    ),
    ("prod", "__array_function__"): _product(lambda x: np.prod(x, axis=0)),
}
"""By rule."""
