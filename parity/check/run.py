"""`parity check`: a subject tried on every case, judged, and its mistakes looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import escape
from pydantic import JsonValue

from parity.bounds.contract import contract
from parity.bounds.formats import arithmetic
from parity.certify.admitted import CLASSES
from parity.certify.observation import Observation
from parity.check.cases import SubjectCall
from parity.check.coverage import covered
from parity.check.diagnosis.anatomy import kind
from parity.check.diagnosis.blame import Blame
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.search import blames
from parity.check.diagnosis.text import Diagnosed, SourceLine, diagnosed
from parity.check.implementations import Subject
from parity.check.in_process import Shown
from parity.check.layout import Answered, answered_by
from parity.check.lines import blamed_lines
from parity.check.process import Limits
from parity.check.text import show_checked
from parity.check.unseen import unseen_calls
from parity.errors import UsageError
from parity.lockstep.environment import environment
from parity.lockstep.result import Diagnosis, Divergence, Result, WrongFormula
from parity.lockstep.tally import Tally
from parity.lockstep.threads import limited
from parity.render.outcome import Outcome, Pages
from parity.render.texts.message import Message
from reference.formula import FORMULAS
from reference.trace import split

if TYPE_CHECKING:
    from rich.console import Console

SIDE = "subject"


@dataclass(frozen=True)
class Checked(Outcome):
    """What a check found: the result, each wrong formula in words, what failed, what it printed.

    `court` and `blames` are what all that was said from; `subject` is asked in the layout it was read in;
    `lines` are those of its file that likely compute what is wrong, formula by formula.
    """

    result: Result
    wrong: tuple[Diagnosed, ...]
    failures: tuple[Message, ...]
    output: str
    court: Judge
    blames: tuple[Blame, ...]
    subject: Subject
    lines: tuple[SourceLine | None, ...] = ()
    _pages: Pages | None = field(default=None, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """The result's."""
        return self.result.verdict

    def show(self, out: Console, lang: str = "en") -> None:
        """Each wrong formula, or that there is none. Formulas are named in the language of the check."""
        show_checked(self, out, lang)

    def to_json(self) -> str:
        """The result as JSON."""
        return self.result.to_json()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>{self.result._repr_html_()}"


class UnusableSubjectError(UsageError):
    """The subject gave nothing that could be judged; `output` is what it printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def check(
    subject: Subject,
    calls: Sequence[SubjectCall],
    limits: Limits | None = None,
    *,
    lang: str = "en",
    reproduce: str | None = None,
) -> Checked:
    """Run the subject on every call and judge what it showed.

    Raises UnusableSubjectError where a call was not answered and nothing else was found wrong: what
    did not come back is never a match.
    """
    with limited(1):
        answered = answered_by(subject, calls, limits or Limits())
        answers, seen, court = answered.answers, answered.seen, answered.court
        advice = [answered.advice] if answered.advice else []
        raised = [
            n for n in sorted(answers.failures) if calls[n].extreme and _overflows(answers.failures[n])
        ]
        if raised:
            advice.append(Message("advice_overflow", failure=answers.failures[raised[0]]))
        lost = _lost(calls, seen)
        if lost:
            advice.append(Message("advice_nan", names=", ".join(lost)))
        failures = tuple(
            Message("failure_of", failure=answers.failures[n], case=calls[n].case)
            for n in sorted(answers.failures)
            if n not in raised
        )
        tally = Tally()
        for instance in court.instances:
            tally.certify(instance.observation.step, SIDE, instance.finding)
        if failures and not tally.mismatch:
            raise UnusableSubjectError(
                Message("file_failed", file=subject.name, reason=failures[0]), answers.output
            )
        found = blames(court, lambda: _unseen(answered, calls, limits or Limits()))
        lines = blamed_lines(answered.subject, court, found, limits)
        wrong = tuple(diagnosed(court, *one, lang) for one in zip(found, lines, strict=True))
        court.forget()
    reached = [call for number, call in enumerate(calls) if number not in answers.failures]
    result = Result(
        verdict=tally.verdict,
        steps=len(seen),
        tensors_compared=tally.tensors,
        numbers_compared=tally.numbers,
        undecided=tally.undecided,
        first_divergence=_first(tally, found),
        formulas=tally.formula_rows(),
        side_by_side=[],
        wrong_formulas=[_wrong_formula(*one) for one in zip(found, wrong, lines, strict=True)],
        reason=Message("not_every", failure=failures[0]) if failures else None,
        not_shown=_not_shown(court),
        coverage=covered(reached),
        reproduce=reproduce if found else None,
        advice=advice,
        contract=contract(arithmetic(calls[0].architecture.dtype)) | {"also_admitted": CLASSES},
        environment=environment(with_torch=False),
        config=_config(subject, reached, str(calls[0].architecture.dtype)),
    )
    return Checked(
        result, wrong, failures, answers.output, court, tuple(found), answered.subject, tuple(lines)
    )


def _overflows(failure: str) -> bool:
    """Whether a program raised since a number was too large for it, which the contract allows."""
    return "OverflowError" in failure or "FloatingPointError" in failure


def _lost(calls: Sequence[SubjectCall], seen: Sequence[Observation]) -> list[str]:
    """The quantities that are NaN where e^z overflows: undecided, since admitted forms give that."""
    far = {call.case for call in calls if call.extreme}
    names = [name for o in seen if o.case in far for name, t in o.shown.items() if np.isnan(t).any()]
    return list(dict.fromkeys(split(name)[0] for name in names))


def _unseen(answered: Answered, calls: Sequence[SubjectCall], limits: Limits) -> Judge | None:
    """The subject on calls that it has not been judged on; None for one that knows only its own."""
    asked = [] if isinstance(answered.subject, Shown) else unseen_calls(calls)
    return answered.again(asked, limits) if asked else None


def _first(tally: Tally, found: Sequence[Blame]) -> Divergence | None:
    """The tally's first wrong number, with the smallest case that fails."""
    if tally.first is None:
        return None
    cases = [blame.first.observation.case for blame in found]
    wrong = [i for blame in found for i in blame.instances if i.equation.quantity == tally.first.quantity]
    case = next((i.observation.case for i in wrong if i.equation.layer == tally.first.layer), cases[0])
    return tally.first.model_copy(update={"case": case})


def _wrong_formula(blame: Blame, words: Diagnosed, line: SourceLine | None) -> WrongFormula:
    name = blame.formula
    named = Diagnosis(mistake=words.mistake, detail=words.detail) if words.mistake else None
    return WrongFormula(
        formula=name,
        layers=list(blame.layers),
        slide=FORMULAS[name].slide,
        side=SIDE,
        diagnosis=named,
        note=None if named else words.detail,
        evidence=words.evidence,
        may_be=list(blame.may_be),
        line=line.number if line else None,
    )


def _not_shown(court: Judge) -> list[str]:
    """The formulas that could only be judged through others; s, which no subject shows, belongs to δ."""
    judged = {kind(instance.equation) for instance in court.instances}
    names = {kind(e) for o in court.observations for e in o.equations.values()}
    return [name for name in FORMULAS if name in names - judged and name != "loss_gradient"]


def _config(subject: Subject, calls: Sequence[SubjectCall], dtype: str) -> dict[str, JsonValue]:
    cases: list[JsonValue] = list(dict.fromkeys(call.case for call in calls))
    return {"subject": subject.name, "dtype": dtype, "cases": cases}
