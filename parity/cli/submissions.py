"""A folder of submissions: one table, one JSON, and on request Gradescope's results file."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from parity.check.calls import asked_calls
from parity.check.implementations import python_subject
from parity.check.points import Points
from parity.check.process import SAFE_PATH, Limits
from parity.check.run import UnusableSubjectError, check
from parity.check.submitted import JudgedSubmission, Submitted
from parity.errors import INTERRUPTED, UsageError
from parity.render.console import console
from parity.render.files import write_text
from parity.render.texts import catalogue
from parity.render.texts.message import Message, said
from parity.report.ci.compared import compared, tell
from parity.report.ci.facts import Compared
from parity.report.classroom import page_folder, write_class
from parity.report.gradescope import gradescope_results

_calls = cache(asked_calls)


@dataclass(frozen=True)
class Task:
    """What is asked of every submission of a folder; with `report`, each has its page in a folder there."""

    folder: Path
    config: Path | None
    activation: str | None
    dtype: str | None
    limits: Limits
    lang: str
    report: Path | None = None
    points: Points = field(default_factory=lambda: Points.read(None))

    def judge(self, file: Path) -> JudgedSubmission | str:
        """Check one; what crashes or hangs is said in one line."""
        name = str(file.relative_to(self.folder))
        subject = python_subject(str(file))
        try:
            checked = check(
                subject, _calls(self.config, self.activation, self.dtype), self.limits, lang=self.lang
            )
        except UnusableSubjectError as error:
            return _shorter(Message.about(error), str(file), name)
        if self.report:
            from parity.report.submission import write_page

            write_page(checked, subject, self.report / page_folder(name), self.lang)
        return JudgedSubmission(checked.result, checked.wrong, checked.failures)


def check_folder(task: Task, *, json: str | None, gradescope: Path | None) -> int:
    """Check every submission, as many at once as there are processors. Returns the exit code."""
    files = submissions(task.folder)
    if not files:
        raise UsageError(Message("no_submissions", folder=task.folder))
    say, outcomes = catalogue(task.lang), dict[str, Submitted]()
    errors = console(stderr=True)
    workers = min(len(files), os.cpu_count() or 1)
    with (
        _no_module_of_this_folder(),
        ProcessPoolExecutor(
            workers, get_context("spawn")
        ) as pool,  # a fork would take numpy's threads along
        Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar,
    ):
        shown = bar.add_task(say["check.progress"], total=len(files))
        judged = map(task.judge, files) if workers == 1 else pool.map(task.judge, files)
        try:
            for file, outcome in zip(files, judged, strict=True):
                outcomes[str(file.relative_to(task.folder))] = outcome
                bar.advance(shown)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            if not outcomes:
                raise
    if json:
        write_text(json, folder_json(outcomes))
    if gradescope:
        write_text(str(gradescope), gradescope_results(outcomes, task.points, task.lang))
    if task.report:
        write_class(task.report, outcomes, task.points, task.lang)
    _show(outcomes, task.lang, stderr=json == "-")
    told = [_told(task.folder, name, outcome, task.lang) for name, outcome in outcomes.items()]
    tell("parity check", told, lang=task.lang)
    if len(outcomes) < len(files):
        note = Message("interrupted_files", done=len(outcomes), of=len(files))
        errors.print(note.said(task.lang), markup=False)
        return INTERRUPTED
    matches = [not isinstance(o, str) and o.result.verdict == "match" for o in outcomes.values()]
    return 0 if all(matches) else 1


def _shorter(told: Message, path: str, name: str) -> Message:
    """A message in which a submission is called by its name instead of its path."""
    facts = {
        hole: _shorter(fact, path, name) if isinstance(fact, Message) else fact.replace(path, name)
        for hole, fact in told.facts.items()
    }
    return Message(told.key, **facts)


@contextmanager
def _no_module_of_this_folder() -> Iterator[None]:
    """New interpreters leave the current folder out of their path: a submission may be called numpy.py."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _told(folder: Path, name: str, outcome: Submitted, lang: str) -> Compared:
    """A submission's outcome as CI is told it."""
    file = str(folder.absolute() / name)
    if isinstance(outcome, str):
        return Compared("check", name, "error", reason=said(outcome, lang), file=file)
    return compared("check", name, outcome.result, file, python_subject(file).line, lang)


def submissions(folder: Path) -> list[Path]:
    """The Python files directly in a folder, and in its folders that hold exactly one, sorted."""
    files = [f for f in folder.glob("*.py") if not f.name.startswith(("_", "."))]
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.name.startswith(("_", ".")):
            own = sorted(f for f in inner.glob("*.py") if not f.name.startswith(("_", ".")))
            files += own if len(own) == 1 else [f for f in own if "step(" in f.read_text(errors="replace")]
    return sorted(files)


def folder_json(outcomes: Mapping[str, Submitted]) -> str:
    """All results by submission."""
    entries = {
        name: {"verdict": "error", "reason": outcome}
        if isinstance(outcome, str)
        else jsonlib.loads(outcome.result.to_json())
        for name, outcome in outcomes.items()
    }
    return jsonlib.dumps({"schema": "parity-submissions/1", "submissions": entries}, indent=2)


def _show(outcomes: Mapping[str, Submitted], lang: str, *, stderr: bool) -> None:
    say, out = catalogue(lang), console(stderr=stderr)
    table = Table()
    for key in ("submission", "verdict", "found"):
        table.add_column(say[f"check.{key}"], overflow="fold")
    matches = 0
    for name, outcome in outcomes.items():
        if isinstance(outcome, str):
            table.add_row(name, say["check.error"], said(outcome, lang))
            continue
        verdict = outcome.result.verdict
        matches += verdict == "match"
        table.add_row(name, say[f"run.{verdict}"], "\n".join(words.headline for words in outcome.wrong))
    out.print(table)
    out.print(say["check.folder"].format(match=matches, count=len(outcomes)))
