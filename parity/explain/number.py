"""Explains one number of a step: the calculation, each side's number, and its rounding bound.

The page (`parity.report`) shows the same `Row` and `Work` as the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity.config.case import Case, described
from parity.errors import UsageError
from parity.explain import Inspector, Row, Work, work, written_at
from parity.explain.text import lines
from parity.lockstep.lockstep import Reference, Side
from parity.lockstep.tracefile import TraceFileError, read
from parity.render.outcome import Outcome, Pages
from reference.architecture import Architecture
from reference.equations import shapes
from reference.trace import Trace

if TYPE_CHECKING:
    from rich.console import Console

_ASKED = re.compile(r"\s*([A-Za-z_]+\d*(?:_next)?)\s*(?:\[\s*(\d+)\s*,\s*(\d+)\s*\])?\s*")


@dataclass(frozen=True)
class Question:
    """A tensor and an index: `delta2[1,0]`. Without an index, the number that used most of its bound."""

    name: str
    index: tuple[int, ...] | None


@dataclass(frozen=True)
class RecordedStep:
    """One step of one or more sides, with its network."""

    architecture: Architecture
    lr: float
    step: int
    traces: Mapping[str, Trace]
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideNumber:
    """A side's number: observed value, exact value for the side's own inputs, and rounding bound."""

    side: str
    observed: float
    exact: float
    bound: float
    ratio: float


@dataclass(frozen=True)
class Explanation(Outcome):
    """The explanation of one number. `row` and `work` are None for an input of the step."""

    where: str
    name: str
    row: Row | None
    work: Work | None
    answers: tuple[SideNumber, ...]
    step: int
    dtype: str
    _pages: Pages | None = field(default=None, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """`match` if every side's number lies inside its rounding bound."""
        return "match" if all(answer.ratio <= 1 for answer in self.answers) else "mismatch"

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the calculation step by step."""
        for line in lines(self, lang):
            out.print(line, markup=False, soft_wrap=True)

    def to_json(self) -> str:
        """The number's place, the formula with numbers inserted, and every side's number, as JSON."""
        facts = {"number": self.where, "step": self.step, "verdict": self.verdict}
        facts |= {"formula": self.work.formula_text, "put_in": self.work.text} if self.work else {}
        sides = [asdict(answer) for answer in self.answers]
        return json.dumps(facts | {"sides": sides}, indent=2, ensure_ascii=False)


def parse(text: str) -> Question:
    """Parse text like `delta2[1,0]`. Raises UsageError for anything but a tensor with an optional index."""
    match = _ASKED.fullmatch(text)
    if not match:
        raise UsageError(f"explain {text}: expected a tensor and an index, like delta2[1,0]")
    name, row, column = match.groups()
    return Question(name, (int(row), int(column)) if row is not None else None)


def explain(recorded: RecordedStep, question: Question) -> Explanation:
    """Explain a number of a step. Raises UsageError for an unknown tensor or an invalid index."""
    name, of = question.name, recorded.architecture
    traces = {side: trace for side, trace in recorded.traces.items() if name in trace}
    first = next(iter(recorded.traces.values()))
    if not traces or name not in shapes(of, first["x"].shape[1]):
        known = ", ".join(
            n for n in shapes(of, first["x"].shape[1]) if any(n in t for t in recorded.traces.values())
        )
        raise UsageError(f"explain {name}: there is no such tensor here; known: {known}")
    shown = next(iter(traces.values()))[name]
    index = _index(shown.shape, question, int(np.argmax(np.abs(shown))))
    inspector = Inspector(of, recorded.lr, recorded.findings)
    where, dtype = written_at(name, index), str(np.dtype(of.dtype))
    row = next(inspector.rows(recorded.traces, recorded.step, only=name), None)
    if row is None:  # x, y and the parameters are given
        given = {side: float(trace[name][index]) for side, trace in traces.items()}
        found = tuple(SideNumber(s, v, v, 0.0, 0.0) for s, v in given.items())
        return Explanation(where, name, None, None, found, recorded.step, dtype)
    trace = next(iter(traces.values()))
    values = inspector.values(trace, recorded.step)
    worked = work(row.equation, values, index, inspector.constants(trace, recorded.step), of)
    return Explanation(where, name, row, worked, tuple(answers(row, index)), recorded.step, dtype)


def answers(row: Row, index: tuple[int, ...]) -> list[SideNumber]:
    """The numbers at an index, for every side that shows the tensor."""
    found = []
    for name, side in row.sides.items():
        if side is not None:
            numbers = (side.observed, side.truth, side.bound)
            observed, exact, bound = (float(array[index]) for array in numbers)
            found.append(SideNumber(name, observed, exact, bound, side.ratio(index)))
    return found


def _index(shape: tuple[int, ...], question: Question, largest: int) -> tuple[int, ...]:
    index = question.index
    if index is None or not shape:
        if index is not None:
            raise UsageError(f"explain {question.name}: is one number; it has no index")
        return tuple(int(i) for i in np.unravel_index(largest, shape))
    if any(i >= n for i, n in zip(index, shape, strict=True)):
        raise UsageError(f"explain {question.name}{list(index)}: its shape is {shape}, from 0")
    return index


def walked(case: Case, step: int, *, with_torch: bool = False) -> RecordedStep:
    """One step of a case, computed by the deck's engine and, with `with_torch`, by PyTorch.

    Raises UsageError for a step after the end of the run.
    """
    sides: list[Side] = [Reference(case)]
    if with_torch:
        from parity.pytorch.twin import Twin

        sides.append(Twin(case.architecture, case.parameters, case.lr))
    with np.errstate(all="ignore"):
        for number, (x, y) in enumerate(case.batches()):
            traces = {side.name: side.step(x, y) for side in sides}
            if number == step:
                return RecordedStep(case.architecture, case.lr, step, traces, case.findings)
    raise UsageError(f"--step {step}: the run ends before it")


def recorded(path: Path, step: int, side: str | None = None) -> RecordedStep:
    """A step of all sides, or of one, from a trace file. Raises UsageError for an invalid file."""
    try:
        file = read(path)
        traces, config = file.steps(step, side).get(step, {}), file.table("config")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except TraceFileError:
        raise UsageError(f"{path}: is no trace file") from None
    held = sorted({place.step for place in file.places if side in (None, place.side)})
    if not traces:
        there = f"steps {held[0]} to {held[-1]}" if held else "nothing"
        raise UsageError(f"{path}: holds {there} of side {side or 'any'}, not step {step}")
    try:
        known = described(config, next(iter(traces.values()))["y"].shape[0])
    except (UsageError, KeyError, AttributeError):
        raise UsageError(f"{path}: does not say which network it is a trace of") from None
    return RecordedStep(known.architecture, known.lr, step, traces, known.findings)
