"""Counts what is checked, and makes the result of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from parity.bounds.contract import contract
from parity.bounds.formats import arithmetic
from parity.certify.measure import Worst
from parity.lockstep.result import Fact
from parity.watch.check import Check, Hint, Kind, Left, short
from parity.watch.result import (
    Coverage,
    LikelyMistake,
    NotCertified,
    RankResult,
    Told,
    WatchedRow,
    WatchResult,
    Whole,
    WrongOnRank,
    WrongOperation,
)
from reference.formula import Formula
from reference.optimizers import Rule

Place: TypeAlias = tuple[str, str, Kind, str, str]
MOST_WRONG = 100
"""A program that is wrong everywhere need not be told everywhere."""


@dataclass(frozen=True)
class Evidence:
    """What a row rests on: the formula, PyTorch's name of what ran, and the number that is farthest off."""

    formula: Formula | Rule | None = None
    torch: str = ""
    step: int = 0
    worst: Worst | None = None


@dataclass
class _Sum:
    calls: int = 0
    numbers: int = 0
    undecided: int = 0
    worst_ratio: float = 0.0
    resolution: float = 0.0
    vacuous: bool = True
    wrong: bool = False
    evidence: Evidence = Evidence()

    def add(self, check: Check, step: int) -> None:
        found = check.measured
        before = self.evidence.worst
        if before is None or (found.worst is not None and not found.worst.ratio <= before.ratio):
            self.evidence = Evidence(check.formula, check.torch, step, found.worst)
        self.calls += 1
        self.numbers += found.numbers
        self.undecided += found.undecided
        self.vacuous = self.vacuous and found.vacuous
        self.wrong = self.wrong or found.wrong
        if found.worst is not None:
            self.worst_ratio = max(self.worst_ratio, found.worst.ratio)
            self.resolution = max(self.resolution, found.resolution)

    @property
    def verdict(self) -> Told:
        if self.wrong:
            return "mismatch"
        return "undecided" if self.undecided == self.numbers or self.vacuous else "match"


@dataclass
class WatchTally:
    """Everything that was checked so far. `accepted` names what need not be certified."""

    accepted: Collection[str] = ()
    sample: float = 1.0
    steps: int = 0
    probed: int = 0  # compiled regions that were run again with probes
    step: int = 0  # the index of the one that is being entered
    seen: int = 0
    numbers: int = 0
    undecided: int = 0
    wrong: list[WrongOnRank | WrongOperation] = field(default_factory=list)
    _sums: dict[Place, _Sum] = field(default_factory=dict)
    _left: dict[Left, int] = field(default_factory=dict)
    _notes: list[LikelyMistake] = field(default_factory=list)
    _ranks: list[RankResult] = field(default_factory=list)

    def operation(self, found: Iterable[Check | Left]) -> None:
        """Enter one operation, or one step back through it: all that was found of it."""
        self.seen += 1
        for one in found:
            if isinstance(one, Left):
                self._left[one] = self._left.get(one, 0) + 1
            else:
                self.check(one)

    def check(self, check: Check) -> None:
        """Enter one tensor that was held to its formula."""
        place = check.module, check.operation, check.kind, check.operand, check.source
        self._sums.setdefault(place, _Sum()).add(check, self.step)
        self.numbers += check.measured.numbers
        self.undecided += check.measured.undecided
        worst = check.measured.worst
        if check.measured.wrong and worst is not None and len(self.wrong) < MOST_WRONG:
            wrong = WrongOperation(
                step=self.step,
                module=check.module,
                operation=check.operation,
                check=check.kind,
                operand=check.operand,
                source=check.source,
                **worst.facts(),
            )
            self.wrong.append(wrong if check.rank is None else self._on_rank(wrong, check))

    def hint(self, hint: Hint, step: int) -> None:
        """Enter what may be a mistake; it is told once, of the first step in which it was seen."""
        if not any((note.mistake, note.source) == (hint.mistake, hint.source) for note in self._notes):
            self._notes.append(
                LikelyMistake(mistake=hint.mistake, detail=hint.detail, step=step, source=hint.source)
            )

    def rank(self, found: RankResult) -> None:
        """Enter what another rank found of its own steps."""
        self._ranks.append(found)
        if found.first_divergence is not None and len(self.wrong) < MOST_WRONG:
            self.wrong.append(found.first_divergence)

    def _on_rank(self, wrong: WrongOperation, check: Check) -> WrongOnRank:
        found = check.mistake
        likely = found and LikelyMistake(mistake=found.mistake, detail=found.detail, step=self.step)
        return WrongOnRank(**wrong.model_dump(), rank=check.rank or 0, diagnosis=likely)

    @property
    def evidence(self) -> list[Evidence]:
        """What each row of the result rests on, in the order of the rows."""
        return [sums.evidence for sums in self._sums.values()]

    def result(
        self,
        environment: Mapping[str, Fact],
        reason: str | None = None,
        devices: Mapping[str, Fact] | None = None,
    ) -> WatchResult:
        """What all of it comes to."""
        rows = [
            WatchedRow(
                module=module,
                operation=operation,
                check=kind,
                operand=operand,
                source=source,
                calls=sums.calls,
                numbers=sums.numbers,
                verdict=sums.verdict,
                worst_ratio=sums.worst_ratio,
                resolution=sums.resolution,
                undecided=sums.undecided,
                vacuous=sums.vacuous,
            )
            for (module, operation, kind, operand, source), sums in self._sums.items()
        ]
        self.wrong.sort(key=lambda one: one.step)  # ranks and definitions are judged later than they ran
        left = {one: count for one, count in self._left.items() if not self._accepts(one)}
        return WatchResult(
            verdict=self._verdict(rows, incomplete=bool(left)),
            steps=self.steps,
            operations=self.seen,
            numbers_compared=self.numbers,
            undecided=self.undecided,
            coverage=Coverage(
                certified=self.seen - sum(self._left.values()),
                seen=self.seen,
                not_certified=[
                    NotCertified(
                        operation=one.operation,
                        kind=one.kind,
                        module=one.module,
                        source=one.source,
                        count=count,
                    )
                    for one, count in self._left.items()
                ],
            ),
            rows=rows,
            first_divergence=self.wrong[0] if self.wrong else None,
            wrong=self.wrong,
            contract={**contract(arithmetic("float32")), **(devices or {})},
            environment=dict(environment),
            accepted=sorted(self.accepted),
            reason=reason,
            sample=self.sample,
            probed=self.probed,
            notes=self._notes,
            ranks=self._ranks,
        )

    def _accepts(self, left: Left) -> bool:
        if left.kind == "failed":
            return False
        whole = left.operation
        names = {whole, whole.partition(",")[0], whole.partition(":")[0], short(whole), left.kind}
        return bool(names & set(self.accepted))

    def _verdict(self, rows: list[WatchedRow], *, incomplete: bool) -> Whole:
        if self.wrong:
            return "mismatch"
        others = {found.verdict for found in self._ranks}
        if not self.steps or "undecided" in others:
            return "undecided"
        if incomplete or "incomplete" in others:
            return "incomplete"
        return "match" if any(row.verdict == "match" for row in rows) else "undecided"
