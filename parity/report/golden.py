"""The page of a replay: what a golden holds beside what today's side makes of the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from parity.config.case import Case
from parity.explain import Inspector
from parity.golden.format import Golden
from parity.golden.rerun import MakeSide
from parity.golden.result import Replay
from parity.golden.script import ScriptGolden
from parity.lockstep.lockstep import Side, TrainingStep
from parity.lockstep.result import Result, SideBySideRow
from parity.report import write
from parity.report.recorder import PageRecorder
from reference.architecture import Architecture
from reference.arrays import Array
from reference.trace import Trace


def watched(golden: Golden | ScriptGolden, sides: Mapping[str, MakeSide]) -> WatchedReplay | None:
    """The sides of a replay that has a page; None of a graph and of a script: a page is about layers."""
    if isinstance(golden, ScriptGolden) or not isinstance(golden.case.architecture, Architecture):
        return None
    return WatchedReplay(golden, sides)


class WatchedReplay:
    """Today's sides of a golden, each with a recorder that sees it beside the golden, step by step."""

    def __init__(self, golden: Golden, sides: Mapping[str, MakeSide]) -> None:
        self.golden = golden
        self.recorders = {
            name: PageRecorder(
                golden.case.architecture, golden.case.lr, len(golden.steps), findings=golden.case.findings
            )
            for name in sides
        }
        self.sides: dict[str, MakeSide] = {name: self._watched(name, make) for name, make in sides.items()}

    def counterpart(self, name: str) -> str:
        """The golden's side that a side is held against."""
        return name if name in self.golden.sides else self.golden.sides[0]

    def _watched(self, name: str, make: MakeSide) -> MakeSide:
        taken = iter(range(len(self.golden.steps)))

        def watched(case: Case) -> Side:
            return _Watching(make(case), name, taken, self)

        return watched

    def see(self, name: str, step: int, here: Trace) -> None:
        """Keep a step of a side."""
        recorded = self.golden.steps[step][self.counterpart(name)]
        traces = {f"golden/{self.counterpart(name)}": recorded, name: here}
        case = self.golden.case
        worst = 0.0
        for row in Inspector(case.architecture, case.lr, case.findings).rows(traces, step):
            found = [side.finding for side in row.sides.values() if side] + [*row.together.values()]
            worst = max([worst, *(finding.ratio for finding in found)])
        self.recorders[name](TrainingStep(step, traces, worst))

    def write(self, replay: Replay, folder: Path, lang: str) -> None:
        """A page for each of today's sides, in a folder of its name. Raises UsageError."""
        for name, recorder in self.recorders.items():
            names = (f"golden/{self.counterpart(name)}", name)
            write(_result_of(replay, self.golden.case, names), recorder.recording(), folder / name, lang)


class _Watching:
    """A side, for one step or more, whose traces are shown to the recorder on their way."""

    def __init__(self, side: Side, name: str, steps: Iterator[int], watched: WatchedReplay) -> None:
        self.name, self._side, self._steps, self._watched = name, side, steps, watched

    def step(self, x: Array, y: Array) -> Trace:
        here = self._side.step(x, y)
        self._watched.see(self.name, next(self._steps), here)
        return here


def _result_of(replay: Replay, case: Case, names: tuple[str, str]) -> Result:
    """A replay as the result of its two sides: the recorded one and today's."""
    first = replay.first_divergence
    first = first if first and first.side in names else None
    pairs = [
        SideBySideRow.model_validate(_pair(row.model_dump()))
        for row in replay.against_golden
        if row.side == names[1]
    ]
    facts = {"layers": case.architecture.title, "lr": case.lr, "steps": replay.steps}
    return Result(
        verdict="mismatch" if first else "undecided" if replay.verdict == "undecided" else "match",
        steps=replay.steps,
        tensors_compared=replay.tensors_compared,
        numbers_compared=replay.numbers_compared,
        undecided=replay.undecided,
        first_divergence=first,
        formulas=[row for row in replay.formulas if row.side in names],
        side_by_side=pairs,
        wrong_formulas=[wrong for wrong in replay.wrong_formulas if wrong.side in names],
        reproduce=replay.reproduce if first else None,
        contract=replay.contract,
        environment=replay.environment,
        config=replay.config | facts,
    )


def _pair(facts: dict[str, object]) -> dict[str, object]:
    """What a row of a replay has in common with one of a run."""
    return {key: value for key, value in facts.items() if key in SideBySideRow.model_fields}
