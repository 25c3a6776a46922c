"""What came of a comparison, before it fails or passes a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from parity.pytest_plugin.context import Context
from parity.render.texts import catalogue
from parity.report.ci.facts import Compared

R = TypeVar("R")


@dataclass(frozen=True)
class Answer(Generic[R]):
    """A result, its facts, and where it fails the test: why, and what was raised on the way."""

    result: R
    compared: Compared
    failure: str | None = None
    cause: BaseException | None = None


def failure_text(place: Context, lines: Sequence[str], command: str | None) -> str:
    """What a person reads: what is wrong, and the commands that show it again."""
    say = catalogue(place.lang)
    again = [say["plugin.again"].format(command=place.command)]
    if command:
        again.append(say["plugin.outside"].format(command=command))
    return "\n".join([*lines, *again])
