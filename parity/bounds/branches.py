"""The decisions of the rules that depend on the numbers themselves.

A rule may skip work that no number of its operands needs: then it asks `everywhere` or `somewhere`, and
the other branch must give the same results for the numbers that did not need it. `parity.certify.plan`
relies on that: it records one branch of a rule and replays it on other numbers. Of a decision that is
not of this kind, a rule takes `bool`, and a replay is valid only for the same outcome.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reference.arrays import primitive


@primitive(1)
def everywhere(condition: npt.NDArray[Any]) -> bool:
    """Whether a condition holds, or a number is not zero, at every place."""
    return bool(np.all(condition))


@primitive(1)
def somewhere(condition: npt.NDArray[Any]) -> bool:
    """Whether a condition holds at any place."""
    return bool(np.any(condition))


def array_of(value: npt.ArrayLike) -> npt.NDArray[Any]:
    """The value as an array, or as it is if it implements numpy's functions by itself."""
    return value if hasattr(value, "__array_function__") else np.asarray(value)  # type: ignore[return-value]


def is_recorded(value: object) -> bool:
    """Whether it implements numpy's functions by itself, so that nothing of it may be remembered."""
    return not isinstance(value, np.ndarray)
