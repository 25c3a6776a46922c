"""Shapes of operands, and what broadcasting did to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from reference.arrays import Array, Data, scatter_add

Dims: TypeAlias = int | tuple[int, ...] | None


def spread(g: Array, terms: Array) -> Array:
    """One number for all terms, without a copy; other kinds of number than arrays broadcast later."""
    return np.broadcast_to(g, terms.shape) if isinstance(terms, np.ndarray) else g


def summed_to(g: Array, x: Array) -> Array:
    """The gradient of an operand that was broadcast: the sum over each axis along which it was repeated."""
    shape, lead = np.shape(x), np.ndim(g) - np.ndim(x)
    if np.shape(g) == shape:
        return g
    repeated = (lead + i for i, size in enumerate(shape) if size == 1 and np.shape(g)[lead + i] != 1)
    axes = (*range(lead), *repeated)
    return np.reshape(np.sum(g, axis=axes, keepdims=True), shape)


def repeated_to(g: Array, x: Array, *also: Array) -> Array:
    """g, broadcast to the shape that x and the others have together."""
    return np.broadcast_to(g, np.broadcast_shapes(np.shape(x), *map(np.shape, also)))


def axes_of(dim: Dims, rank: int) -> tuple[int, ...]:
    """PyTorch's `dim` as axes from the front: all of them for None or (); of one number, its one."""
    if dim is None or dim == ():
        return tuple(range(rank))
    dims: Sequence[int] = (dim,) if isinstance(dim, int) else dim
    return tuple(sorted(d % max(rank, 1) for d in dims)) if rank else ()


def broadcast(*operands: Array) -> bool:
    """Whether operands can be broadcast against each other."""
    try:
        np.broadcast_shapes(*(np.shape(operand) for operand in operands))
    except ValueError:
        return False
    return True


def sent_back(g: Array, x: Array, move: Callable[[Array], Array]) -> Array:
    """The gradient of a movement: each number's errors added up where it came from.

    `move` is told where, by moving the places of x; what it fills up with the size of x is of no place.
    """
    size = math.prod(np.shape(x))
    places = np.asarray(move(np.arange(size).reshape(np.shape(x))))  # type: ignore[arg-type]  # places move too
    return np.reshape(scatter_add((size + 1,), (places,), g)[:size], np.shape(x))


def size_along(x: Array, dim: Dims) -> int:
    """How many numbers are reduced to each one."""
    return math.prod(np.shape(x)[axis] for axis in axes_of(dim, np.ndim(x)))


def kept(y: Array, x: Array, dim: Dims) -> Array:
    """What came of a reduction of x, with the reduced axes as axes of one, whether it has them or not."""
    axes = axes_of(dim, np.ndim(x))
    return np.reshape(y, [1 if axis in axes else size for axis, size in enumerate(np.shape(x))])


def along(indices: Data, shape: tuple[int, ...], dim: int) -> tuple[Data, ...]:
    """What numpy indexes an array of this shape with, for what `indices` name along an axis."""
    places: list[Data] = list(np.indices(np.shape(indices), sparse=True))
    if shape:
        places[dim] = indices
    return tuple(places)
