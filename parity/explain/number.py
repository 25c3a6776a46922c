"""Explains one number of a step: the calculation, each side's number, and its rounding bound.

The page (`parity.report`) shows the same `Row` and `Work` as the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity.config.case import Case, described
from parity.config.config import Config
from parity.errors import UsageError
from parity.explain import Inspector, Row, Work, work, written_at
from parity.explain.text import lines
from parity.lockstep.lockstep import Reference, Side
from parity.lockstep.run import Peer
from parity.lockstep.tracefile import TraceFileError, read
from parity.render.outcome import Outcome, Pages
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.equations import shapes
from reference.model import Model
from reference.trace import Trace, split

if TYPE_CHECKING:
    from rich.console import Console

_ASKED = re.compile(r"\s*([A-Za-z]\w*)\s*(?:\[\s*(\d+(?:\s*,\s*\d+)*)?\s*\])?\s*", re.ASCII)
MOST_NAMED = 24
"""Tensors that are all named where one is not known; of more, those with the nearest names."""
MOST_NEAR = 6


@dataclass(frozen=True)
class Question:
    """A tensor and an index: `delta2[1,0]`. Without an index, the largest number in size."""

    name: str
    index: tuple[int, ...] | None


@dataclass(frozen=True)
class RecordedStep:
    """One step of one or more sides, with its model."""

    architecture: Model
    lr: float
    step: int
    traces: Mapping[str, Trace]
    findings: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)  # where in a torch model a node is


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
    """The explanation of one number. `row` and `work` are None for an input of the step.

    Of a torch model, `module` is the operation's, and `origins` are the paths of the inputs that have one.
    """

    where: str
    name: str
    row: Row | None
    work: Work | None
    answers: tuple[SideNumber, ...]
    step: int
    dtype: str
    module: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)
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
        raise UsageError(Message("explain_form", text=text))
    name, index = match.groups()
    if "[" not in text:
        return Question(name, None)
    return Question(name, tuple(int(i) for i in index.split(",")) if index else ())


def explain(recorded: RecordedStep, question: Question) -> Explanation:
    """Explain a number of a step. Raises UsageError for an unknown tensor or an invalid index."""
    name, of = question.name, recorded.architecture
    traces = {side: trace for side, trace in recorded.traces.items() if name in trace}
    inspector = Inspector(of, recorded.lr, recorded.findings)
    known = _known(inspector, recorded)
    if not traces or name not in known:
        raise UsageError(Message("explain_unknown", name=name, hint=_named(name, known)))
    shown = next(iter(traces.values()))[name]
    index = _index(shown, question)
    where, dtype = written_at(name, index), str(shown.dtype)
    row = next(inspector.rows(recorded.traces, recorded.step, only=name), None)
    if row is None:  # x, y and the parameters are given
        given = {side: float(trace[name][index]) for side, trace in traces.items()}
        found = tuple(SideNumber(s, v, v, 0.0, 0.0) for s, v in given.items())
        return Explanation(where, name, None, None, found, recorded.step, dtype)
    trace = next(iter(traces.values()))
    values = inspector.values(trace, recorded.step)
    worked = work(row.equation, values, index, inspector.constants(trace, recorded.step), of)
    return Explanation(
        where,
        name,
        row,
        worked,
        tuple(answers(row, index)),
        recorded.step,
        dtype,
        recorded.paths.get(row.equation.node, ""),
        {given.name: recorded.paths[given.name] for given in worked.given if given.name in recorded.paths},
    )


def _known(inspector: Inspector, recorded: RecordedStep) -> dict[str, str]:
    """Every tensor of a step that a side has, with the formula that makes it."""
    first = next(iter(recorded.traces.values()))
    made = {equation.makes: equation.formula.name for equation in inspector.equations}
    return {
        name: made.get(name, "given")
        for name in shapes(recorded.architecture, recorded.architecture.samples(first["x"]))
        if any(name in trace for trace in recorded.traces.values())
    }


def _named(name: str, known: Mapping[str, str]) -> str:
    """The known tensors, or those whose names, or formula with its number, are nearest to a name."""
    if len(known) <= MOST_NAMED:
        return f"known: {', '.join(known)}"
    spelt = {tensor: tensor for tensor in known}
    for tensor, formula in known.items():
        number = split(tensor)[1]
        spelt.setdefault(f"{formula}{'' if number is None else number}", tensor)
    near = list(dict.fromkeys(spelt[found] for found in get_close_matches(name, spelt, MOST_NEAR, 0.5)))
    shown = near or list(known)[:MOST_NEAR]
    listed = ", ".join(f"{tensor} ({known[tensor]})" for tensor in shown)
    return f"{'did you mean' if near else 'among the known'}: {listed}"


def answers(row: Row, index: tuple[int, ...]) -> list[SideNumber]:
    """The numbers at an index, for every side that shows the tensor."""
    found = []
    for name, side in row.sides.items():
        if side is not None:
            numbers = (side.observed, side.truth, side.bound)
            observed, exact, bound = (float(array[index]) for array in numbers)
            found.append(SideNumber(name, observed, exact, bound, side.ratio(index)))
    return found


def _index(shown: Array, question: Question) -> tuple[int, ...]:
    """The index that was asked for, or the largest number's. Raises UsageError for one out of range."""
    index, shape = question.index, shown.shape
    if index is None:
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(shown))), shape))
    if not shape and index:
        raise UsageError(Message("explain_scalar", name=question.name))
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        asked = f"{question.name}[{','.join(map(str, index))}]"
        raise UsageError(Message("explain_shape", asked=asked, shape=shape))
    return index


