"""A folder of submissions: one table, one JSON, and on request Gradescope's results file."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from parity.check.cases import SubjectCall
from parity.check.implementations import python_subject
from parity.check.process import Limits
from parity.check.run import Checked, UnusableSubjectError, check
from parity.errors import UsageError
from parity.render.console import console
from parity.render.files import write_text
from parity.render.texts import catalogue
from parity.render.texts.message import said
from parity.report.ci.compared import compared, tell
from parity.report.ci.facts import Compared

Outcome = Checked | str
"""What a check found, or in one line why it found nothing."""


def check_folder(
    folder: Path,
    calls: Sequence[SubjectCall],
    limits: Limits,
    *,
    lang: str,
    json: str | None,
    gradescope: Path | None,
    report: Path | None = None,
) -> int:
    """Check every submission; one that crashes or hangs does not stop the rest. Returns the exit code.

    With `report`, each submission has its page in a folder of its own there.
    """
    from parity.report.submission import write_page

    files = submissions(folder)
    if not files:
        raise UsageError(f"{folder}: there is no .py file in it")
    say, outcomes = catalogue(lang), dict[str, Outcome]()
    errors = console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(say["check.progress"], total=len(files))
        for file in files:
            name = str(file.relative_to(folder))
            try:
                subject = python_subject(str(file))
                outcomes[name] = checked = check(subject, calls, limits, lang=lang)
                if report:
                    write_page(checked, subject, report / Path(name).with_suffix(""), lang)
            except UnusableSubjectError as error:
                outcomes[name] = str(error).replace(str(file), name)
            bar.advance(task)
    if json:
        write_text(json, folder_json(outcomes))
    if gradescope:
        write_text(str(gradescope), gradescope_results(outcomes, lang))
    _show(outcomes, lang, stderr=json == "-")
    tell("parity check", [_told(folder, name, outcome) for name, outcome in outcomes.items()], lang=lang)
    matches = [isinstance(o, Checked) and o.result.verdict == "match" for o in outcomes.values()]
    return 0 if all(matches) else 1


def _told(folder: Path, name: str, outcome: Outcome) -> Compared:
    """A submission's outcome as CI is told it."""
    file = str(folder.absolute() / name)
    if isinstance(outcome, str):
        return Compared("check", name, "error", reason=outcome, file=file)
    return compared("check", name, outcome.result, file, python_subject(file).line)


def submissions(folder: Path) -> list[Path]:
    """The Python files directly in a folder, and in its folders that hold exactly one, sorted."""
    files = [f for f in folder.glob("*.py") if not f.name.startswith(("_", "."))]
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.name.startswith(("_", ".")):
            own = sorted(f for f in inner.glob("*.py") if not f.name.startswith(("_", ".")))
            files += own if len(own) == 1 else [f for f in own if "step(" in f.read_text(errors="replace")]
    return sorted(files)


def folder_json(outcomes: Mapping[str, Outcome]) -> str:
    """All results by submission."""
    entries = {
        name: {"verdict": "error", "reason": outcome}
        if isinstance(outcome, str)
        else jsonlib.loads(outcome.result.to_json())
        for name, outcome in outcomes.items()
    }
    return jsonlib.dumps({"schema": "parity-submissions/1", "submissions": entries}, indent=2)


def gradescope_results(outcomes: Mapping[str, Outcome], lang: str) -> str:
    """Gradescope's results.json: one test for each formula, a point for each that holds.

    https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
    """
    tests: list[dict[str, object]] = []
    for name, outcome in outcomes.items():
        prefix = f"{name}: " if len(outcomes) > 1 else ""
        if isinstance(outcome, str):
            tests.append({"name": f"{prefix}step", "score": 0, "max_score": 1, "output": outcome})
        else:
            tests += _tests(outcome, prefix, lang)
    return jsonlib.dumps({"output_format": "text", "tests": tests}, indent=2, ensure_ascii=False)


def _tests(checked: Checked, prefix: str, lang: str) -> list[dict[str, object]]:
    """One test a formula; a wrong formula that is hidden has one of its own."""
    result, say = checked.result, catalogue(lang)
    wrong = {w.formula: words for w, words in zip(result.wrong_formulas, checked.wrong, strict=True)}
    failed = {row.formula for row in result.formulas if row.verdict == "different-formula"}
    names = dict.fromkeys([*(row.formula for row in result.formulas), *wrong])
    tests: list[dict[str, object]] = []
    for name in names:
        right = name not in wrong and name not in failed
        output = "\n".join((wrong[name].headline, *wrong[name].lines)) if name in wrong else ""
        output = output or ("" if right else say["run.different-formula"])
        tests.append({"name": f"{prefix}{name}", "score": int(right), "max_score": 1, "output": output})
    if checked.failures:
        output = say["check.failed"].format(failure=said(checked.failures[0], lang))
        tests.append({"name": f"{prefix}step", "score": 0, "max_score": 1, "output": output})
    return tests


def _show(outcomes: Mapping[str, Outcome], lang: str, *, stderr: bool) -> None:
    say, out = catalogue(lang), console(stderr=stderr)
    table = Table()
    for key in ("submission", "verdict", "found"):
        table.add_column(say[f"check.{key}"], overflow="fold")
    matches = 0
    for name, outcome in outcomes.items():
        if isinstance(outcome, str):
            table.add_row(name, say["check.error"], outcome)
            continue
        verdict = outcome.result.verdict
        matches += verdict == "match"
        table.add_row(name, say[f"run.{verdict}"], "\n".join(words.headline for words in outcome.wrong))
    out.print(table)
    out.print(say["check.folder"].format(match=matches, count=len(outcomes)))
