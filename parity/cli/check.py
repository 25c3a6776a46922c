"""`parity check`: somebody's own backprop, the first wrong formula, and the mistake by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.render.texts.message import Message


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("check", cls=SpokenCommand)(check)


@options.takes_case("activation", "dtype")
def check(
    subject: Annotated[str | None, typer.Argument(metavar="SUBJECT")] = None,
    executable: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND"),
    ] = None,
    *,
    case: options.AskedCase,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=86400)] = 20.0,
    memory: Annotated[float, typer.Option(metavar="GIB", min=0.25, max=4096)] = 8.0,
    json: options.Json = None,
    gradescope: Annotated[
        Path | None,
        typer.Option(metavar="results.json"),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml"),
    ] = None,
    report: options.Report = None,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from parity.check.calls import asked_calls
    from parity.check.implementations import PythonSubject, executable_subject, python_subject
    from parity.check.points import Points
    from parity.check.process import Limits
    from parity.check.run import UnusableSubjectError
    from parity.check.run import check as check_one
    from parity.check.text import show_output
    from parity.cli.submissions import Task, check_folder
    from parity.errors import UsageError
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.report.ci.compared import compared, tell
    from parity.report.gradescope import gradescope_results
    from parity.report.submission import write_page

    catalogue(lang)
    if (subject is None) == (executable is None):
        raise UsageError(Message("check_one"))
    for path in (json, str(gradescope) if gradescope else None):
        if path:
            writable(path)
    if report:
        writable_folder(report)
    worth = Points.read(points)
    calls = asked_calls(case.file, case.text("activation"), case.text("dtype"))
    limits = Limits(timeout, int(memory * 2**30))
    if subject is not None and Path(subject).is_dir():
        asked = (case.file, case.text("activation"), case.text("dtype"))
        return check_folder(
            Task(Path(subject), *asked, limits, lang, report, worth), json=json, gradescope=gradescope
        )
    one = python_subject(subject) if subject is not None else executable_subject(str(executable))
    command = case.reproduction("check")
    target = f" --exec {executable!r}" if executable else f" {subject}"
    try:
        checked = check_one(one, calls, limits, lang=lang, reproduce=command + target)
    except UnusableSubjectError as error:
        show_output(error.output, lang)
        if gradescope:
            write_text(
                str(gradescope),
                gradescope_results({one.name: Message.about(error).said(lang)}, worth, lang),
            )
        raise
    if gradescope:
        write_text(str(gradescope), gradescope_results({one.name: checked}, worth, lang))
    if json:
        write_text(json, checked.result.to_json())
    if report:
        write_page(checked, one, report, lang)
    show_output(checked.output, lang)
    checked.show(console(stderr=json == "-"), lang)
    file, line = (str(one.source or ""), one.line) if isinstance(one, PythonSubject) else ("", 0)
    judged = compared("check", one.name, checked.result, file, line, lang)
    tell("parity check", [judged], checked.result.formulas, lang)
    return checked.result.exit_code
