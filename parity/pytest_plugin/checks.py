"""`parity.check` in a test: the same court as `parity check`'s, and its findings as one failure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.check.cases import SubjectCall
from parity.check.implementations import PythonSubject, Subject, python_subject
from parity.check.in_process import OwnSubject, asked_subject, own_subject
from parity.check.process import Limits
from parity.check.run import Checked, UnusableSubjectError
from parity.check.run import check as check_subject
from parity.lockstep.result import Result
from parity.pytest_plugin.answer import Answer, failure_text
from parity.pytest_plugin.context import Context
from parity.render.texts import catalogue
from parity.render.texts.message import Message
from parity.report.ci.compared import roots
from parity.report.ci.facts import Compared
from parity.report.submission import write_page


@dataclass(frozen=True)
class CheckCase:
    """On which networks a subject is tried: as the options of `parity check`."""

    config: Mapping[str, object] | str | Path | None = None
    activation: str | Sequence[str] | None = None
    dtype: str | None = None
    timeout: float = 20.0

    @property
    def source(self) -> Mapping[str, object] | Path | None:
        """The config, a file's name as a path."""
        return Path(self.config) if isinstance(self.config, str) else self.config

    @property
    def names(self) -> str | None:
        """Activations as on the command line."""
        if self.activation is None or isinstance(self.activation, str):
            return self.activation
        return ",".join(self.activation)

    def command(self, context: Context, address: str) -> str | None:
        """The command line that asks the same, if one can: not where the config stands in the test."""
        if isinstance(self.config, Mapping):
            return None
        words = ["parity", "check", address]
        given = {"--config": self.source, "--activation": self.names, "--dtype": self.dtype}
        for option, value in given.items():
            if value is not None:
                words += [option, context.relative(value) if isinstance(value, Path) else str(value)]
        return shlex.join(words)


def check(context: Context, number: int, asked: object, case: CheckCase) -> Answer[Result]:
    """Judge a subject. Raises UsageError for one that is none, or a case that there is not."""
    subject, calls = asked_subject(asked, case.source, case.names, case.dtype)
    address = _address(context, subject)
    command = case.command(context, address) if address else None
    return judged(context, number, subject, calls, command, case.timeout)


def on_calls(context: Context, number: int, asked: object, calls: Sequence[SubjectCall]) -> Answer[Result]:
    """Judge a `step` on calls that somebody else chose. Raises UsageError for a subject that is none."""
    subject = python_subject(str(asked)) if isinstance(asked, str | Path) else own_subject(asked)
    return judged(context, number, subject, calls, None, CheckCase.timeout)


def judged(
    context: Context,
    number: int,
    subject: Subject,
    calls: Sequence[SubjectCall],
    command: str | None,
    timeout: float,
) -> Answer[Result]:
    """What the court says of a subject's answers to these calls."""
    file, line = _where(subject)
    facts: dict[str, str | int] = {
        "file": context.relative(file),
        "line": line,
        "reproduce": command or context.command,
    }
    limits = Limits(seconds=timeout)
    try:
        checked = check_subject(subject, calls, limits, lang=context.lang, reproduce=command)
    except UnusableSubjectError as error:
        return _unusable(context, subject, error, command, facts)
    result = checked.result
    report = context.report_folder("check", number)
    if report:
        write_page(checked, subject, report, context.lang)
    failure = None
    if result.verdict != "match" or checked.failures:
        failure = failure_text(context, _lines(checked, context.lang), command)
    compared = Compared(
        "check",
        subject.name,
        result.verdict if not checked.failures or result.verdict != "match" else "error",
        result.numbers_compared,
        result.undecided,
        roots(result.wrong_formulas, str(facts["file"])),
        reason=result.reason or "",
        report=context.relative(report),
        **facts,  # type: ignore[arg-type]
    )
    return Answer(result, compared, failure, _cause(subject) if checked.failures else None)


def _unusable(
    context: Context,
    subject: Subject,
    error: UnusableSubjectError,
    command: str | None,
    facts: Mapping[str, str | int],
) -> Answer[Result]:
    """A subject that gave nothing to judge fails the test; there is no result then."""
    reason = Message.about(error).said(context.lang)
    said = [reason]
    if error.output.strip():
        said += [catalogue(context.lang)["check.printed"], *error.output.rstrip().splitlines()[-20:]]
    compared = Compared("check", subject.name, "error", reason=reason, **facts)  # type: ignore[arg-type]
    failure = failure_text(context, said, command)
    return Answer(None, compared, failure, _cause(subject))  # type: ignore[arg-type] # it raises


def _lines(checked: Checked, lang: str) -> list[str]:
    """The first wrong formula in full, the others by name."""
    say, result = catalogue(lang), checked.result
    if not checked.wrong:
        return [checked.failures[0].said(lang) if checked.failures else say[f"check.{result.verdict}"]]
    first, *others = checked.wrong
    lines = [first.headline, *(f"  {line}" for line in first.lines)]
    if others:
        lines.append(say["run.also"].format(names="; ".join(words.headline for words in others)))
    if checked.failures:
        lines.append(say["check.failed"].format(failure=checked.failures[0].said(lang)))
    return lines


def _cause(subject: Subject) -> BaseException | None:
    """What a subject of this process raised first."""
    if isinstance(subject, OwnSubject) and subject.errors:
        return subject.errors[min(subject.errors)]
    return None


def _where(subject: Subject) -> tuple[Path | None, int]:
    if isinstance(subject, OwnSubject):
        return subject.file, subject.line or 0
    if isinstance(subject, PythonSubject) and subject.source:
        return subject.source, subject.line
    return None, 0


def _address(context: Context, subject: Subject) -> str | None:
    """What `parity check` calls it, seen from pytest's rootdir; None where it cannot reach it."""
    if isinstance(subject, PythonSubject):
        return subject.name
    return subject.address(context.root) if isinstance(subject, OwnSubject) else None
