"""The rounding error that one operation adds to the bounds of its operands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.bounds.formats import Arithmetic
from parity.bounds.number import EXACT, Bounded, Truths
from parity.bounds.overflow import Float64s, guarded


@dataclass(frozen=True)
class Rounding:
    """The rounding of one operation: an error `relative` to the result, an `absolute` one for underflow."""

    relative: float
    absolute: float

    def close(self, arithmetic: Arithmetic, value: Truths, carried: Float64s) -> Bounded:
        """The result of an operation: its value, with the carried bound and this rounding."""
        magnitude = arithmetic.lower(np.abs(value))
        if carried is not EXACT:
            magnitude = magnitude + carried
        bound = self.relative * magnitude
        bound += self.absolute
        if carried is not EXACT:
            bound += carried
        limit = arithmetic.overflow / (1 + max(self.relative - arithmetic.unit, 0.0))
        return Bounded(arithmetic, value, guarded(magnitude, limit, bound))


def either(
    p: npt.NDArray[np.bool_] | None, q: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Mask of the numbers at which at least one operand has a kink."""
    return q if p is None else p if q is None else p | q
