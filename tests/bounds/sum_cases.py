"""Cases of the rules of sums: every order, blocked and fused, and every admitted way to a variance."""

from __future__ import annotations

import numpy as np

from reference import arrays
from tests.bounds import orders
from tests.bounds.case import Case
from tests.bounds.operands import KINDS, drawn, to_mp

SUMS = (*KINDS, "chain")
CHAIN = 40
CELLS = np.array([0, 3, 1, 1, 0, 1, 1, 4, 1, 1, 1, 3])


def _terms(random, dtype, kind, _, shape=(12, 3)):
    """Terms along the first axis."""
    if kind == "chain":
        return (orders.chain(dtype, CHAIN, shape[1:]),)
    return (drawn(random, dtype, kind, shape),)


def _factors(random, dtype, kind, _):
    if kind == "chain":
        return orders.chain(dtype, CHAIN)[None], np.ones((CHAIN, 2), dtype)
    return drawn(random, dtype, kind, (2, 3, 9)), drawn(random, dtype, kind, (9, 4))


def _products(random, x, y):
    columns = np.moveaxis(x, -1, 0)[..., None], y.reshape(len(y), *[1] * (x.ndim - 1), -1)
    yield from orders.dots(random, *np.broadcast_arrays(*columns))


def _few(random, dtype, kind, _):
    if kind == "chain":
        return tuple(orders.chain(dtype, 5, (1,))[[k]] for k in range(5))
    shapes = ((6,), (5, 6), (5, 1), (1,), (6,))
    return tuple(drawn(random, dtype, kind, shape) for shape in shapes)


def _of_few(random, *terms):
    yield from orders.sums(random, np.array(np.broadcast_arrays(*terms)))


def _scatter_terms(random, dtype, kind, _):
    if kind == "chain":
        terms = np.zeros(12, dtype)
        terms[CELLS == 1] = orders.chain(dtype, int(np.count_nonzero(CELLS == 1)))
        return (terms,)
    return (drawn(random, dtype, kind, (12,)),)


def _scattered(random, values):
    cells = [
        list(orders.sums(random, values[cell == CELLS])) if cell in CELLS else None for cell in range(6)
    ]
    for k in range(len(cells[0])):
        yield np.array([0 if found is None else found[k] for found in cells]).astype(values.dtype)


def _mp_scattered(values):
    zero = to_mp(0.0)
    return np.array([sum(values[cell == CELLS], zero) for cell in range(6)], dtype=object)


def _running(random, x):
    yield np.cumsum(x, axis=0)
    columns = [list(orders.sums(random, x[: k + 1])) for k in range(len(x))]
    for found in zip(*columns, strict=True):
        yield np.array(found)


def _means(random, x):
    n = x.dtype.type(len(x))
    for total in orders.sums(random, x):
        yield total / n
        yield total * (1 / n)


def _deviations(random, dtype, kind, _):
    """Also of numbers whose mean is far from 0, where the computed mean's own error counts."""
    shape = (24, 3)
    if kind == "chain":
        return (orders.chain(dtype, 24, (3,)),)
    away = random.choice([0.0, 0.0, 10.0, 1000.0])
    size = drawn(random, dtype, kind, shape)
    return ((size + dtype(away) * np.abs(size).max()).astype(dtype),)


def _variance(x):
    mean = np.mean(x, axis=0, keepdims=True)
    return arrays.variance(x, 0, mean, float(len(x.value)))


def _variances(random, x):
    n = x.dtype.type(len(x))
    for mean in _means(random, x):
        for total in orders.sums(random, np.square(x - mean), trees=1):
            yield (total / n)[None]
    yield orders.welford(x, len(x))[None]
    yield orders.welford(x[random.permutation(len(x))], len(x))[None]
    yield orders.joined(x, len(x))[None]
    yield np.var(x, axis=0, keepdims=True)


def _mp_variance(x):
    n = to_mp(float(len(x)))
    return (np.square(x - x.sum(axis=0) / n).sum(axis=0) / n)[None]


SUM_RULES = {
    ("add", "reduce"): Case(
        lambda x: np.add.reduce(x, axis=0),
        lambda x: x.sum(axis=0),
        orders.sums,
        1.05,
        make=_terms,
        kinds=SUMS,
    ),
    ("sum", "__array_function__"): Case(
        lambda x: np.sum(x, axis=(0,)), lambda x: x.sum(axis=0), orders.sums, 1.05, make=_terms, kinds=SUMS
    ),
    ("mean", "__array_function__"): Case(
        lambda x: np.mean(x, axis=0),
        lambda x: x.sum(axis=0) / to_mp(float(len(x))),
        _means,
        1.1,
        make=_terms,
        kinds=SUMS,
    ),
    ("add", "accumulate"): Case(
        lambda x: np.add.accumulate(x, axis=0),
        lambda x: x.cumsum(axis=0),
        _running,
        1.05,
        make=_terms,
        kinds=SUMS,
    ),
    ("cumsum", "__array_function__"): Case(
        lambda x: np.cumsum(x, axis=0), lambda x: x.cumsum(axis=0), _running, 1.05, make=_terms, kinds=SUMS
    ),
    ("matmul", "__call__"): Case(np.matmul, np.matmul, _products, 1.1, 2, _factors, SUMS),
    ("accumulated (vectorized)", "__call__"): Case(
        arrays.total, lambda *terms: sum(terms[1:], terms[0]), _of_few, 1.1, 5, _few, SUMS
    ),
    ("scatter_add (vectorized)", "__call__"): Case(
        lambda values: arrays.scatter_add((6,), CELLS, values),
        _mp_scattered,
        _scattered,
        1.05,
        make=_scatter_terms,
        kinds=SUMS,
    ),
    ("variance (vectorized)", "__call__"): Case(
        _variance, _mp_variance, _variances, 10, make=_deviations, kinds=SUMS
    ),
}
"""By rule."""
