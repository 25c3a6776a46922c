"""The lines of a subject that likely made what it shows: traced in a run of its own, and never proved."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parity.certify.certificate import Verdict, compare
from parity.certify.observation import Observation
from parity.check.cases import SubjectCall
from parity.check.diagnosis.blame import Blame
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.scenario import Scenario
from parity.check.diagnosis.text import SourceLine
from parity.check.implementations import FollowedCall, PythonSubject, Subject
from parity.check.in_process import OwnSubject
from parity.check.process import Limits
from reference.arrays import Array
from reference.equations import Equation

TRACER = Path(__file__).with_name("tracer.py")


def blamed_lines(
    subject: Subject, court: Judge, blames: Sequence[Blame], limits: Limits | None = None
) -> list[SourceLine | None]:
    """For each wrong formula, the line that likely computes it; None where that is not known.

    Where the formula's own tensor is shown, that is the line which first made its numbers. Where it is
    hidden, it is the line that made, on the way, an array whose every number is what the named mistake
    makes of that tensor, and not what the formula makes of it; both within their rounding bounds.
    """
    file = str(source_of(subject) or "")
    linecache.checkcache(file)
    text = linecache.getlines(file)  # which has the cells of a notebook too
    if not text:
        return [None] * len(blames)
    traced = _traced(subject, [blame.first.observation for blame in blames], limits)
    found = [_line(court, blame, one) for blame, one in zip(blames, traced, strict=True)]
    return [SourceLine(n, text[n - 1].strip()) if n and n <= len(text) else None for n in found]


def likely_lines(
    subject: Subject, seen: Sequence[Observation], limits: Limits | None = None
) -> list[dict[str, int]]:
    """For each observation, by tensor, the line of the subject's file that last assigned it.

    The observations are asked again, in order. A tensor that is no longer what was observed, such as one
    that hangs on calls made before, has no line; nor has any subject that is not Python.
    """
    traced = _traced(subject, seen, limits)
    return [_lines_as_seen(one, observation) for one, observation in zip(traced, seen, strict=True)]


def source_of(subject: Subject) -> Path | None:
    """The file that the lines are lines of."""
    return subject.source if isinstance(subject, PythonSubject | OwnSubject) else None


def _traced(subject: Subject, seen: Sequence[Observation], limits: Limits | None) -> list[FollowedCall]:
    """The observations asked again, each followed; of a subject that is not Python nothing is known."""
    asked = [SubjectCall(o.case, o.step, o.architecture, o.lr, o.given) for o in seen]
    traced: Sequence[FollowedCall] = ()
    if isinstance(subject, PythonSubject):
        traced = subject.traced(asked, limits or Limits(), TRACER) if asked else ()
    elif isinstance(subject, OwnSubject):
        traced = subject.traced(asked)
    return [*traced, *(FollowedCall() for _ in range(len(seen) - len(traced)))]


def _lines_as_seen(traced: FollowedCall, observation: Observation) -> dict[str, int]:
    return {n: line for n, line in traced.lines.items() if _is_what_was_seen(n, traced, observation)}


def _is_what_was_seen(name: str, traced: FollowedCall, observation: Observation) -> bool:
    known = {**observation.shown, **observation.misshapen}
    if name not in known or name not in traced.shown:
        return False
    before, now = np.asarray(known[name]), np.asarray(traced.shown[name])
    return any(np.array_equal(before, one, equal_nan=True) for one in (now, now.T))


def _line(court: Judge, blame: Blame, traced: FollowedCall) -> int | None:
    first = blame.first
    lines = _lines_as_seen(traced, first.observation)
    if blame.may_be:  # nobody can tell which of these formulas it is
        return None
    if blame.formula == first.kind:
        line = lines.get(first.equation.makes)
        return line and _first(first.observed, traced, line)
    made = blame.guess.made if blame.guess else ()
    if not made or first.equation.makes not in lines:
        return None
    right, wrong = (court.scenario(first.observation, slips) for slips in ((), made))
    touched = False
    for equation in first.hidden:
        touched = touched or any(one.touches(equation) for one in made)
        for line, array in traced.made if touched else ():
            if _is(array, equation, wrong) and not _is(array, equation, right):
                return line
    return None


def _first(observed: Array, traced: FollowedCall, last: int) -> int:
    """The line that first made these numbers, which others may only have copied; else the last one."""
    if observed.size < 2 or np.all(observed == observed.flat[0]):  # such numbers may be there by chance
        return last
    shapes = {observed.shape, observed.shape[::-1], (observed.size,)}
    for line, array in traced.made:
        if array.shape in shapes and _same(array, observed):
            return line
    return last


def _same(array: Array, observed: Array) -> bool:
    return any(np.array_equal(one.ravel(), observed.ravel()) for one in (array, array.T))


def _is(array: Array, equation: Equation, scenario: Scenario) -> bool:
    """Whether every number of an array is that of a tensor, lying or standing."""
    try:
        with np.errstate(all="ignore"), scenario.judge.precision():
            truth = scenario.value(equation.makes)
            alike = [one for one in (array, array.T) if one.shape == truth.shape]
            alike += [array.reshape(truth.shape)] if array.ndim == 1 and array.size == truth.size else []
            found = [compare(equation, one, truth) for one in alike]
    except (DoesNotApplyError, ValueError):
        return False
    return any(one.verdict is Verdict.MATCH and not one.vacuous for one in found)
