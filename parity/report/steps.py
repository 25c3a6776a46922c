"""From rows to what the page's templates show: names, formulas, numbers and words, ready to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from markupsafe import Markup, escape

from parity.bounds.formats import digits_of
from parity.explain import (
    Brief,
    Inspector,
    Row,
    SideNumbers,
    Work,
    briefly,
    layer_latex,
    name_latex,
    work,
    written_at,
)
from parity.explain.text import given_text, meaning
from parity.lockstep.result import Result
from parity.render.graph.drawing import DrawnGraph, drawing
from parity.render.latex_text import plain
from parity.render.mathml import breakable, mathml
from parity.render.numbers import code, shown
from parity.render.texts import LANGUAGES, catalogue
from parity.report import sources, tables
from parity.report.bilingual import Share, bilingual, formula_title, has, say, say_again, side_name
from parity.report.recording import Recording
from parity.report.stages import STAGES, only_moves, stage_of
from reference.architecture import Architecture
from reference.equations import kind
from reference.formula import GRAPH_SLIDE, Equation
from reference.model import Model
from reference.trace import Trace

MAX_LAYERS = 8
"""Layers of a deep network whose tensors are shown in full: the first four and the last four."""
MAX_ROWS = 120
"""Tensors of a step that are shown in full."""
MAX_DRAWN = 40
"""Operations up to which the graph is drawn; beyond that a picture explains nothing."""


@dataclass(frozen=True)
class Voice:
    """One side's answer for the element looked at."""

    side: str
    name: Markup
    value: Markup
    share: float | None
    fill: int  # the share in twentieths, for the bar
    verdict: str
    allowed: float
    values: tables.NumberTable | None = None
    heat: tables.NumberTable | None = None
    complaint: Markup | None = None


@dataclass(frozen=True)
class RowView:
    """A parity row."""

    id: str
    tensor: str
    mark: str
    mark_text: Markup
    verdict: str
    name: Markup
    title: Markup
    slide: int
    stage: str
    shape: str
    formula: Markup
    f: Markup | None
    plain: str
    element: Markup
    element_text: str
    numbers: Markup | None
    numbers_text: str
    given: tuple[tuple[str, Markup], ...]
    exact: str
    code: tuple[tuple[str, tuple[str, ...]], ...]
    has_ours: bool
    torch_line: str
    torch_module: str
    voices: tuple[Voice, ...]
    apart: str
    same_bits: Markup | None
    why: Markup
    undecided: int


@dataclass(frozen=True)
class StepView:
    """A step: its stages with their rows, whole or in brief, and the marks for the graph."""

    step: int
    stages: tuple[tuple[str, tuple[RowView, ...]], ...]
    brief: tuple[tuple[str, tuple[Brief, ...]], ...]
    marks: dict[str, str]
    loss: dict[str, float]
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
    views = [row_view(inspector, step, row, traces) for row in kept]
    stages = tuple((stage, tuple(view for view in views if view.stage == stage)) for stage in STAGES)
    marks = {row.equation.makes: row.mark for row in rows if row.mark}
    loss = {name: float(trace["loss"]) for name, trace in traces.items() if "loss" in trace}
    return StepView(step, tuple(s for s in stages if s[1]), (), marks, loss, len(rows) - len(kept))


def brief_view(judged: JudgedSteps, step: int) -> StepView:
    """A step of which each tensor has one line."""
    rows = judged.recording.extras.brief.get(step)
    if rows is None:
        rows = briefly(judged.rows(step))
    made = {equation.makes: stage_of(equation) for equation in judged.inspector.equations}
    stages = tuple((stage, tuple(row for row in rows if made.get(row.tensor) == stage)) for stage in STAGES)
    loss = next((row.observed for row in rows if row.tensor == "loss"), {})
    return StepView(
        step, (), tuple(s for s in stages if s[1]), {r.tensor: r.mark for r in rows if r.mark}, loss
    )


