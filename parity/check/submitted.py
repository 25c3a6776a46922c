"""A submission that was checked: what its check found, or why it found nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from parity.check.diagnosis.text import Diagnosed
from parity.lockstep.result import Result
from parity.render.texts.message import Message


class Judged(Protocol):
    """What is told of a submission that was judged."""

    @property
    def result(self) -> Result: ...

    @property
    def wrong(self) -> tuple[Diagnosed, ...]: ...

    @property
    def failures(self) -> tuple[Message, ...]: ...


@dataclass(frozen=True)
class JudgedSubmission:
    """That alone, as it comes back from another process."""

    result: Result
    wrong: tuple[Diagnosed, ...]
    failures: tuple[Message, ...]


Submitted: TypeAlias = "Judged | str"
"""What a check found, or in one line why it found nothing."""


def result_of(outcome: Submitted) -> Result | None:
    """The result, of a submission that has one."""
    return None if isinstance(outcome, str) else outcome.result
