"""What pooling and resampling share: windows as the places of their numbers, and what is done with them.

`seen` names the places in x of the numbers of each window, counted over the last `axes` axes of x, and −1
where a window has none: (*places, *kernel), as many of the one as of the other.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from reference.arrays import Array, scatter_add

Sizes: TypeAlias = tuple[int, ...]
Places: TypeAlias = Array
"""Whole numbers, which are data."""


def flat(x: Array, axes: int) -> Array:
    """x with its pooled axes as one, and one in front: (batch, places of x)."""
    shape = np.shape(x)
    return np.reshape(x, (math.prod(shape[: len(shape) - axes]), math.prod(shape[len(shape) - axes :])))


def largest(x: Array, seen: Places, axes: int) -> Places:
    """Where the first largest number of each window is, or a NaN: (…, *places)."""
    numbers, cells = flat(x, axes), np.reshape(seen, (-1, math.prod(seen.shape[axes:])))
    values = np.where(cells < 0, -np.inf, numbers[:, cells])  # (batch, places, kernel)
    best = np.argmax(values, axis=-1)
    return np.reshape(
        cells[np.arange(len(cells)), best], (*np.shape(x)[: np.ndim(x) - axes], *seen.shape[:axes])
    )


def checked(x: Array, chosen: Places, seen: Places, axes: int) -> Places:
    """The choice where it is one of its window's, and no other there is larger; elsewhere −1."""
    numbers, cells = flat(x, axes), np.reshape(seen, (-1, math.prod(seen.shape[axes:])))
    named = flat(chosen, axes)
    most = np.max(np.where(cells < 0, -np.inf, numbers[:, cells]), axis=-1)
    inside = np.any(cells[None] == named[..., None], axis=-1) & (named >= 0)
    value = picked(axes, x, np.where(inside, named, 0).reshape(np.shape(chosen)))
    value = flat(value, axes)
    best = inside & ((value == most) | (np.isnan(value) & np.isnan(most)))
    return np.reshape(np.where(best, named, -1), np.shape(chosen))


def picked(axes: int, x: Array, indices: Places) -> Array:
    """y: the numbers of x that were chosen."""
    chosen = flat(indices, axes)
    found = flat(x, axes)[np.arange(len(chosen))[:, None], chosen]
    return np.reshape(found, np.shape(indices))


def picked_gradient(axes: int, g: Array, x: Array, indices: Places) -> Array:
    """∂L/∂x: each error goes to the number that was chosen, where several may meet."""
    errors, chosen = flat(g, axes), flat(indices, axes)
    batch = np.arange(len(chosen))[:, None]
    shape = np.shape(x)
    return np.reshape(scatter_add(flat(x, axes).shape, (batch, chosen), errors), shape)


def sums(x: Array, seen: Places, axes: int) -> Array:
    """The sum of each window: (…, *places)."""
    cells = np.reshape(seen, (*seen.shape[:axes], math.prod(seen.shape[axes:])))
    padded = np.pad(flat(x, axes), [(0, 0), (0, 1)])  # a last 0, which −1 names
    total = np.add.reduce(padded[:, cells], axis=-1)
    return np.reshape(total, (*np.shape(x)[: np.ndim(x) - axes], *seen.shape[:axes]))


def spread_back(share: Array, shape: Sizes, seen: Places, axes: int) -> Array:
    """A share of each window, (…, *places), added to all of its numbers: an array of this shape."""
    lead, sizes = shape[: len(shape) - axes], shape[len(shape) - axes :]
    rows, cells = math.prod(lead), np.reshape(seen, (math.prod(seen.shape[:axes]), -1))
    shares = np.broadcast_to(np.expand_dims(flat(share, axes), -1), (rows, *cells.shape))
    batch = np.arange(rows)[:, None, None]
    found = scatter_add((rows, math.prod(sizes) + 1), (batch, cells[None]), shares)
    return np.reshape(found[:, :-1], shape)


def formed(numbers: npt.NDArray[np.generic], x: Array) -> Array:
    """Whole numbers in the format of x; other kinds of number than arrays know their own."""
    return numbers.astype(x.dtype) if isinstance(x, np.ndarray) else numbers
