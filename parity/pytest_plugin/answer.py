"""What came of a comparison: how it is kept, and how it fails a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from parity.pytest_plugin.context import Context
from parity.render.files import write_folder
from parity.render.texts import catalogue
from parity.report.ci.facts import Compared

if TYPE_CHECKING:
    from parity.render.outcome import Outcome

R = TypeVar("R")


class ParityError(AssertionError):
    """A comparison that does not hold, or that could not be made; its text is written for people."""


@dataclass(frozen=True)
class Answer(Generic[R]):
    """A result, its facts, and where it fails the test: why, and what was raised on the way."""

    result: R
    compared: Compared
    failure: str | None = None
    cause: BaseException | None = None


def failure_text(context: Context, lines: Sequence[str], command: str | None) -> str:
    """What a person reads: what is wrong, and the commands that show it again."""
    say = catalogue(context.lang)
    again = [say["plugin.again"].format(command=context.command)]
    if command:
        again.append(say["plugin.outside"].format(command=command))
    return "\n".join([*lines, *again])


def keep(context: Context, kind: str, number: int, found: Outcome) -> Path | None:
    """Write `result.json` into a folder of its own, if a report was asked for; the path of the folder."""
    folder = context.report_folder(kind, number)
    if folder:
        write_folder(folder, {"result.json": found.to_json()})
    return folder
