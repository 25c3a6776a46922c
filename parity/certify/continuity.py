"""Continuity: each step starts, bit for bit, from where the side's last one ended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace

LARGE = 1 << 16
"""From so many bytes on, comparing in place costs less than making bytes objects."""


class Continuity:
    """What one side's parameters were at the end of its last step, as bits: −0 is not 0."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        self._small = {n: array.tobytes() for n, array in parameters.items() if array.nbytes < LARGE}
        self._large = {n: array.copy() for n, array in parameters.items() if n not in self._small}
        self._after = {name: f"{name}_next" for name in parameters}

    def broken(self, trace: Trace) -> dict[str, Message]:
        """The parameters from which a step starts although the step before did not end there."""
        found = []
        for name, bits in self._small.items():
            tensor = trace.get(name)
            if tensor is not None and tensor.tobytes() != bits:
                found.append(name)
        for name, ended in self._large.items():
            tensor = trace.get(name)
            if tensor is not None and not _same(tensor, ended):
                found.append(name)
        return {name: Message("unlinked", name=name) for name in found}

    def follow(self, trace: Trace) -> dict[str, Message]:
        """What is broken at the start of a step; its end is remembered for the next."""
        found = self.broken(trace)
        self.advance(trace)
        return found

    def advance(self, trace: Trace) -> None:
        """Remember where this step ended, as far as the side shows it."""
        small = self._small
        for name in small:
            after = trace.get(self._after[name])
            if after is not None:
                small[name] = after.tobytes()
        for name, ended in self._large.items():
            after = trace.get(self._after[name])
            if after is None:
                continue
            if after.shape == ended.shape and after.dtype == ended.dtype:
                np.copyto(ended, after)
            else:
                self._large[name] = after.copy()


def _same(array: Array, ended: Array) -> bool:
    """Whether all bits are the same, and whatever they are said to be."""
    if array.dtype != ended.dtype or array.shape != ended.shape:
        return False
    bits = f"u{array.itemsize}"
    return np.array_equal(array.view(bits), ended.view(bits))
