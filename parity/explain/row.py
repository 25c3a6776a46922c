"""A tensor of one step on every side: numbers, truth, bound, verdict, and a summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from parity.certify.certificate import Finding
from reference.arrays import Array
from reference.equations import Equation

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SideNumbers:
    """One side's tensor: observed numbers, the truth for its own inputs, and the rounding bound."""

    observed: Array
    truth: Float64s
    bound: Float64s
    finding: Finding

    def ratio(self, index: tuple[int, ...]) -> float:
        """The share of its bound that one number uses; infinite if undecided."""
        share = abs(float(self.share[index]))
        return share if share == share else self.finding.ratio

    @cached_property
    def share(self) -> Float64s:
        """Signed share of the bound, element by element: (observed − truth) / bound."""
        with np.errstate(all="ignore"):
            error = self.observed.astype(np.float64) - self.truth
            share = np.where(error == 0, 0.0, error / self.bound)
        share[~np.isfinite(share)] = np.nan
        # The certificate's truth has more digits than a float64, so its ratio is used for the worst number.
        worst = self.finding.worst
        if worst is not None and np.isfinite(worst.ratio):
            share[worst.index] = np.copysign(worst.ratio, worst.observed - worst.expected)
            np.clip(share, -worst.ratio, worst.ratio, out=share)
        return share


@dataclass(frozen=True)
class Row:
    """One tensor of one step, on all sides.

    `together` has each side's tensor compared with the common bound.
    """

    equation: Equation
    sides: dict[str, SideNumbers | None]  # None: not shown by that side, or not comparable
    together: dict[str, Finding]
    complaints: dict[str, str]  # by side: why its tensor cannot be compared

    @property
    def mark(self) -> str:
        """The mark "born" if the formula itself is wrong, "inherited" if only the cross-check fails."""
        if self.complaints or any(side and side.finding.wrong for side in self.sides.values()):
            return "born"
        return "inherited" if any(finding.wrong for finding in self.together.values()) else ""

    @property
    def verdict(self) -> str:
        """The worst verdict of any side's certificate; a tensor that is not shown is not a match."""
        words = [side.finding.verdict.value for side in self.sides.values() if side]
        words += ["different-formula"] * len(self.complaints)
        words += ["not-shown"] * (len(self.sides) - len(words))
        gravest = ("different-formula", "other-form", "undecided", "not-shown")
        return next((word for word in gravest if word in words), "match")

    @property
    def index(self) -> tuple[int, ...]:
        """Index of the element to show: the worst of the failing side, or of the side nearest its bound."""
        worsts = [s.finding.worst for s in self.sides.values() if s and s.finding.worst]
        if self.mark == "inherited":
            worsts = [finding.worst for finding in self.together.values() if finding.worst] or worsts
        if not worsts:
            return tuple(0 for _ in self.shape)
        return max(worsts, key=lambda worst: worst.ratio).index

    @property
    def shape(self) -> tuple[int, ...]:
        return next((side.observed.shape for side in self.sides.values() if side), ())

    @property
    def both(self) -> tuple[Array, Array] | None:
        """Both sides' tensors, if there are two and they can be compared."""
        shown = [side.observed for side in self.sides.values() if side]
        return (shown[0], shown[1]) if len(shown) == 2 and shown[0].shape == shown[1].shape else None

    @property
    def apart(self) -> float | None:
        """The largest difference between the two sides."""
        both = self.both
        if both is None:
            return None
        with np.errstate(all="ignore"):
            return float(np.max(np.abs(both[0].astype(np.float64) - both[1].astype(np.float64))))

    @property
    def same_bits(self) -> float | None:
        """The share of elements in which both sides have the same bits (0 and −0 count as the same)."""
        both = self.both
        return None if both is None else float(np.mean((both[0] == both[1]) | (both[0] != both[0])))


@dataclass(frozen=True)
class Brief:
    """Summary of a tensor: the number nearest to its bound, its index, and each side's value of it.

    `shares` are the largest over the whole tensor; `apart` and `same_bits` compare the two sides.
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
    """The summaries of a step's rows."""
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
