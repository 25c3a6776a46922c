"""Where an activation or its slope takes another branch: found by watching it compare.

The functions of `reference` decide with numpy's comparisons, maxima and absolute values. Evaluated on
a watching array, which notes the outcome of each, they say for every z which way they went; between
two neighbours that went different ways the place is found by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from reference import arrays
from reference.arrays import Array
from reference.operations.activations import Activation

Floats = npt.NDArray[np.float64]

DECIDES = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "maximum": np.greater,
    "minimum": np.less,
}
"""How the outcome of a function that chooses is read off its operands."""

FAR = 1024.0
NEAR = 32.0
CLOSE = 2.0**-40
"""How near to a place where branches meet the bisection goes: such a place is a short binary fraction."""


@dataclass(frozen=True)
class Branch:
    """The z from `low` to `high`, both included, over which an activation decides alike."""

    low: float
    high: float

    def count(self, z: Array) -> int:
        """How many of these z lie in it."""
        return int(np.count_nonzero((z >= self.low) & (z <= self.high)))

    def __str__(self) -> str:
        """`z > 0`, `−3 < z < 3`: a bound that is no plain number is the neighbour of one."""
        if self.low == self.high:
            return f"z = {_plain(self.low)}"
        below = "" if self.low == -np.inf else f"{_plain(self.low)} {'≤' if _is_plain(self.low) else '<'} z"
        above = (
            "" if self.high == np.inf else f"z {'≤' if _is_plain(self.high) else '<'} {_plain(self.high)}"
        )
        if below and above:
            return f"{below}{above.removeprefix('z')}"
        if not below:
            return above or "z"
        return f"z {'≥' if _is_plain(self.low) else '>'} {_plain(self.low)}"


class _Watching(NDArrayOperatorsMixin):
    """An array that notes what is decided about it."""

    def __init__(self, array: Array, log: list[npt.NDArray[np.bool_]]) -> None:
        self.array, self.log = array, log

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: object, **options: object
    ) -> _Watching:
        plain: list[Any] = [value.array if isinstance(value, _Watching) else value for value in inputs]
        name = ufunc.__name__
        if name in DECIDES and method == "__call__":
            self._note(DECIDES[name](*plain))
        elif name in ("absolute", "sign"):
            self._note(np.greater(plain[0], 0))
        options.pop("out", None)
        if name.endswith(" (vectorized)"):
            result = getattr(arrays, name.removesuffix(" (vectorized)"))(*plain)
        else:
            result = getattr(ufunc, method)(*plain, **options)
        return _Watching(np.asarray(result), self.log)

    def _note(self, outcome: npt.NDArray[np.bool_]) -> None:
        self.log.append(np.broadcast_to(outcome, self.shape))


@cache
def branches(f: Activation) -> tuple[Branch, ...]:
    """The branches of an elementwise activation, from −∞ to ∞; of one that mixes or learns, none."""
    if f.jacobian or f.learned:
        return ()
    near, far = np.arange(-NEAR, NEAR, 1 / 16), np.arange(NEAR, FAR + 1)
    grid = np.concatenate([-far[::-1], near, far])
    went = _decisions(f, grid)
    meet: list[tuple[float, float]] = []
    for place in np.flatnonzero((went[:, 1:] != went[:, :-1]).any(axis=0)):
        meet += _changes(f, float(grid[place]), float(grid[place + 1]))
    lows = [-np.inf, *(above for _, above in meet)]
    highs = [*(below for below, _ in meet), np.inf]
    return tuple(Branch(low, high) for low, high in zip(lows, highs, strict=True))


def joints(f: Activation) -> list[float]:
    """Where its branches meet."""
    found = branches(f)
    return [a.high if _is_plain(a.high) else b.low for a, b in pairwise(found)]


def _decisions(f: Activation, z: Floats) -> npt.NDArray[np.bool_]:
    """(decisions, z): which way each went."""
    log: list[npt.NDArray[np.bool_]] = []
    watching = cast(Array, _Watching(z[None, :], log))
    with np.errstate(all="ignore"):
        a = f.function(watching, None)
        f.derivative(watching, a, None)
    return np.array([outcome[0] for outcome in log]).reshape(len(log), z.size)


def _changes(f: Activation, low: float, high: float) -> list[tuple[float, float]]:
    """The neighbouring floats between `low` and `high` that go different ways."""
    went = _decisions(f, np.array([low, high]))
    if (went[:, 0] == went[:, 1]).all():
        return []
    if high - low <= CLOSE:
        closed = len(repr(low)) < len(repr(high))  # the shorter one is where they meet
        return [(low, np.nextafter(low, np.inf)) if closed else (np.nextafter(high, -np.inf), high)]
    middle = low + (high - low) / 2
    return _changes(f, low, middle) + _changes(f, middle, high)


def _is_plain(number: float) -> bool:
    return len(f"{number!r}") <= len(f"{number:.6g}") + 2


def _plain(number: float) -> str:
    return f"{number + 0.0:.6g}".replace("-", "−") if abs(number) > np.finfo(np.float32).tiny else "0"
