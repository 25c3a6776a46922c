"""`parity.run` in a test: the lockstep, its findings as one failure, its page where one was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from parity.config.case import Case
from parity.config.config import Config, read
from parity.lockstep.lockstep import Observer
from parity.lockstep.result import Result
from parity.lockstep.run import run as run_case
from parity.lockstep.text import divergence_lines
from parity.pytest_plugin.answer import Answer, failure_text
from parity.pytest_plugin.context import Context
from parity.render.texts import catalogue
from parity.report import write as write_report
from parity.report.ci.compared import roots
from parity.report.ci.facts import Compared
from parity.report.recorder import Recorder


def run(
    place: Context, number: int, asked: Config | Mapping[str, object] | str | Path | None
) -> Answer[Result]:
    """Walk a config's case. Raises UsageError for a bad one, EnvironmentUnfit without torch."""
    path = Path(asked) if isinstance(asked, str | Path) else None
    tables = asked if isinstance(asked, Mapping) else None
    config = asked if isinstance(asked, Config) else read(path or tables, {})
    recorders: list[Recorder] = []
    command = shlex.join(["parity", "run", "--config", place.relative(path)]) if path else None
    folder = place.report_folder("run", number)
    result = run_case(config, watched(recorders, folder), reproduce=command)
    if folder:
        write_report(result, recorders[0].recording(), folder, place.lang)
    return judged(place, "run", str(path or "config"), result, folder)


def watched(recorders: list[Recorder], folder: Path | None) -> Callable[[Case], Sequence[Observer]]:
    """A recorder for the page, where one will be written."""

    def observers(case: Case) -> list[Observer]:
        if folder:
            recorders.append(Recorder.of(case))
        return [*recorders]

    return observers


def judged(place: Context, kind: str, subject: str, result: Result, folder: Path | None) -> Answer[Result]:
    """A walk's result as facts, and as a failure where it is no match."""
    compared = Compared(
        kind,
        subject,
        result.verdict,
        result.numbers_compared,
        result.undecided,
        roots(result.wrong_formulas),
        reason=result.reason or "",
        reproduce=result.reproduce or place.command,
        file=place.relative(place.file),
        report=place.relative(folder),
    )
    if result.verdict == "match":
        return Answer(result, compared)
    return Answer(result, compared, failure_text(place, walk_lines(result, place.lang), result.reproduce))


def walk_lines(result: Result, lang: str) -> list[str]:
    """What a person needs to know of a walk that is no match."""
    say = catalogue(lang)
    lines = list(divergence_lines(result.first_divergence, result.wrong_formulas, None, say))
    lines += [result.reason] if result.reason else []
    lines.append(say[f"run.verdict_{result.verdict}"].format(steps=f"{result.steps:,}"))
    return lines
