"""From rows to what the page's templates show: names, formulas, numbers and words, ready to print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from parity.drawing.names import written
from parity.report import formulas, sources, tables
from parity.report.examine import Examiner, Row, Side
from parity.report.numbers import code, shown
from parity.report.words import Share, has, say
from parity.report.worked import plain, worked
from reference.trace import Trace

STAGES = ("forward", "loss", "output_delta", "hidden_delta", "gradients", "update")
MAX_LAYERS = 8
"""Layers of a deep network whose tensors are shown in full: the first four and the last four."""


@dataclass(frozen=True)
class Voice:
    """One side's answer for the element looked at."""

    side: str
    name: Markup
    value: Markup
    share: str
    fill: int  # the share in twentieths, for the bar
    verdict: str
    values: tables.Table | None
    heat: tables.Table | None
    complaint: str = ""


@dataclass(frozen=True)
class RowView:
    """A parity row."""

    id: str
    tensor: str
    mark: str
    verdict: str
    name: Markup
    title: Markup
    slide: int
    stage: str
    shape: str
    slide_formula: Markup
    formula: Markup
    f: Markup | None
    plain: str
    element: Markup
    element_text: str
    numbers: Markup | None
    numbers_text: str
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
    """One step: its stages with their rows, and the marks for the graph."""

    step: int
    stages: tuple[tuple[str, tuple[RowView, ...]], ...]
    marks: dict[str, str]
    loss: dict[str, str]
    left_out: int


def step_view(examiner: Examiner, step: int, traces: dict[str, Trace]) -> StepView:
    """Everything that the page shows of one step."""
    rows = list(examiner.rows(traces))
    depth = examiner.architecture.depth
    half = MAX_LAYERS // 2
    kept = [
        row for row in rows if row.mark or row.equation.layer <= half or row.equation.layer > depth - half
    ]
    kept = kept[:120]
    views = [row_view(examiner, step, row, traces) for row in kept]
    stages = tuple((stage, tuple(view for view in views if view.stage == stage)) for stage in STAGES)
    marks = {row.equation.makes: row.mark for row in rows if row.mark}
    loss = {name: code(float(trace["loss"]), 6) for name, trace in traces.items() if "loss" in trace}
    return StepView(step, tuple(s for s in stages if s[1]), marks, loss, len(rows) - len(kept))


def stage_of(row: Row) -> str:
    """In which part of the step a tensor is made."""
    quantity, name = row.equation.quantity, row.equation.formula.name
    if quantity in ("z", "a"):
        return "forward"
    if name in ("loss", "loss_gradient"):
        return "loss"
    if name in ("output_delta", "hidden_delta"):
        return name
    return "gradients" if name.endswith("gradient") else "update"


def row_view(examiner: Examiner, step: int, row: Row, traces: dict[str, Trace]) -> RowView:
    """One tensor, on all sides, in words, formulas and numbers."""
    of, equation, at = examiner.architecture, row.equation, row.index
    trace = next((t for name, t in traces.items() if row.sides[name]), next(iter(traces.values())))
    put_in = worked(equation, trace, at, examiner.constants(trace), of) if len(at) in (0, 2) else None
    f = formulas.f_latex(equation, of)
    place = formulas.name_latex(equation.makes, at)
    exact = next((side.truth[at] for side in row.sides.values() if side), None)
    key = (
        "s"
        if equation.quantity == "s" and equation.formula.name == "hidden_delta"
        else equation.formula.name
    )
    return RowView(
        id=f"t{step}-{equation.makes}",
        tensor=equation.makes,
        mark=row.mark,
        verdict=row.verdict,
        name=formulas.mathml(formulas.name_latex(equation.makes)),
        title=say(f"formula.{key}") if has(f"formula.{key}") else Markup(escape(equation.formula.name)),
        slide=equation.formula.slide,
        stage=stage_of(row),
        shape=" × ".join(str(n) for n in row.shape) or "1",
        slide_formula=formulas.mathml(formulas.slide_latex(equation)),
        formula=formulas.mathml(formulas.layer_latex(equation, of), block=True),
        f=formulas.mathml(f) if f else None,
        plain=plain(formulas.layer_latex(equation, of)),
        element=formulas.mathml(place),
        element_text=written(equation.makes) + (f"[{','.join(map(str, at))}]" if at else ""),
        numbers=formulas.mathml(f"{place} = {put_in.latex}", block=True) if put_in else None,
        numbers_text=put_in.text if put_in else "",
        exact=code(float(exact), 12) if exact is not None else "",
        code=sources.ours(equation, of),
        has_ours="reference" in row.sides,
        torch_line=sources.theirs(equation.quantity),
        torch_module=sources.module(equation, of),
        voices=tuple(
            _voice(name, side, at, row.complaints.get(name, "")) for name, side in row.sides.items()
        ),
        apart="–" if row.apart is None else shown(row.apart, 3),
        same_bits=None if row.same_bits is None else say("page.same_bits", share=Share(row.same_bits)),
        why=_why(row),
        undecided=max((side.finding.undecided for side in row.sides.values() if side), default=0),
    )


def side_name(name: str) -> Markup:
    """A side in words."""
    return say(f"page.side_{name}") if has(f"page.side_{name}") else Markup(escape(name))


def _voice(name: str, side: Side | None, at: tuple[int, ...], complaint: str) -> Voice:
    if side is None:
        verdict = "different-formula" if complaint else "not-shown"
        return Voice(name, side_name(name), Markup("–"), "–", 0, verdict, None, None, complaint)
    ratio = side.finding.ratio
    own = abs(float(side.share[at])) if np.isfinite(side.share[at]) else ratio
    digits = 9 if side.observed.dtype == np.float32 else 17
    return Voice(
        side=name,
        name=side_name(name),
        value=_tail(code(float(side.observed[at]), digits), code(float(side.truth[at]), digits)),
        share=shown(own, 2),
        fill=min(20, int(np.ceil(own * 20))) if np.isfinite(own) else 20,
        verdict=side.finding.verdict.value,
        values=tables.values(side.observed, at) if side.observed.size > 1 else None,
        heat=tables.shares(side.share, at) if side.observed.size > 1 else None,
        complaint=complaint or side.finding.complaint or "",
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


def _why(row: Row) -> Markup:
    """Why the two sides need not have the same bits here, for the kind of arithmetic this formula is."""
    name, quantity = row.equation.formula.name, row.equation.quantity
    kind = {"z": "sum", "s": "sum", "dW": "sum", "db": "sum", "loss": "sum", "a": "function"}.get(quantity)
    if name == "loss_gradient":
        kind = "exact"
    elif quantity == "delta":
        kind = "form"
    elif quantity.endswith("_next"):
        kind = "update"
    return say(f"why.{kind or 'sum'}")
