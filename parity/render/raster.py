"""Numbers as a picture of cells, as SVG: one path for each shade, so that hundreds of cells stay small.

Blue is below zero, vermillion above; a page's style sheet says which, so that the dark has its own.
"""

from __future__ import annotations

from html import escape
from itertools import groupby

import numpy as np
import numpy.typing as npt

SHADES = 6
"""Shades on either side of zero."""

LARGEST_CELL = 24
"""Pixels of a cell of a small matrix."""

Size = tuple[float, float]
Floats = npt.NDArray[np.floating]


def raster(
    values: Floats, largest: float, *, label: str, above: str = "", within: Size | None = None
) -> str:
    """The picture of a matrix, row by row, whose numbers lie between −`largest` and `largest`.

    `label` is the id of what names the picture; `above` are shapes that are drawn over it, in its own
    units, a cell being 1 × 1; `within` is the size that it fills, in pixels. NaN stays empty.
    """
    rows, columns = values.shape
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(shades(values, largest)):
        x = 0
        for shade, cells in groupby(row):
            run = len([*cells])
            if shade:
                paths.setdefault(shade, []).append(f"M{x} {y}h{run}v1h-{run}z")
            x += run
    drawn = "".join(f'<path class="{shade}" d="{"".join(d)}"/>' for shade, d in sorted(paths.items()))
    size = ""
    if within:
        cell = min(LARGEST_CELL, within[0] / columns, within[1] / rows)
        size = f'width="{cell * columns:.0f}" height="{cell * rows:.0f}" '
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="raster" viewBox="0 0 {columns} {rows}" {size}'
        f'role="img" aria-labelledby="{escape(label)}">{drawn}{above}</svg>'
    )


def shades(values: Floats, largest: float) -> list[list[str]]:
    """The class of each cell: p1 … p6 above zero, n1 … n6 below, nothing for zero and for NaN."""
    if not largest > 0:
        return [[""] * values.shape[1] for _ in values]
    with np.errstate(invalid="ignore"):
        share = np.clip(values.astype(np.float64) / largest, -1, 1)
    steps = np.ceil(np.abs(np.nan_to_num(share)) * SHADES - 1e-9).astype(int)
    return [
        [f"{'p' if part > 0 else 'n'}{step}" if step else "" for part, step in zip(*pair, strict=True)]
        for pair in zip(share, steps, strict=True)
    ]


def edge(above: npt.NDArray[np.bool_]) -> str:
    """The line between the cells where a condition holds and those where it does not."""
    parts = [f"M{x + 1} {y}v1" for y, x in np.argwhere(above[:, 1:] != above[:, :-1])]
    parts += [f"M{x} {y + 1}h1" for y, x in np.argwhere(above[1:] != above[:-1])]
    return f'<path class="edge" d="{"".join(parts)}"/>' if parts else ""


def tiles(rows: Floats, height: int, width: int, across: int) -> Floats:
    """Rows of numbers as pictures of `height` × `width`, side by side, with a gap between them."""
    down = -(-len(rows) // across)
    found = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for number, row in enumerate(rows):
        y, x = divmod(number, across)
        y, x = y * (height + 1), x * (width + 1)
        found[y : y + height, x : x + width] = row.reshape(height, width)
    return found
