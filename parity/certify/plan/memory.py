"""Pieces of memory that programs write into, used again where nothing needs them any more."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

import numpy as np

from parity.certify.plan.layout import strides_order
from parity.certify.plan.node import Values

ROOM = 4
"""How many times as large as what is asked for a free piece may be."""


class Memory:
    """The pieces that are free. Programs that never run at the same time may share them."""

    def __init__(self) -> None:
        self._free: list[Values] = []

    def take(self, size: int) -> Values:
        """A piece of at least so many bytes."""
        place = bisect_left(self._free, size, key=len)
        if place < len(self._free) and len(self._free[place]) <= ROOM * size:
            return self._free.pop(place)
        return np.empty(size, np.uint8)

    def array(self, like: Values) -> tuple[Values, Values]:
        """A piece, and an array in it of the same shape, dtype and order of axes as another."""
        chunk, order = self.take(like.nbytes), strides_order(like)
        flat = chunk[: like.nbytes].view(like.dtype).reshape([like.shape[axis] for axis in order])
        return chunk, flat.transpose(np.argsort(order))

    def give_back(self, chunks: Iterable[Values]) -> None:
        """Let pieces be used again."""
        for chunk in chunks:
            insort(self._free, chunk, key=len)
