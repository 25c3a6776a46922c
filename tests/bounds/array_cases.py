"""Cases of the rules of choices, and of what only moves or converts numbers."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.bounds import Bounded
from reference import arrays
from tests.bounds.case import Case, elementwise
from tests.bounds.operands import drawn, to_mp

STORED = ("normal", "cancelling", "zeros", "ones")


def near(random, dtype, kind, arity):
    """Pairs of which some are equal and some are neighbours."""
    x = drawn(random, dtype, kind, (48,))
    y = np.where(random.random(48) < 0.3, x, np.nextafter(x, dtype(np.inf)))
    return x, np.where(random.random(48) < 0.3, drawn(random, dtype, kind, (48,)), y).astype(dtype)


def _as_numbers(ufunc):
    return lambda x, y: np.asarray(to_mp(ufunc(x, y).astype(float)), object)


def comparison(ufunc):
    return Case(ufunc, _as_numbers(ufunc), lambda _, x, y: [ufunc(x, y).astype(x.dtype)], None, 2, near)


def _conjunction(x, y, z):
    return np.logical_and(np.greater(x, y), np.greater(y, z))


def _largest(x):
    return arrays.attains(x, np.max(x, axis=1, keepdims=True), (1,))


def _is_largest(x):
    return x == np.max(x, axis=1, keepdims=True)


def _chosen(x, y, z):
    return arrays.select(np.greater(x, y), y, z)


def _copies(function, of_floats=None, arity=1, make=elementwise):
    plain = of_floats or function
    return Case(function, plain, lambda _, *floats: [plain(*floats)], None, arity, make)


def _cube(random, dtype, kind, arity):
    return tuple(drawn(random, dtype, kind, (2, 3, 4)) for _ in range(arity))


def _square_cube(random, dtype, kind, _):
    return (drawn(random, dtype, kind, (3, 3, 4)),)


def _mp_fmax(x, y):
    return np.maximum(x, y)


def _labels(random, dtype, kind, _):
    return (random.permutation(np.array([0, 1, 2, -1])).astype(dtype).reshape(4, 1),)


def _mp_labels(y):
    return np.asarray(to_mp(arrays.labels(y.astype(float))), object)


def _casts(_, x):
    half = arrays.bfloat16(x)
    yield half
    yield arrays.bfloat16(x.astype(np.float32)).astype(x.dtype)


def _constant(x):
    return np.full_like(x, 2.5) if isinstance(x, Bounded) else np.full(x.shape, x.flat[0] * 0 + 2.5)


MOVED = {
    "reshape": lambda x: np.reshape(x, (4, 6)),
    "ravel": np.ravel,
    "transpose": lambda x: np.transpose(x, (2, 0, 1)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 2),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(x[:1], 0),
    "broadcast_to": lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
    "flip": lambda x: np.flip(x, (0, 2)),
    "roll": lambda x: np.roll(x, (1, 2), (0, 1)),
    "take": lambda x: np.take(x, [[2, 0], [1, 1]], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[[1, 0, 2, 2]]]), axis=1),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "diagonal": lambda x: np.diagonal(x, 1, 1, 2),
    "tril": np.tril,
    "triu": np.triu,
    "sliding_window_view": lambda x: sliding_window_view(x, (2, 3), (1, 2)),
    "pad": lambda x: np.pad(x, ((0, 1), (1, 0), (2, 2)), constant_values=0.5),
    "zeros_like": np.zeros_like,
    "ones_like": np.ones_like,
}
"""Of an array (2, 3, 4), by the name of numpy's function."""

