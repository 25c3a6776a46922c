"""One entry over many random networks: alarms, shares of the bounds, and what could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from parity.campaign.drawn.entries import VocabularyEntry
from parity.config.case import Case
from parity.lockstep.lockstep import Reference, lockstep
from parity.lockstep.tally import Tally
from parity.pytorch.twin import Twin
from reference.trace import tensor_name

OWN = {
    "activation": ("activation", "output_delta", "hidden_delta", "slope_gradient"),
    "loss": ("loss", "loss_gradient"),
}
"""The formulas that an entry makes; an optimizer's are all those of the update."""

FORWARD_AND_BACKWARD = {
    "affine",
    "activation",
    "loss",
    "loss_gradient",
    "output_delta",
    "hidden_delta",
    "weight_gradient",
    "bias_gradient",
    "slope_gradient",
}
SIDES = ("reference", "torch")


def walked(case: Case) -> Tally:
    """Both sides of a case, through all its steps, past a mismatch if there is one."""
    sides = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
    return lockstep(case, sides, keep_going=True).tally


def alarms(tally: Tally) -> list[str]:
    """Every complaint of a run: wrong formulas, and a first number outside the second gate."""
    found = [f"{w.side} {w.formula} {w.layers}" for w in tally.wrong_formulas()]
    first = tally.first
    if first and first.gate == "side-by-side":
        found.append(f"{first.side} {tensor_name(first.quantity, first.layer)}, side by side")
    return found


def is_own(entry: VocabularyEntry, formula: str) -> bool:
    """Whether a formula is one that the entry makes."""
    if entry.kind == "optimizer":
        return formula not in FORWARD_AND_BACKWARD
    return formula in OWN[entry.kind]


@dataclass
class Share:
    """Of the entry's own formulas on one side: how many numbers, how many undecided, the largest share.

    `telling` counts the networks in which each of those formulas could have failed.
    """

    numbers: int = 0
    undecided: int = 0
    worst: float = 0.0
    telling: Counter[str] = field(default_factory=Counter)


@dataclass
class Sweep:
    """What came of one entry in one format."""

    entry: VocabularyEntry
    dtype: str
    networks: int = 0
    numbers: int = 0
    undecided: int = 0
    alarms: dict[str, list[str]] = field(default_factory=lambda: {side: [] for side in SIDES})
    sides: dict[str, Share] = field(default_factory=lambda: {side: Share() for side in SIDES})
    together: float = 0.0  # the largest share of the second gate's bound

    def add(self, label: str, tally: Tally) -> None:
        """Enter one network."""
        self.networks += 1
        self.numbers += tally.numbers
        self.undecided += tally.undecided
        for alarm in alarms(tally):
            self.alarms[alarm.split()[0]].append(f"{label}: {alarm}")
        for row in tally.formula_rows():
            if is_own(self.entry, row.formula):
                share = self.sides[row.side]
                share.numbers += row.numbers
                share.undecided += row.undecided
                share.worst = max(share.worst, row.worst_ratio)
                share.telling[row.formula] += not row.vacuous
        rows = tally.side_by_side_rows()
        self.together = max([self.together, *(row.worst_ratio for row in rows)])


def tally(entry: VocabularyEntry, dtype: str, cases: Iterable[tuple[str, Case]]) -> Sweep:
    """Every case, entered under its label."""
    found = Sweep(entry, dtype)
    for label, case in cases:
        found.add(label, walked(case))
    return found
