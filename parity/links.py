"""Links: each step starts, bit for bit, from where the side's last one ended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reference.arrays import Array
from reference.trace import Trace


class Links:
    """What one side's parameters were at the end of its last step; copies, since sides reuse buffers."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        self._ended = {name: array.copy() for name, array in parameters.items()}

    def broken(self, trace: Trace) -> dict[str, str]:
        """The parameters from which a step starts although the step before did not end there."""
        return {
            name: f"the step does not start from the {name} that the step before ended with"
            for name, ended in self._ended.items()
            if name in trace and not _same_bits(trace[name], ended)
        }

    def advance(self, trace: Trace) -> None:
        """Remember where this step ended, as far as the side shows it."""
        for name, ended in self._ended.items():
            after = trace.get(f"{name}_next")
            if after is not None and after.shape == ended.shape and after.dtype == ended.dtype:
                np.copyto(ended, after)


def _same_bits(x: Array, y: Array) -> bool:
    """Equal as patterns of bits: −0 is not 0, and a NaN is itself."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return np.array_equal(_bits(x), _bits(y))


def _bits(x: Array) -> npt.NDArray[np.integer]:
    return x.view(np.int32 if x.dtype == np.float32 else np.int64)
