"""The named mistake: which slip of the catalogue reproduces a side's wrong numbers, in every language."""

from __future__ import annotations

from collections.abc import Sequence

from parity.certify.observation import Observation
from parity.check.cases import case_name
from parity.check.diagnosis.anatomy import ANATOMIES, kind
from parity.check.diagnosis.blame import Blame
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.search import blames
from parity.check.diagnosis.text import SourceLine, diagnosed
from parity.lockstep.result import Result
from parity.render.texts import LANGUAGES
from parity.render.texts.message import Message
from parity.report.recording import Told
from parity.report.steps import JudgedSteps
from reference.architecture import Architecture
from reference.equations import shapes, step_equations
from reference.formula import FORMULAS
from reference.trace import Trace


def tell(judge: Judge, found: Sequence[Blame], lines: Sequence[SourceLine | None]) -> dict[str, list[Told]]:
    """What a judge found, in words, by language; with the line of each that likely computes it."""
    blamed = list(zip(found, lines, strict=True))
    return {lang: [_told(judge, blame, line, lang) for blame, line in blamed] for lang in LANGUAGES}


def told_of(result: Result, judged: JudgedSteps) -> dict[str, list[Told]]:
    """What a recording's first wrong step betrays; nothing where no formula is wrong in itself."""
    first, recording = result.first_divergence, judged.recording
    traces = recording.steps.get(first.step) if first else None
    if first is None or traces is None or first.side not in traces or not result.wrong_formulas:
        return {}
    of = recording.architecture
    if not isinstance(of, Architecture) or not _in_the_catalogue(of):
        return {}
    shown = {row.equation.makes: row.sides[first.side] for row in judged.rows(first.step)}
    findings = {name: side.finding for name, side in shown.items() if side}
    judge = Judge([_observation(of, recording.lr, traces[first.side], first.step)], findings)
    found = blames(judge)
    return tell(judge, found, [None] * len(found))


def _in_the_catalogue(of: Architecture) -> bool:
    """Whether the catalogue of mistakes knows every formula of this network."""
    known = all(kind(e) in ANATOMIES and set(e.constants) <= {"n", "lr"} for e in step_equations(of))
    plain = all(f.jacobian is None and f.learned is None for f in of.activations)
    return known and plain and of.loss.target == "values" and not of.loss.counts


def _told(judge: Judge, blame: Blame, line: SourceLine | None, lang: str) -> Told:
    words = diagnosed(judge, blame, line, lang)
    return Told(
        blame.formula, FORMULAS[blame.formula].slide, list(blame.layers), words.mistake, list(words.marked)
    )


def _observation(of: Architecture, lr: float, trace: Trace, step: int) -> Observation:
    """A trace as a judge sees it: what was given, what was shown, what has another shape."""
    batch = trace["x"].shape[1]
    expected = shapes(of, batch)
    given = Trace({name: trace[name] for name in ("x", "y", *of.parameter_shapes()) if name in trace})
    rest = {name: tensor for name, tensor in trace.items() if name not in given and name in expected}
    return Observation(
        of,
        lr,
        given,
        Trace({name: tensor for name, tensor in rest.items() if tensor.shape == expected[name]}),
        Trace({name: tensor for name, tensor in rest.items() if tensor.shape != expected[name]}),
        {
            name: Message("shape", name=name, found=tensor.shape, expected=expected[name])
            for name, tensor in rest.items()
            if tensor.shape != expected[name]
        },
        case_name(of, batch),
        step,
    )
