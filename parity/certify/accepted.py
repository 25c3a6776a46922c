"""Steps accepted whole, without a finding for each equation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.bounds.overflow import Float64s


@dataclass(frozen=True)
class AcceptedShares:
    """An accepted step: for each computed tensor, the largest used share, by gate and side."""

    names: list[str]
    numbers: dict[str, int]
    certificates: Float64s  # (2, tensors)
    side_by_side: Float64s  # (2, tensors)
    max_abs: Float64s  # (tensors,): the largest difference of the sides
    telling: npt.NDArray[np.bool_]  # (2, tensors): whether a mistake would have shown
    undecided: npt.NDArray[np.int_]  # (tensors,): numbers that the second gate leaves undecided
