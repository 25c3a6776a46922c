"""Tensors as tables that a person can read: a window of a large one, always with its worst number.

A cell has the number, its signed share of the bound, and a shade for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.render.numbers import shown

WINDOW = 6
"""Rows and columns of a tensor that are shown in numbers; statistics are always over all of it."""
SHADES = 5
"""Shades of blue (below the truth) and of vermillion (above), up to the whole bound."""


@dataclass(frozen=True)
class Cell:
    """A number and its signed share of the bound as text, a shade, and whether it is the one looked at."""

    text: str
    share: str
    shade: int = 0
    looked_at: bool = False


@dataclass(frozen=True)
class NumberTable:
    """A window of a tensor: indices of its rows and columns, its cells, and the size of the whole."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]
    shape: tuple[int, int]

    @property
    def whole(self) -> bool:
        return (len(self.rows), len(self.columns)) == self.shape


def window(size: int, worst: int, most: int = WINDOW) -> tuple[int, ...]:
    """The first indices, and the worst one among them or at the end."""
    if size <= most:
        return tuple(range(size))
    return tuple(range(most)) if worst < most else (*range(most - 1), worst)


def table(
    tensor: npt.NDArray[np.generic], share: npt.NDArray[np.float64], at: tuple[int, ...]
) -> NumberTable:
    """The numbers, each with its signed share of the bound and a shade for it."""
    height, width = tensor.shape if tensor.ndim == 2 else (1, tensor.size)
    matrix, used = tensor.reshape(height, width), share.reshape(height, width)
    i, j = at if len(at) == 2 else (0, 0)
    rows, columns = window(height, i), window(width, j)
    cells = tuple(
        tuple(
            _cell(float(matrix[row, column]), float(used[row, column]), looked_at=(row, column) == (i, j))
            for column in columns
        )
        for row in rows
    )
    return NumberTable(rows, columns, cells, (height, width))


def _cell(value: float, share: float, *, looked_at: bool) -> Cell:
    if not np.isfinite(share):
        return Cell(shown(value), "?", 0, looked_at)
    sign = "+" if share > 0 else ""
    text = "0" if share == 0 else sign + shown(share, 2 if abs(share) < 1000 else 1)
    return Cell(shown(value), text, shade(share), looked_at)


def shade(share: float) -> int:
    """Of a number between −1 and 1 its shade, −5 … 5; ±6 beyond."""
    size = int(np.ceil(abs(share) * SHADES)) if abs(share) <= 1 else SHADES + 1
    return size if share > 0 else -size
