"""Collects the findings of all steps into rows, the first divergence and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier, Finding, Verdict
from parity.certify.cross_check import CrossCheck
from parity.certify.step import CheckedStep
from parity.lockstep.result import Divergence, FormulaRow, SideBySideRow, WrongFormula
from reference.equations import Equation

# A formula's verdict over many findings is the gravest of them.
GRAVITY = [Verdict.UNDECIDED, Verdict.MATCH, Verdict.OTHER_FORM, Verdict.DIFFERENT]


@dataclass
class _Row:
    slide: int = 0
    quantity: str = ""
    verdict: Verdict = Verdict.UNDECIDED
    worst_ratio: float = 0.0
    numbers: int = 0
    undecided: int = 0
    vacuous: bool = True
    max_abs: float = 0.0
    forms: set[str] = field(default_factory=set)

    def add(self, finding: Finding) -> None:
        self.forms |= set(finding.forms)
        self.verdict = max(self.verdict, finding.verdict, key=GRAVITY.index)
        self.worst_ratio = max(self.worst_ratio, finding.ratio)
        self.numbers += finding.numbers
        self.undecided += finding.undecided
        self.vacuous = self.vacuous and finding.vacuous

    def accept(self, worst_ratio: float, numbers: int, undecided: int = 0, *, telling: bool) -> None:
        """Enter many findings at once, all of them matches."""
        self.undecided += undecided
        self.verdict = max(self.verdict, Verdict.MATCH, key=GRAVITY.index)
        self.worst_ratio = max(self.worst_ratio, worst_ratio)
        self.numbers += numbers
        self.vacuous = self.vacuous and not telling

    def outcome(self) -> Verdict:
        """The verdict; "vacuous" instead of a match if no number could have failed."""
        return Verdict.UNDECIDED if self.verdict is Verdict.MATCH and self.vacuous else self.verdict


class _Accepted:
    """Steps accepted whole, all of one batch size: largest shares, and how many there were."""

    def __init__(
        self, equations: Sequence[Equation], sides: tuple[str, str], shares: AcceptedShares
    ) -> None:
        place = {name: i for i, name in enumerate(shares.names)}
        self.entries = [(equation, place[equation.makes]) for equation in equations]
        self.sides, self.sizes, self.steps = sides, shares.numbers, 0
        self.numbers = 4 * sum(self.sizes[name] for name in shares.names)
        self.certificates = np.zeros_like(shares.certificates)
        self.side_by_side = np.zeros_like(shares.side_by_side)
        self.max_abs = np.zeros_like(shares.max_abs)
        self.telling = np.zeros_like(shares.telling)
        self.undecided = np.zeros_like(shares.undecided)

    def add(self, shares: AcceptedShares) -> None:
        self.steps += 1
        np.maximum(self.certificates, shares.certificates, out=self.certificates)
        np.maximum(self.side_by_side, shares.side_by_side, out=self.side_by_side)
        np.maximum(self.max_abs, shares.max_abs, out=self.max_abs)
        np.logical_or(self.telling, shares.telling, out=self.telling)
        self.undecided += shares.undecided

    def settle(self, row: Callable[[Equation, str], _Row], pair: Callable[[Equation], _Row]) -> None:
        for equation, place in self.entries:
            numbers = self.steps * self.sizes[equation.makes]
            together = pair(equation)
            together.max_abs = max(together.max_abs, float(self.max_abs[place]))
            for i, side in enumerate(self.sides):
                alone, telling = row(equation, side), bool(self.telling[i, place])
                alone.accept(float(self.certificates[i, place]), numbers, telling=telling)
                share, undecided = float(self.side_by_side[i, place]), int(self.undecided[place])
                together.accept(share, numbers, undecided, telling=telling)


@dataclass
class Tally:
    """All findings of certificates and cross-checks so far."""

    tensors: int = 0
    numbers: int = 0
    undecided: int = 0
    first: Divergence | None = None
    wrong: dict[tuple[str, str], WrongFormula] = field(default_factory=dict)
    _formulas: dict[tuple[str, int, str], _Row] = field(default_factory=dict)
    _pairs: dict[tuple[str, int], _Row] = field(default_factory=dict)
    _accepted: dict[tuple[int, tuple[str, str]], _Accepted] = field(default_factory=dict)

    def enter(self, number: int, step: CheckedStep, certifier: Certifier) -> float:
        """Check a step, across sides with `certifier`; returns the largest share of a bound used."""
        worst = 0.0
        for side, finding in step.findings():
            self.certify(number, side, finding)
            worst = max(worst, finding.ratio)
        for found in step.cross_checks(certifier):
            self._cross_check(number, found)
            worst = max(worst, *(finding.ratio for finding in found.findings.values()))
        return worst

    def certify(self, step: int, side: str, finding: Finding) -> None:
        """Enter one equation of one side."""
        equation = finding.equation
        self._row(equation, side).add(finding)
        self._count(finding)
        if finding.wrong:
            self._accuse(equation.formula.name, equation.formula.slide, equation.layer, side)
            self._diverge(step, side, finding, "certificate")

    def accept(self, equations: Sequence[Equation], sides: tuple[str, str], shares: AcceptedShares) -> None:
        """Enter a step that was accepted whole; its rows are filled in when they are read."""
        key = (sum(shares.numbers.values()), sides)
        if key not in self._accepted:
            self._accepted[key] = _Accepted(equations, sides, shares)
        self._accepted[key].add(shares)
        self.tensors += 4 * len(shares.names)
        self.numbers += self._accepted[key].numbers
        self.undecided += len(sides) * int(shares.undecided.sum())

    def _settle(self) -> None:
        """Fill in the rows of all accepted steps so far."""
        for accepted in self._accepted.values():
            accepted.settle(self._row, self._pair)
        self._accepted.clear()

    def _row(self, equation: Equation, side: str) -> _Row:
        key = (equation.formula.name, equation.layer, side)
        row = self._formulas.setdefault(key, _Row(slide=equation.formula.slide))
        row.quantity = equation.quantity  # of slide 5's two, s and δ, the last: δ
        return row

    def _pair(self, equation: Equation) -> _Row:
        return self._pairs.setdefault((equation.quantity, equation.layer), _Row())

    def _cross_check(self, step: int, found: CrossCheck) -> None:
        """Enter one tensor of all sides."""
        row = self._pair(found.equation)
        row.max_abs = max(row.max_abs, found.max_abs)
        for side, finding in found.findings.items():
            row.add(finding)
            self._count(finding)
            if finding.wrong:
                self._diverge(step, side, finding, "side-by-side")

    @property
    def mismatch(self) -> bool:
        return self.first is not None

    @property
    def verdict(self) -> Literal["match", "mismatch", "undecided"]:
        """The verdict on the run; a match needs at least one formula that could have failed and did not."""
        if self.mismatch:
            return "mismatch"
        self._settle()
        decided = any(row.outcome() is not Verdict.UNDECIDED for row in self._formulas.values())
        return "match" if decided else "undecided"

    def wrong_formulas(self) -> list[WrongFormula]:
        """The formulas that are themselves wrong, in order of first occurrence."""
        return list(self.wrong.values())

    def formula_rows(self) -> list[FormulaRow]:
        """One row for each formula, layer and side, in the order of execution."""
        self._settle()
        return [
            FormulaRow(
                formula=formula,
                quantity=row.quantity,
                slide=row.slide,
                layer=layer,
                side=side,
                verdict=row.outcome().value,
                worst_ratio=row.worst_ratio,
                numbers=row.numbers,
                undecided=row.undecided,
                vacuous=row.vacuous,
                form=", ".join(sorted(row.forms)) or None,
            )
            for (formula, layer, side), row in self._formulas.items()
        ]

    def side_by_side_rows(self) -> list[SideBySideRow]:
        """One row for each tensor, in the order of execution."""
        self._settle()
        return [
            SideBySideRow(
                quantity=quantity,
                layer=layer,
                verdict=row.verdict.value,
                max_abs=row.max_abs,
                worst_ratio=row.worst_ratio,
                numbers=row.numbers,
                undecided=row.undecided,
            )
            for (quantity, layer), row in self._pairs.items()
        ]

    def _count(self, finding: Finding) -> None:
        self.tensors += 1
        self.numbers += finding.numbers
        self.undecided += finding.undecided

    def _accuse(self, formula: str, slide: int, layer: int, side: str) -> None:
        found = self.wrong.get((formula, side))
        layers = [*found.layers, layer] if found and layer not in found.layers else [layer]
        if found is None or layer not in found.layers:
            self.wrong[formula, side] = WrongFormula(formula=formula, layers=layers, slide=slide, side=side)

    def _diverge(
        self, step: int, side: str, finding: Finding, gate: Literal["certificate", "side-by-side"]
    ) -> None:
        if self.first is not None:
            return
        equation, worst = finding.equation, finding.worst
        self.first = Divergence(
            step=step,
            side=side,
            formula=equation.formula.name,
            slide=equation.formula.slide,
            layer=equation.layer,
            quantity=equation.quantity,
            index=list(worst.index) if worst else None,
            observed=worst.observed if worst else None,
            expected=worst.expected if worst else None,
            error=worst.error if worst else None,
            bound=worst.bound if worst else None,
            ratio=worst.ratio if worst else None,
            gate=gate,
            complaint=finding.complaint,
        )