ARRAYS = {
    ("maximum", "__call__"): Case(
        np.maximum, np.maximum, lambda _, x, y: [np.maximum(x, y)], None, 2, near
    ),
    ("minimum", "__call__"): Case(
        np.minimum, np.minimum, lambda _, x, y: [np.minimum(x, y)], None, 2, near
    ),
    ("fmax", "__call__"): Case(np.fmax, _mp_fmax, lambda _, x, y: [np.fmax(x, y)], None, 2, near),
    ("larger (vectorized)", "__call__"): Case(
        arrays.larger, np.maximum, lambda _, x, y: [np.maximum(x, y)], None, 2, near
    ),
    ("smaller (vectorized)", "__call__"): Case(
        arrays.smaller, np.minimum, lambda _, x, y: [np.minimum(x, y)], None, 2, near
    ),
    ("maximum", "reduce"): _copies(lambda x: np.maximum.reduce(x, axis=(0, 2)), make=_cube),
    ("minimum", "reduce"): _copies(lambda x: np.minimum.reduce(x, axis=(0, 2)), make=_cube),
    ("max", "__array_function__"): _copies(lambda x: np.max(x, axis=1), make=_cube),
    ("min", "__array_function__"): _copies(lambda x: np.min(x, axis=1, keepdims=True), make=_cube),
    **{
        (ufunc.__name__, "__call__"): comparison(ufunc)
        for ufunc in (np.greater, np.greater_equal, np.less, np.less_equal, np.equal)
    },
    ("attains (vectorized)", "__call__"): Case(
        _largest,
        lambda x: np.asarray(to_mp(_is_largest(x).astype(float)), object),
        lambda _, x: [_is_largest(x).astype(x.dtype)],
        None,
        make=lambda random, dtype, kind, _: (near(random, dtype, kind, 2)[0].reshape(8, 6),),
    ),
    ("logical_and", "__call__"): Case(
        _conjunction,
        lambda x, y, z: np.asarray(to_mp(((x > y) & (y > z)).astype(float)), object),
        lambda _, x, y, z: [((x > y) & (y > z)).astype(x.dtype)],
        None,
        3,
        lambda random, dtype, kind, _: (*near(random, dtype, kind, 2), near(random, dtype, kind, 2)[0]),
    ),
    ("sign", "__call__"): Case(
        np.sign,
        lambda x: np.asarray(to_mp(np.sign(x.astype(float))), object),
        lambda _, x: [np.sign(x)],
        None,
    ),
    ("select (vectorized)", "__call__"): Case(
        _chosen,
        lambda x, y, z: np.where(x > y, y, z),
        lambda _, x, y, z: [np.where(x > y, y, z)],
        None,
        3,
        lambda random, dtype, kind, _: (*near(random, dtype, kind, 2), near(random, dtype, kind, 2)[0]),
    ),
    ("epsilon (vectorized)", "__call__"): Case(
        lambda x: np.broadcast_to(arrays.epsilon(x), (2,)),
        lambda x: x,
        lambda _, x: [np.full(2, arrays.epsilon(x), x.dtype)],
        None,
        make=lambda random, dtype, kind, _: (np.full(2, np.finfo(dtype).eps),),
        exact_only=True,
    ),
    ("column (vectorized)", "__call__"): Case(
        lambda z: arrays.column(z, (0.5, 0.1)),
        lambda z: z,
        lambda _, z: [arrays.column(z, (0.5, 0.1))],
        None,
        make=lambda random, dtype, kind, _: (np.array([[0.5], [dtype(0.1)]], dtype),),
        exact_only=True,
    ),
    ("labels (vectorized)", "__call__"): Case(
        arrays.labels, _mp_labels, lambda _, y: [arrays.labels(y)], None, make=_labels, exact_only=True
    ),
    ("full_like (vectorized)", "__call__"): Case(
        lambda z: arrays.full_like(z, 2.5), _constant, lambda _, z: [np.full_like(z, 2.5)], None
    ),
    ("full_like", "__array_function__"): Case(
        _constant, lambda x: _constant(x), lambda _, x: [np.full_like(x, 2.5)], None
    ),
    **{(name, "__array_function__"): _copies(move, make=_cube) for name, move in MOVED.items()},
    ("clip", "__array_function__"): _copies(
        lambda x, y: np.clip(x, -0.5, y) if isinstance(x, Bounded) else np.minimum(np.maximum(x, -0.5), y),
        arity=2,
        make=_cube,
    ),
    ("concatenate", "__array_function__"): _copies(
        lambda x, y: np.concatenate([x, y[:, :1]], axis=1), arity=2, make=_cube
    ),
    ("stack", "__array_function__"): _copies(lambda x, y: np.stack([x, y], axis=1), arity=2, make=_cube),
    ("where", "__array_function__"): _copies(
        lambda x, y: np.where(np.arange(4) % 2 == 0, x, y[:1]), arity=2, make=_cube
    ),
    **{
        (name, "__array_function__"): Case(
            lambda x, fact=fact: np.full_like(x, float(np.sum(fact(x)))),
            lambda x, fact=fact: x * 0 + to_mp(float(np.sum(fact(x)))),
            lambda _, x, fact=fact: [np.full_like(x, float(np.sum(fact(x))))],
            None,
            make=_cube,
        )
        for name, fact in (("shape", np.shape), ("ndim", np.ndim), ("size", np.size))
    },
    ("cast (vectorized)", "__call__"): Case(
        lambda x: arrays.cast(x, np.float32),
        lambda x: x,
        lambda _, x: [x.astype(np.float32)],
        None,
        make=lambda random, dtype, kind, _: (drawn(random, np.float32, kind, (48,)).astype(dtype),),
    ),
    ("bfloat16 (vectorized)", "__call__"): Case(arrays.bfloat16, lambda x: x, _casts, 1.3, kinds=STORED),
}
"""By rule. None as multiple: nothing is rounded, so results of exact operands are the same bits."""
