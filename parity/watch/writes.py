"""Writes to tensors that autograd does not know of, as to `.data`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parity.pytorch.recorder.data import Argument, Call, Recorded, flat
from parity.watch.views import places


class Write(NamedTuple):
    """A call that wrote, and what it left behind."""

    call: Call
    values: Recorded


class Writes:
    """The last such write to each storage, in the step that is being made."""

    def __init__(self) -> None:
        self._last: dict[int, Write] = {}

    def saw(self, call: Call) -> None:
        """Note what a call wrote to outside of autograd's graph."""
        if any(call.outputs) or call.phase == "update":
            return
        for values in flat(tuple(call.written.values())):
            self._last[values.identity.storage] = Write(call, values)

    def after(self, taken: Argument) -> Write | None:
        """The write to what a call had taken, if there was one since, with the values that it took then."""
        if not isinstance(taken, Recorded):
            return None
        last = self._last.get(taken.identity.storage)
        if last is None or last.values.identity.state <= taken.identity.state:
            return None
        values = _seen(last.values, taken)
        return None if values is None else Write(last.call, values)

    def forget(self) -> None:
        """The step is over."""
        self._last.clear()


def _seen(written: Recorded, taken: Recorded) -> Recorded | None:
    """What a view of a storage shows after all of it was written to; None: it shows more than that."""
    left = places(written.shape, written.strides, written.offset)
    shown = places(taken.shape, taken.strides, taken.offset)
    if not np.isin(shown, left).all() or written.dtype != taken.dtype:
        return None
    memory = np.zeros(left.max() + 1, written.array.dtype)
    memory[left] = written.array
    return Recorded.of(memory[shown], taken.dtype)
