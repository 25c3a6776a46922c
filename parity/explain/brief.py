"""A step in brief: of each tensor the number that used most of its bound, on every side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from parity.explain import Row


@dataclass(frozen=True)
class Brief:
    """One tensor: where its most telling number stands, by side what is there and its share of the bound.

    `shares` is largest over the whole tensor; `apart` and `same_bits` are between two sides.
    """

    tensor: str
    index: tuple[int, ...]
    observed: dict[str, float]
    shares: dict[str, float]
    apart: float | None
    same_bits: float | None
    verdict: str
    mark: str


def briefly(rows: Iterable[Row]) -> list[Brief]:
    """A step's rows in brief."""
    return [_brief(row) for row in rows]


def _brief(row: Row) -> Brief:
    at = row.index
    shown = {name: side for name, side in row.sides.items() if side is not None}
    return Brief(
        row.equation.makes,
        at,
        {name: float(side.observed[at]) for name, side in shown.items() if len(at) == side.observed.ndim},
        {name: float(f"{side.finding.ratio:.3g}") for name, side in shown.items()},
        None if row.apart is None else float(f"{row.apart:.3g}"),
        None if row.same_bits is None else round(row.same_bits, 4),
        row.verdict,
        row.mark,
    )
