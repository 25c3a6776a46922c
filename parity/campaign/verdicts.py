"""What judging one case comes to, before it is an answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from parity.campaign.case import Alarm, CampaignCase, Side
from parity.certify.certificate import Finding
from parity.errors import UsageError
from parity.render.texts.message import Message

SIDES: dict[str, Side] = {"reference": "reference", "torch": "pytorch"}


class NotAskedError(Exception):
    """The case cannot be asked here; the text says why: PyTorch lacks the operation, or refuses it."""


@dataclass(frozen=True)
class CaseVerdict:
    """Numbers compared, those of them undecided, the largest accepted share of a bound, and the alarms."""

    numbers: int
    undecided: int
    shares: Iterable[tuple[float, str]]
    alarms: tuple[Alarm, ...] = ()
    skipped: str | None = None

    @property
    def worst(self) -> tuple[float, str]:
        """The largest share, and where it was."""
        return max(self.shares, default=(0.0, ""))


def alarm_of(side: str, finding: Finding, operation: str = "") -> Alarm:
    """An equation that a side's numbers do not satisfy."""
    worst = finding.worst
    return Alarm(
        side=SIDES[side],
        formula=finding.equation.formula.name,
        operation=operation,
        tensor=finding.equation.makes,
        index=tuple(map(int, worst.index)) if worst else None,
        found=float(worst.observed) if worst else None,
        expected=float(worst.expected) if worst else None,
        bound=float(worst.bound) if worst else None,
        message=str(finding.complaint or ""),
        finding=None,
    )


def refused(case: CampaignCase, key: str, value: object) -> UsageError:
    """The error for a case that names what there is not."""
    return UsageError(Message("case_value", case=case.kind, key=key, value=repr(value)))
