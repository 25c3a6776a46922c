"""What the formulas compute on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating]
"""A float32 or float64 numpy array. Anything that answers to numpy's ufuncs can stand in for it."""

Scalar: TypeAlias = float | Array
"""A number, or an array that is used as one factor."""
