"""Helpers for shapes: broadcasting and its inverse, reduced axes, positions after a movement."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from reference.arrays import Array, Data, scatter_add

Numbers = TypeVar("Numbers", bound=Data)

Dims: TypeAlias = int | tuple[int, ...] | None


def spread(g: Array, terms: Array) -> Array:
    """g broadcast to the shape of `terms` without a copy; objects other than arrays broadcast later."""
    return np.broadcast_to(g, terms.shape) if isinstance(terms, np.ndarray) else g


def summed_to(g: Array, x: Array) -> Array:
    """The gradient of an operand that was broadcast: g summed over the axes along which it was repeated."""
    shape, lead = np.shape(x), np.ndim(g) - np.ndim(x)
    if np.shape(g) == shape:
        return g
    repeated = (lead + i for i, size in enumerate(shape) if size == 1 and np.shape(g)[lead + i] != 1)
    axes = (*range(lead), *repeated)
    return np.reshape(np.sum(g, axis=axes, keepdims=True), shape)


def repeated_to(g: Array, x: Array, *also: Array) -> Array:
    """g broadcast to the common shape of x and the other arrays."""
    return np.broadcast_to(g, np.broadcast_shapes(np.shape(x), *map(np.shape, also)))


def axes_of(dim: Dims, rank: int) -> tuple[int, ...]:
    """PyTorch's `dim` as a tuple of nonnegative axes; None and () mean all axes."""
    if dim is None or dim == ():
        return tuple(range(rank))
    dims: Sequence[int] = (dim,) if isinstance(dim, int) else dim
    return tuple(sorted(d % max(rank, 1) for d in dims)) if rank else ()


def broadcast(*operands: Array) -> bool:
    """Whether the operands can be broadcast together."""
    try:
        np.broadcast_shapes(*(np.shape(operand) for operand in operands))
    except ValueError:
        return False
    return True


def sent_back(g: Array, x: Array, move: Callable[[Array], Array]) -> Array:
    """The gradient of a movement: each element of g added to the position it came from.

    `move` is applied to the array of x's positions; it marks filled-in elements, which came from no
    position, with the size of x.
    """
    size = math.prod(np.shape(x))
    places = np.asarray(move(np.arange(size).reshape(np.shape(x))))  # type: ignore[arg-type]  # places move too
    return np.reshape(scatter_add((size + 1,), (places,), g)[:size], np.shape(x))


def size_along(x: Array, dim: Dims) -> int:
    """The number of elements that a reduction over `dim` combines into one."""
    return math.prod(np.shape(x)[axis] for axis in axes_of(dim, np.ndim(x)))


def kept(y: Array, x: Array, dim: Dims) -> Array:
    """The result of a reduction of x with the reduced axes as axes of size 1, kept or restored."""
    axes = axes_of(dim, np.ndim(x))
    return np.reshape(y, [1 if axis in axes else size for axis, size in enumerate(np.shape(x))])


def alike(x: Array, y: Array) -> Array:
    """Where two numbers are the same, or both NaN, which ranks above all others in PyTorch."""
    return (x == y) | (np.isnan(x) & np.isnan(y))


def lined(x: Numbers) -> Numbers:
    """x; the one number of a tensor without axes as a line of one, as PyTorch counts it along `dim`."""
    return np.reshape(x, (1,)) if np.ndim(x) == 0 else x  # type: ignore[return-value]


def along(indices: Data, shape: tuple[int, ...], dim: int) -> tuple[Data, ...]:
    """The numpy index for an array of this shape that selects `indices` along one axis."""
    places: list[Data] = list(np.indices(np.shape(indices), sparse=True))
    if shape:
        places[dim] = indices
    return tuple(places)
