"""Cases of the rules that work number by number."""

from __future__ import annotations

import math

import mpmath
import numpy as np

from reference import arrays
from tests.bounds.case import Case
from tests.bounds.operands import drawn, to_mp
from tests.bounds.orders import fma

SMALL = ("normal", "cancelling", "tiny", "subnormal", "zeros", "ones")


def _mp(function):
    made = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(made(x), dtype=object)


def _within(largest):
    """Operands of e^x and the like, in a range where it neither overflows nor is always 0."""
    return lambda x: ((x * x.dtype.type(largest(x.dtype) / 4)).clip(-largest(x.dtype), largest(x.dtype)),)


def _exponents(dtype):
    return 0.9 * math.log(float(np.finfo(dtype).max))


def positive(*floats):
    return tuple(np.abs(part) for part in floats)


def _positive_base(x, y):
    return np.abs(x), y


def _above_minus_one(x):
    return (np.where(x < 0, x.clip(-0.9, 0), x),)


def ulps(numpy_function, mp_function, ulp, multiple, **options):
    return Case(
        numpy_function, _mp(mp_function), lambda _, x: [numpy_function(x)], multiple, ulp=ulp, **options
    )


def _mp_log(x):
    return mpmath.log(x) if x > 0 else mpmath.mpf("-inf")


def _flushed(_, x):
    yield np.exp(x)
    if x.dtype == np.float32:  # a kernel's own exponential, before its result is subnormal
        yield np.where(np.exp(x) < np.float32(2.0**-125), np.float32(0), np.exp(x))


def _divided(_, x, y):
    yield x / y
    normal = np.abs(1 / y) >= np.finfo(x.dtype).smallest_normal
    yield np.where(normal & np.isfinite(1 / y), x * (1 / y), x / y)


def _blended(_, old, new, beta):
    one = old.dtype.type(1)
    yield beta * old + (one - beta) * new
    yield fma(beta, old, (one - beta) * new)
    yield fma(one - beta, new, beta * old)
    weight = one - beta
    small, large = old + weight * (new - old), new - (new - old) * (one - weight)
    yield np.where(weight < 0.5, small, large)
    yield np.where(weight < 0.5, fma(weight, new - old, old), fma(-(new - old), one - weight, new))


def _blend_operands(random, dtype, kind, _):
    beta = random.choice(np.array([0.0, 0.1, 0.5, 0.9, 0.999, 1.0]), 48).astype(dtype)
    return (*(drawn(random, dtype, kind, (48,)) for _ in range(2)), beta)


def _powers(random, dtype, kind, _):
    return (np.abs(drawn(random, dtype, kind, (48,))), random.uniform(-3, 3, 48).astype(dtype))


def _mp_power(x, y):
    return np.asarray(np.frompyfunc(_pow, 2, 1)(x, y), dtype=object)


def _pow(x, y):
    if x == 0:
        return mpmath.mpf(0 if y > 0 else 1 if y == 0 else "inf")
    return mpmath.power(x, y)


def _inside_one(x):
    return (np.tanh(x) * x.dtype.type(0.9),)


def _above_one(x):
    return (1 + np.abs(x),)


def _above_or_one(x):
    return (np.maximum(x, 1),)


