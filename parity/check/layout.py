"""How an answer is read: in the deck's layout, or, where nobody said so, with a sample in each row.

A module that works in rows is to say `LAYOUT = "rows"`. One that forgot it is wrong nearly everywhere,
and not for its mathematics: so other readings are tried, and the one that is taken is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.certify.observation import Observation
from parity.check.answers import observations
from parity.check.cases import SubjectCall
from parity.check.diagnosis.judge import Judge
from parity.check.implementations import Answers, Subject
from parity.check.process import Limits
from parity.render.texts.message import Message
from reference.trace import split

BY_SAMPLE = ("z", "a", "delta")
"""What has a sample a column in the deck; W, dW, b and db have none."""


@dataclass(frozen=True)
class Answered:
    """A subject's answers as they are read, and the court that judges them.

    `advice` says how they are read, where the subject did not; `turned`, that samples are in rows.
    """

    subject: Subject
    answers: Answers
    seen: Sequence[Observation]
    court: Judge
    advice: Message | None = None
    turned: bool = False

    @property
    def faults(self) -> int:
        """How many kinds of formulas are wrong."""
        return len({instance.kind for instance in self.court.instances if instance.wrong})

    def again(self, calls: Sequence[SubjectCall], limits: Limits) -> Judge:
        """Other calls, read in the same way."""
        answers = self.subject.answer(calls, limits)
        return Judge(observations(calls, _turned(answers) if self.turned else answers))


def answered_by(subject: Subject, calls: Sequence[SubjectCall], limits: Limits) -> Answered:
    """What the subject answers, read so that least of it is wrong; as the deck has it before other ways."""
    best = _read(subject, calls, subject.answer(calls, limits))
    answers = best.answers
    if answers.declared or not (best.faults or answers.failures):
        return best
    for other in _otherwise(subject, calls, limits, answers):
        fewer = bool(best.answers.failures) or other.faults < best.faults
        if not other.answers.failures and fewer:
            best = other
    return best


def _read(
    subject: Subject,
    calls: Sequence[SubjectCall],
    answers: Answers,
    advice: Message | None = None,
    *,
    turned: bool = False,
) -> Answered:
    seen = observations(calls, _turned(answers) if turned else answers)
    return Answered(subject, answers, seen, Judge(seen), advice, turned)


def _otherwise(
    subject: Subject, calls: Sequence[SubjectCall], limits: Limits, answers: Answers
) -> Iterator[Answered]:
    """The same numbers with samples in rows; and, where it can be called so, all of it in rows."""
    if not answers.failures:
        yield _read(subject, calls, answers, Message("advice_samples_in_rows"), turned=True)
    in_rows = subject.in_rows()
    if in_rows is not None:
        yield _read(in_rows, calls, in_rows.answer(calls, limits), Message("advice_works_in_rows"))


def _turned(answers: Answers) -> Answers:
    """With z, a and δ transposed."""
    tensors = {
        number: {
            name: np.ascontiguousarray(tensor.T) if split(name)[0] in BY_SAMPLE else tensor
            for name, tensor in shown.items()
        }
        for number, shown in answers.tensors.items()
    }
    return replace(answers, tensors=tensors, failures=answers.failures)