def row_view(inspector: Inspector, step: int, row: Row, traces: Mapping[str, Trace]) -> RowView:
    """One tensor, on all sides, in words, formulas and numbers."""
    of, equation, at = inspector.architecture, row.equation, row.index
    trace = next((t for name, t in traces.items() if row.sides[name]), next(iter(traces.values())))
    done = _work(inspector, step, row, trace)
    place = name_latex(equation.makes, at)
    exact = next((side.truth[at] for side in row.sides.values() if side), None)
    formula = done.formula if done else layer_latex(equation, of)
    return RowView(
        id=f"t{step}-{equation.makes}",
        tensor=equation.makes,
        mark=row.mark,
        mark_text=_mark_text(row, traces),
        verdict=row.verdict,
        name=mathml(name_latex(equation.makes)),
        title=formula_title("s" if kind(equation) == "backpropagated" else equation.formula.name),
        slide=equation.formula.slide,
        stage=stage_of(equation),
        shape=" × ".join(str(n) for n in row.shape) or "1",
        formula=mathml(formula, block=True),
        f=mathml(done.f) if done and done.f else None,
        plain=plain(formula),
        element=mathml(place),
        element_text=written_at(equation.makes, at),
        numbers=breakable(f"{place} = {done.latex}") if done and done.latex else None,
        numbers_text=done.text if done else "",
        given=tuple((given_text(g), _meaning(g.name, equation, of)) for g in done.given) if done else (),
        exact=code(float(exact), 12) if exact is not None else "",
        code=sources.ours(equation, of),
        has_ours="reference" in row.sides,
        torch_line=sources.theirs(equation, of),
        torch_module=sources.module(equation, of),
        voices=tuple(
            _voice(name, side, at, row.complaints.get(name, "")) for name, side in row.sides.items()
        ),
        apart="–" if row.apart is None else shown(row.apart, 3),
        same_bits=None if row.same_bits is None else say("page.same_bits", share=Share(row.same_bits)),
        why=_why(row, of),
        undecided=max((side.finding.undecided for side in row.sides.values() if side), default=0),
    )


def _mark_text(row: Row, traces: Mapping[str, Trace]) -> Markup:
    """What a mark means here: where a side hides what the formula takes, it may be there too."""
    wrong = [name for name, side in row.sides.items() if side and side.finding.wrong]
    hidden = [n for name in wrong for n in row.equation.inputs if n not in traces[name]]
    if row.mark == "born" and hidden:
        return say("page.born_hidden_text", names=", ".join(map(written_at, dict.fromkeys(hidden))))
    return say(f"page.{row.mark}_text") if row.mark else Markup("")


def _work(inspector: Inspector, step: int, row: Row, trace: Trace) -> Work | None:
    """The number worked out by hand; None where a side's form is so wrong that nothing can be put in."""
    equation, values = row.equation, inspector.values(trace, step)
    if len(row.index) != len(row.shape) or not any(row.sides.values()):
        return None
    constants = inspector.constants(trace, step)
    return work(equation, values, row.index, constants, inspector.architecture)


def _meaning(name: str, equation: Equation, of: Model) -> Markup:
    """What an input is: in the deck, or where in a torch model it is from."""
    if equation.formula.slide == GRAPH_SLIDE:
        return Markup(escape(of.path(name)))
    return bilingual({lang: Markup(escape(meaning(name, catalogue(lang)))) for lang in LANGUAGES})


def _voice(name: str, side: SideNumbers | None, at: tuple[int, ...], said: str) -> Voice:
    told = say_again(said) if said else None
    if side is None:
        verdict = "different-formula" if said else "not-shown"
        return Voice(name, side_name(name), Markup("–"), None, 0, verdict, 0.0, complaint=told)
    own = side.ratio(at)
    digits = digits_of(side.observed.dtype)
    if told is None and side.finding.complaint:
        told = say_again(side.finding.complaint)
    return Voice(
        side=name,
        name=side_name(name),
        value=_tail(code(float(side.observed[at]), digits), code(float(side.truth[at]), digits)),
        share=float(f"{own:.2g}"),
        fill=min(20, int(np.ceil(own * 20))) if np.isfinite(own) else 20,
        verdict=side.finding.verdict.value,
        allowed=float(f"{float(side.bound[at]):.2g}"),
        values=tables.values(side.observed, at) if side.observed.size > 1 else None,
        heat=tables.shares(side.share, at) if side.observed.size > 1 else None,
        complaint=told,
    )


def _tail(observed: str, exact: str) -> Markup:
    """A number, with the digits underlined in which it leaves the exact one."""
    same = 0
    for a, b in zip(observed, exact, strict=False):
        if a != b:
            break
        same += 1
    head, tail = observed[:same], observed[same:]
    return Markup("{}<u>{}</u>").format(head, tail) if tail else Markup(escape(head))


def _why(row: Row, of: Model) -> Markup:
    """Why the two sides need not have the same bits here, for the kind of arithmetic this formula is."""
    name, quantity = row.equation.formula.name, row.equation.quantity
    if row.equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture):
        return say("why.update" if "_next" in quantity else "why.operation")
    f = of.activations[row.equation.layer - 1].name
    if name == "loss_gradient":
        return say("why.exact")
    if quantity in ("a", "delta"):
        special = f"why.{'function' if quantity == 'a' else 'form'}_{f}"
        return say(special if has(special) else "why.function" if quantity == "a" else "why.form")
    return say("why.update") if "_next" in quantity else say("why.sum")