ELEMENTARY = {
    ("sinh", "__call__"): ulps(np.sinh, mpmath.sinh, "sinh", 1.2, kinds=SMALL, domain=_within(_exponents)),
    ("arctan", "__call__"): ulps(np.arctan, mpmath.atan, "arctan", 1.2),
    ("arcsinh", "__call__"): ulps(np.arcsinh, mpmath.asinh, "arcsinh", 1.2),
    ("arcsin", "__call__"): ulps(np.arcsin, mpmath.asin, "arcsin", 1.2, domain=_inside_one),
    ("arccos", "__call__"): ulps(np.arccos, mpmath.acos, "arccos", 1.2, domain=_inside_one),
    ("arctanh", "__call__"): ulps(np.arctanh, mpmath.atanh, "arctanh", 1.2, domain=_inside_one),
    ("arccosh", "__call__"): ulps(
        np.arccosh, mpmath.acosh, "arccosh", 1.2, domain=_above_one, inside=_above_or_one
    ),
    ("positive", "__call__"): Case(np.positive, lambda x: x, lambda _, x: [+x], None),
    ("negative", "__call__"): Case(np.negative, lambda x: -x, lambda _, x: [-x], None),
    ("absolute", "__call__"): Case(np.absolute, np.abs, lambda _, x: [np.abs(x)], None),
    ("add", "__call__"): Case(np.add, np.add, lambda _, x, y: [x + y], 1.1, arity=2),
    ("subtract", "__call__"): Case(np.subtract, np.subtract, lambda _, x, y: [x - y], 1.1, arity=2),
    ("multiply", "__call__"): Case(np.multiply, np.multiply, lambda _, x, y: [x * y], 1.2, arity=2),
    ("square", "__call__"): Case(np.square, np.square, lambda _, x: [np.square(x)], 1.2),
    ("divide", "__call__"): Case(
        np.divide,
        lambda x, y: np.asarray(np.frompyfunc(lambda p, q: p / q if q else mpmath.nan, 2, 1)(x, y), object),
        _divided,
        1.6,
        arity=2,
    ),
    ("reciprocal", "__call__"): Case(
        np.reciprocal, _mp(lambda x: 1 / x if x else mpmath.nan), lambda _, x: [1 / x], 1.2
    ),
    ("exp", "__call__"): ulps(np.exp, mpmath.exp, "exp", 1.2, kinds=SMALL, domain=_within(_exponents)),
    ("exp_u20 (vectorized)", "__call__"): Case(
        arrays.exp_u20, _mp(mpmath.exp), _flushed, 1.6, ulp="exp", kinds=SMALL, domain=_within(_exponents)
    ),
    ("cosh", "__call__"): ulps(np.cosh, mpmath.cosh, "cosh", 1.2, kinds=SMALL, domain=_within(_exponents)),
    ("expm1", "__call__"): ulps(
        np.expm1, mpmath.expm1, "expm1", 1.2, kinds=SMALL, domain=_within(_exponents)
    ),
    ("tanh", "__call__"): ulps(np.tanh, mpmath.tanh, "tanh", 1.2),
    ("sin", "__call__"): ulps(np.sin, mpmath.sin, "sin", 1.2),
    ("cos", "__call__"): ulps(np.cos, mpmath.cos, "cos", 1.2),
    ("log", "__call__"): ulps(np.log, _mp_log, "log", 1.2, domain=positive),
    ("log1p", "__call__"): ulps(np.log1p, mpmath.log1p, "log1p", 1.2, domain=_above_minus_one),
    ("sqrt", "__call__"): ulps(np.sqrt, mpmath.sqrt, "sqrt", 1.2, domain=positive, inside=positive),
    ("root (vectorized)", "__call__"): ulps(
        arrays.root, mpmath.sqrt, "sqrt", 1.2, domain=positive, inside=positive
    ),
    ("power", "__call__"): Case(
        np.power,
        _mp_power,
        lambda _, x, y: [x**y],
        1.3,
        arity=2,
        make=_powers,
        inside=_positive_base,
        ulp="pow",
    ),
    ("erf (vectorized)", "__call__"): Case(
        arrays.erf, _mp(mpmath.erf), lambda _, x: [arrays.erf(x)], 1.2, ulp="erf", absolute=True
    ),
    ("blend (vectorized)", "__call__"): Case(
        arrays.blend,
        lambda old, new, beta: beta * old + (to_mp(1.0) - beta) * new,
        _blended,
        3,
        arity=3,
        make=_blend_operands,
    ),
}
"""By rule. Elementary functions are as wrong as the contract admits, K ulp, not as one library is."""
