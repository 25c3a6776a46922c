"""Every way to add terms up that a correct program might take, for random ones of them."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator

import numpy as np

_LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
_FMA = {np.float32: ("fmaf", ctypes.c_float), np.float64: ("fma", ctypes.c_double)}


def _fused(dtype):
    name, kind = _FMA[np.dtype(dtype).type]
    function = getattr(_LIBM, name)
    function.restype, function.argtypes = kind, [kind] * 3
    return np.frompyfunc(lambda x, y, z: function(float(x), float(y), float(z)), 3, 1)


def fma(x, y, z):
    """x y + z with one rounding."""
    return np.asarray(_fused(x.dtype)(x, y, z)).astype(x.dtype)


def sums(random: np.random.Generator, terms, trees: int = 4) -> Iterator:
    """Sums over the first axis: in sequence both ways, by size both ways, pairwise, in random trees."""
    terms = np.asarray(terms)
    n = len(terms)
    by_size = np.argsort(np.abs(terms.reshape(n, -1)).max(axis=1))
    for order in (np.arange(n), np.arange(n)[::-1], by_size, by_size[::-1], random.permutation(n)):
        yield in_sequence(terms[order])
    yield pairwise(terms)
    yield np.add.reduce(terms, axis=0)
    for _ in range(trees):
        yield in_a_tree(random, terms)


def in_sequence(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def pairwise(terms):
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return pairwise(terms[:half]) + pairwise(terms[half:])


def in_a_tree(random: np.random.Generator, terms):
    waiting = list(terms)
    while len(waiting) > 1:
        one = waiting.pop(int(random.integers(len(waiting))))
        place = int(random.integers(len(waiting)))
        waiting[place] = waiting[place] + one
    return waiting[0]


def dots(random: np.random.Generator, x, y) -> Iterator:
    """Σ x y over the first axis: rounded products in any order, and fused into a sequence."""
    yield from sums(random, x * y)
    for order in (np.arange(len(x)), random.permutation(len(x))):
        total = x[order[0]] * y[order[0]]
        for k in order[1:]:
            total = fma(x[k], y[k], total)
        yield total


def chain(dtype, n: int, shape: tuple[int, ...] = ()):
    """1 and n − 1 numbers a little below half its unit: in sequence every one of them is lost."""
    terms = np.full((n, *shape), 0.99 * float(np.finfo(dtype).eps) / 2, dtype)
    terms[0] = 1
    return terms


def welford(terms, n: float):
    """The variance by means that are updated one number at a time."""
    mean, squares = np.zeros_like(terms[0]), np.zeros_like(terms[0])
    for count, term in enumerate(terms, 1):
        delta = term - mean
        mean = mean + delta / terms.dtype.type(count)
        squares = squares + delta * (term - mean)
    return squares / terms.dtype.type(n)


def joined(terms, n: float):
    """The variance by blocks of four, joined pairwise as Chan, Golub and LeVeque do."""

    def moments(part):
        if len(part) <= 4:
            mean = in_sequence(part) / part.dtype.type(len(part))
            return len(part), mean, in_sequence(np.square(part - mean))
        (m, a, p), (k, b, q) = moments(part[: len(part) // 2]), moments(part[len(part) // 2 :])
        delta, share = b - a, part.dtype.type(k / (m + k))
        return m + k, a + delta * share, p + q + delta * delta * (share * part.dtype.type(m))

    return moments(terms)[2] / terms.dtype.type(n)
