"""The pages of a class: an index of all submissions, their points as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from markupsafe import Markup

from parity.check.points import ENTRIES, RUNS, Points, State, states
from parity.check.submitted import Submitted, result_of
from parity.lockstep.result import WrongFormula
from parity.render.files import make_folder, write_text
from parity.render.texts import LANGUAGES
from parity.render.texts.message import said
from parity.report.bilingual import formula_title, mistake_title, one, say, say_again
from parity.report.page import framed

MARKS: Mapping[State, str] = {
    "right": "✓",
    "precision": "≈",
    "through": "(✓)",
    "unclear": "?",
    "wrong": "✗",
    "missing": "–",
}
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins with one of these."""


@dataclass(frozen=True)
class ClassRow:
    """A submission in the index."""

    name: str
    page: str
    verdict: str
    states: Mapping[str, State]
    points: float
    said: tuple[Markup, ...]
    found: str


@dataclass(frozen=True)
class CommonMistake:
    """A mistake and who made it."""

    formula: str
    mistake: str
    by: tuple[ClassRow, ...]


def write_class(folder: Path, outcomes: Mapping[str, Submitted], points: Points, lang: str) -> None:
    """Write `index.html` and `points.csv`, and a page for each submission without a verdict.

    Raises UsageError for a folder that cannot be written to.
    """
    rows = [_row(name, outcome, points, lang) for name, outcome in outcomes.items()]
    make_folder(folder)
    for row, outcome in zip(rows, outcomes.values(), strict=True):
        if isinstance(outcome, str):
            place = folder / page_folder(row.name)
            make_folder(place)
            back = "../" * len(PurePosixPath(page_folder(row.name)).parts) + "index.html"
            write_text(str(place / "index.html"), _page("unjudged.html", lang, row=row, back=back))
    write_text(str(folder / "index.html"), index(rows, outcomes, points, lang))
    write_text(str(folder / "points.csv"), table(rows, points))


def page_folder(name: str) -> str:
    """Where a submission's page lies in the folder of the class."""
    return PurePosixPath(name).with_suffix("").as_posix()


def index(rows: list[ClassRow], outcomes: Mapping[str, Submitted], points: Points, lang: str) -> str:
    """The index: students × formulas, and the commonest mistakes."""
    return _page(
        "classroom.html",
        lang,
        rows=rows,
        entries=ENTRIES,
        runs=RUNS,
        marks=MARKS,
        points=points,
        mistakes=_mistakes(rows, outcomes),
        matches=sum(row.verdict == "match" for row in rows),
    )


def table(rows: list[ClassRow], points: Points) -> str:
    """The points as comma-separated values, one row a submission."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["submission", "verdict", "points", "of", *ENTRIES, "found"])
    for row in rows:
        single = [_number(points.of(entry, row.states)) for entry in ENTRIES]
        earned = [_number(row.points), _number(points.total)]
        writer.writerow([_cell(row.name), row.verdict, *earned, *single, _cell(row.found)])
    return out.getvalue()


def _row(name: str, outcome: Submitted, points: Points, lang: str) -> ClassRow:
    found = states(result_of(outcome))
    page = f"{page_folder(name)}/index.html"
    if isinstance(outcome, str):
        why = said(outcome, lang)
        return ClassRow(name, page, "error", found, points.earned(found), (say_again(outcome),), why)
    wrong = tuple(map(_wrong, outcome.result.wrong_formulas))
    headlines = "; ".join(words.headline for words in outcome.wrong)
    return ClassRow(name, page, outcome.result.verdict, found, points.earned(found), wrong, headlines)


def _wrong(wrong: WrongFormula) -> Markup:
    """A wrong formula, with the mistake where it has a name, and the line where it is known."""
    said = Markup("{} ({})").format(formula_title(wrong.formula), ", ".join(map(str, wrong.layers)))
    if wrong.diagnosis:
        said = Markup("{}: {}").format(said, mistake_title(wrong.diagnosis.mistake))
    return Markup("{}, {}").format(said, say("class.line", line=wrong.line)) if wrong.line else said


def _mistakes(rows: list[ClassRow], outcomes: Mapping[str, Submitted]) -> list[CommonMistake]:
    """The mistakes by how many made them."""
    by: dict[tuple[str, str], list[ClassRow]] = {}
    for row, outcome in zip(rows, outcomes.values(), strict=True):
        result = result_of(outcome)
        for wrong in result.wrong_formulas if result else ():
            key = wrong.formula, wrong.diagnosis.mistake if wrong.diagnosis else ""
            by.setdefault(key, []).append(row)
    counted = Counter({key: len(who) for key, who in by.items()})
    return [CommonMistake(*key, tuple(by[key])) for key, _ in counted.most_common()]


def _page(template: str, lang: str, **facts: object) -> str:
    titles = {code: one("class.title", code) for code in LANGUAGES}
    return framed(template, lang, titles, ("classroom.css",), (), number=_number, **facts)


def _number(value: float) -> str:
    return f"{value:g}"


def _cell(text: str) -> str:
    """A text that a spreadsheet takes for a text."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
