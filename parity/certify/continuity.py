"""Continuity: each step of a side starts with the parameters, bit for bit, that its last step produced."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace

LARGE = 1 << 16
"""Size in bytes from which comparing in place is faster than creating bytes objects."""


class Continuity:
    """The bits of one side's parameters at the end of its last step; −0 differs from 0."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        self._small = {n: array.tobytes() for n, array in parameters.items() if array.nbytes < LARGE}
        self._large = {n: array.copy() for n, array in parameters.items() if n not in self._small}
        self._after = {name: f"{name}_next" for name in parameters}

    def broken(self, trace: Trace) -> dict[str, Message]:
        """The parameters that differ from those at the end of the previous step."""
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
        """The parameters that are broken at the start of a step; stores those at its end."""
        found = self.broken(trace)
        self.advance(trace)
        return found

    def advance(self, trace: Trace) -> None:
        """Store the parameters at the end of a step, as far as the side shows them."""
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
    """Whether dtype, shape and all bits are the same."""
    if array.dtype != ended.dtype or array.shape != ended.shape:
        return False
    bits = f"u{array.itemsize}"
    return np.array_equal(array.view(bits), ended.view(bits))
