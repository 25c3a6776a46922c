"""From rows to what the page's templates show of a step: numbers and words, ready to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from parity.explain import Brief, Inspector, Row, briefly
from parity.lockstep.result import Result
from parity.render.graph.drawing import DrawnGraph, drawing
from parity.report.cards import Card, card
from parity.report.recording import Recording
from parity.report.stages import STAGES, only_moves, stage_of
from parity.report.step_numbers import Numbers, numbers
from reference.architecture import Architecture

MAX_LAYERS = 8
"""Layers of a deep network whose tensors are shown in full: the first four and the last four."""
MAX_ROWS = 120
"""Tensors of a step that are shown in full."""
MAX_DRAWN = 40
"""Operations up to which the graph is drawn; beyond that a picture explains nothing."""


@dataclass(frozen=True)
class StepView:
    """A step: by stage one line for each tensor, marks for the graph, and, if it is whole, all numbers."""

    step: int
    sides: tuple[str, ...]
    stages: tuple[tuple[str, tuple[Brief, ...]], ...]
    marks: dict[str, str]
    loss: dict[str, float]
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    left_out: int = 0


class JudgedSteps:
    """A recording's whole steps, judged; the one that a page opens with, once for all who show it."""

    def __init__(self, result: Result, recording: Recording) -> None:
        self.recording = recording
        self.inspector = Inspector(recording.architecture, recording.lr, recording.findings)
        drawn = _drawing(recording)
        self.moves = drawn.moves
        operations = sum(not node.is_leaf for node in drawn.graph.nodes)
        self.drawn = drawn if operations <= MAX_DRAWN else None
        first, whole = result.first_divergence, sorted(recording.steps)
        self.stage = {e.makes: stage_of(e) for e in self.inspector.equations}
        self.opens = first.step if first and first.step in whole else next(iter(whole), None)

    def rows(self, step: int) -> list[Row]:
        """Every tensor of a step."""
        return self._opening if step == self.opens else self._judged(step)

    @cached_property
    def _opening(self) -> list[Row]:
        return self._judged(self.opens) if self.opens is not None else []

    def _judged(self, step: int) -> list[Row]:
        said = self.recording.extras.said.get(step)
        return list(self.inspector.rows(self.recording.steps[step], step, said))


def _drawing(recording: Recording) -> DrawnGraph:
    """What is drawn of the model."""
    of = recording.architecture
    traces = (trace for traces in recording.steps.values() for trace in traces.values() if "x" in trace)
    return drawing(of, next((of.samples(trace["x"]) for trace in traces), 0))


def step_view(judged: JudgedSteps, step: int) -> StepView:
    """Everything that the page shows of one step that was kept whole."""
    inspector, traces, rows = judged.inspector, judged.recording.steps[step], judged.rows(step)
    half = MAX_LAYERS // 2
    layers = sorted({row.equation.layer for row in rows})
    layered = isinstance(inspector.architecture, Architecture)
    shown = {*layers[:half], *layers[-half:]} if layered else {*layers}
    kept = [
        row
        for row in rows
        if row.mark or (row.equation.layer in shown and not only_moves(row.equation, judged.moves))
    ][:MAX_ROWS]
    lines = judged.recording.extras.lines.get(step, {})
    made = [(row.equation.makes, row) for row in kept]
    views = {name: numbers(inspector, step, row, traces, lines.get(name)) for name, row in made}
    marks = {row.equation.makes: row.mark for row in rows if row.mark}
    loss = {name: float(trace["loss"]) for name, trace in traces.items() if "loss" in trace}
    stages = _stages(judged, briefly(kept))
    return StepView(step, tuple(traces), stages, marks, loss, views, len(rows) - len(kept))


def brief_view(judged: JudgedSteps, step: int) -> StepView:
    """A step of which each tensor has one line."""
    rows = judged.recording.extras.brief.get(step)
    if rows is None:
        rows = briefly(judged.rows(step))
    loss = next((row.observed for row in rows if row.tensor == "loss"), {})
    sides = tuple(dict.fromkeys(side for row in rows for side in row.observed))
    marks = {row.tensor: row.mark for row in rows if row.mark}
    return StepView(step, sides, _stages(judged, rows), marks, loss)


def cards(judged: JudgedSteps, tensors: Iterable[str]) -> list[tuple[str, list[Card]]]:
    """The cards of tensors, by stage, in the order of execution."""
    wanted = {*tensors}
    of = judged.inspector.architecture
    made = [card(equation, of) for equation in judged.inspector.equations if equation.makes in wanted]
    by_stage = [(stage, [one for one in made if one.stage == stage]) for stage in STAGES]
    return [(stage, found) for stage, found in by_stage if found]


def _stages(judged: JudgedSteps, rows: Iterable[Brief]) -> tuple[tuple[str, tuple[Brief, ...]], ...]:
    found = [(judged.stage[row.tensor], row) for row in rows if row.tensor in judged.stage]
    by_stage = ((stage, tuple(row for at, row in found if at == stage)) for stage in STAGES)
    return tuple((stage, rows) for stage, rows in by_stage if rows)
