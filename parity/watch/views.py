"""Gradients of views: their places in the base that they look into."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from parity.certify.measure import Values
from parity.pytorch.recorder.data import Geometry, Recorded

Places = npt.NDArray[np.int64]


def inside(geometry: Geometry, base: Recorded) -> Recorded:
    """The part of a base's gradient that is the view's."""
    memory = np.zeros(_size(geometry), base.array.dtype)
    memory[_base_places(geometry)] = base.array
    return Recorded.of(memory[_view_places(geometry)], base.dtype)


def around(geometry: Geometry, base: Recorded) -> Values:
    """A base's gradient with zeros in the place of the view."""
    memory = np.zeros(_size(geometry), base.array.dtype)
    memory[_base_places(geometry)] = base.array
    memory[_view_places(geometry)] = 0
    found: Values = memory[_base_places(geometry)]
    return found


def placed(geometry: Geometry, view: Recorded) -> Values:
    """Zeros in the shape of the base, and a view's gradient in its place."""
    memory = np.zeros(_size(geometry), view.array.dtype)
    np.add.at(memory, _view_places(geometry), view.array)  # a view may show a number more than once
    found: Values = memory[_base_places(geometry)]
    return found


def repeats(geometry: Geometry) -> bool:
    """Whether the view shows some number more than once."""
    shown = _view_places(geometry)
    return len(np.unique(shown)) < shown.size


def places(shape: Sequence[int], strides: Sequence[int], offset: int) -> Places:
    """The place in memory of each number."""
    found = np.full(tuple(shape), offset)
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        found += (np.arange(n) * stride).reshape(-1, *[1] * (len(shape) - axis - 1))
    return found


def _base_places(geometry: Geometry) -> Places:
    return places(geometry.base_shape, geometry.base_strides, 0)


def _view_places(geometry: Geometry) -> Places:
    return places(geometry.shape, geometry.strides, geometry.offset)


def _size(geometry: Geometry) -> int:
    reach = zip(geometry.base_shape, geometry.base_strides, strict=True)
    return 1 + sum((n - 1) * s for n, s in reach) if math.prod(geometry.base_shape) else 0