def walked(case: Case, step: int, *, with_torch: bool = False) -> RecordedStep:
    """One step of a case, computed by the deck's engine and, with `with_torch`, by PyTorch.

    Raises UsageError for a step after the end of the run.
    """
    sides: list[Side] = [Reference(case)]
    if with_torch:
        from parity.pytorch.twin import Twin

        sides.append(Twin(case.architecture, case.parameters, case.lr))
    return _taken(case, sides, step)


def walked_model(peer: Peer, config: Config, step: int) -> RecordedStep:
    """One step of a torch model, computed by it and by the engine that mirrors it: `run --model`.

    Raises UsageError for a model without a mirror, and for a step after the end of the run.
    """
    case = peer.resolve(config)[1]
    side = peer.side(case)
    found = _taken(case, [Reference(case, peer.given), side], step)
    return replace(found, paths=peer.paths)


def _taken(case: Case, sides: Sequence[Side], step: int) -> RecordedStep:
    """All sides' step of this number, taken after those before it."""
    if step < case.steps:
        with np.errstate(all="ignore"):
            for number, (x, y) in enumerate(case.batches()):
                traces = {side.name: side.step(x, y) for side in sides}
                if number == step:
                    return RecordedStep(case.architecture, case.lr, step, traces, case.findings)
    raise UsageError(Message("step_after_end", step=step))


def recorded(path: Path, step: int, side: str | None = None) -> RecordedStep:
    """A step of all sides, or of one, from a trace file. Raises UsageError for an invalid file."""
    try:
        file = read(path)
        traces, config = file.steps(step, side).get(step, {}), file.table("config")
    except OSError as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    except TraceFileError:
        raise UsageError(Message("no_trace", file=path)) from None
    held = sorted({place.step for place in file.places if side in (None, place.side)})
    if not traces:
        there = Message("trace_steps", first=held[0], last=held[-1]) if held else Message("trace_nothing")
        raise UsageError(Message("trace_step", file=path, there=there, step=step))
    try:
        known = described(config, next(iter(traces.values()))["y"].shape[0])
    except (UsageError, KeyError, AttributeError):
        raise UsageError(Message("trace_no_network", file=path)) from None
    return RecordedStep(known.architecture, known.lr, step, traces, known.findings)
