"""GitHub Actions: annotations and job summaries, escaped and below their limits. The standard library only.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.render.texts import catalogue

MOST_ANNOTATIONS = 10
"""GitHub shows ten errors of a step and drops the rest silently."""

SUMMARY_LIMIT = 2**20
"""Bytes of a step's summary; a larger one is refused as a whole."""

TITLE_LIMIT, MESSAGE_LIMIT = 200, 4000


@dataclass(frozen=True)
class Annotation:
    """An error with a title, and where it is if that is known; `file` is relative to the repository."""

    title: str
    message: str
    file: str = ""
    line: int = 0


def on_github() -> bool:
    """Whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def commands(found: Sequence[Annotation], lang: str = "en") -> list[str]:
    """One line for each annotation, ten at most: of more, the last says how many there are."""
    shown = list(found)
    if len(shown) > MOST_ANNOTATIONS:
        kept = MOST_ANNOTATIONS - 1
        rest = ", ".join(dict.fromkeys(a.title for a in shown[kept:]))
        shown = [
            *shown[:kept],
            Annotation(catalogue(lang)["ci.more"].format(count=len(shown) - kept), rest),
        ]
    return [_command(annotation) for annotation in shown]


def _command(annotation: Annotation) -> str:
    properties = {"title": annotation.title[:TITLE_LIMIT]}
    if annotation.file:
        properties = {"file": annotation.file, "line": str(max(1, annotation.line)), **properties}
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{_data(annotation.message[:MESSAGE_LIMIT])}"


def annotate(found: Sequence[Annotation], lang: str = "en") -> None:
    """Write the annotations to stderr, which the runner reads as it reads stdout; stdout is for results."""
    for line in commands(found, lang):
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def summarize(markdown: str, lang: str = "en") -> None:
    """Append to the step's job summary, as much as there is room for; elsewhere do nothing."""
    where = os.environ.get("GITHUB_STEP_SUMMARY")
    if not where:
        return
    path = Path(where)
    used = path.stat().st_size if path.exists() else 0
    text = shortened(markdown.rstrip("\n") + "\n\n", SUMMARY_LIMIT - used, lang)
    if text:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


def shortened(markdown: str, room: int, lang: str = "en") -> str:
    """Whole lines of a text that fit into `room` bytes, with a note where some did not."""
    if len(markdown.encode()) <= room:
        return markdown
    note = f"\n{catalogue(lang)['ci.cut']}\n"
    room -= len(note.encode())
    kept: list[str] = []
    for line in markdown.splitlines(keepends=True):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return "".join(kept) + note if kept else ""


def in_repository(file: str, base: Path) -> str:
    """A path as GitHub's pages name it: relative to the repository's root."""
    full = Path(os.path.normpath(base / file))
    root = os.environ.get("GITHUB_WORKSPACE")
    for folder in (root, str(base)):
        if folder and full.is_relative_to(folder):
            return full.relative_to(folder).as_posix()
    return full.as_posix()


def cell(text: str) -> str:
    """A text inside a table's cell of Markdown: no bar, no line break, no markup of its own."""
    clean = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    for mark in "`*_[]":
        clean = clean.replace(mark, f"\\{mark}")
    return " ".join(clean.split())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
