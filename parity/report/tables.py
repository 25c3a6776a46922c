"""Tensors as tables that a person can read: a window of a large one, always with its worst number."""

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
    """A number as text, its shade (−5 … 5; 6 beyond the bound), and whether it is the one to look at."""

    text: str
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


def values(tensor: npt.NDArray[np.generic], at: tuple[int, ...]) -> NumberTable:
    """The numbers themselves."""
    return _table(tensor, at, heat=False)


def shares(share: npt.NDArray[np.float64], at: tuple[int, ...]) -> NumberTable:
    """A heat map: signed shares of the bound, with a sign and a shade."""
    return _table(share, at, heat=True)


def _table(tensor: npt.NDArray[np.generic], at: tuple[int, ...], *, heat: bool) -> NumberTable:
    height, width = tensor.shape if tensor.ndim == 2 else (1, tensor.size)
    matrix = tensor.reshape(height, width)
    i, j = at if len(at) == 2 else (0, 0)
    rows, columns = window(height, i), window(width, j)
    cells = tuple(
        tuple(_cell(float(matrix[row, column]), heat, (row, column) == (i, j)) for column in columns)
        for row in rows
    )
    return NumberTable(rows, columns, cells, (height, width))


def _cell(value: float, heat: bool, looked_at: bool) -> Cell:  # noqa: FBT001
    if not heat:
        return Cell(shown(value), 0, looked_at)
    if not np.isfinite(value):
        return Cell("?", 0, looked_at)
    sign = "+" if value > 0 else ""
    text = "0" if value == 0 else sign + shown(value, 2 if abs(value) < 1000 else 1)
    if abs(value) > 1:
        return Cell(text, 6 if value > 0 else -6, looked_at)
    shade = int(np.ceil(abs(value) * SHADES))
    return Cell(text, shade if value > 0 else -shade, looked_at)
