"""All answers of a campaign's folder as one result; nothing is held but the sums."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import get_args

from parity.campaign.case import Alarm, CampaignAnswer, Side
from parity.campaign.result import (
    AlarmGroup,
    CampaignEnvironment,
    CampaignResult,
    CampaignRow,
    CampaignVerdict,
    SetAside,
)
from parity.campaign.store import CampaignFolder

SIDES: tuple[Side, ...] = get_args(Side)
LIMITED = {"seconds", "memory"}
"""How a try ends that only reached a limit."""


@dataclass
class _Sums:
    """What is known of the cases of one name, format and regime."""

    cases: int = 0
    numbers: int = 0
    undecided: int = 0
    worst_share: float = 0.0
    worst_where: str = ""
    worst_case: str = ""
    alarms: int = 0
    skipped: int = 0

    def add(self, answer: CampaignAnswer) -> None:
        self.cases += 1
        self.numbers += answer.numbers
        self.undecided += answer.undecided
        self.alarms += bool(answer.alarms)
        self.skipped += answer.skipped is not None
        if not self.worst_case or _larger(answer.worst_share, self.worst_share):
            self.worst_share, self.worst_where = answer.worst_share, answer.worst_where
            self.worst_case = answer.digest


@dataclass
class _Cause:
    """Alarms of one cause: the first of them, and how many cases raised it where."""

    answer: CampaignAnswer
    alarm: Alarm
    cases: int = 0
    formats: set[str] = field(default_factory=set)
    regimes: set[str] = field(default_factory=set)


def summarised(folder: CampaignFolder) -> CampaignResult:
    """What all answers say together. Raises UsageError for a folder that was tampered with."""
    rows: dict[tuple[str, ...], _Sums] = {}
    causes: dict[tuple[str, ...], _Cause] = {}
    alarms, unlisted, skipped, environments = (
        Counter[Side](),
        Counter[Side](),
        Counter[str](),
        Counter[str](),
    )
    seconds = 0.0
    for answer, environment in folder.answers():
        seconds += answer.seconds
        environments[environment] += 1
        if answer.skipped is not None:
            skipped[answer.skipped] += 1
        rows.setdefault((answer.kind, answer.name, answer.format, answer.regime), _Sums()).add(answer)
        alarms.update({alarm.side for alarm in answer.alarms})
        unlisted.update({alarm.side for alarm in answer.alarms if alarm.finding is None})
        for key, alarm in {_key(answer, alarm): alarm for alarm in reversed(answer.alarms)}.items():
            cause = causes.setdefault(key, _Cause(answer, alarm))
            cause.cases += 1
            cause.formats.add(answer.format)
            cause.regimes.add(answer.regime)
    aside = [
        SetAside(
            case=one.digest,
            kind=one.kind,
            name=one.name,
            format=one.format,
            regime=one.regime,
            endings=one.endings,
            limited=LIMITED.issuperset(one.endings),
            command=command(folder, one.digest),
        )
        for one in folder.aside()
    ]
    numbers, undecided = (
        sum(getattr(sums, what) for sums in rows.values()) for what in ("numbers", "undecided")
    )
    return CampaignResult(
        verdict=_verdict(unlisted, aside, numbers - undecided),
        cases=sum(environments.values()) + len(aside),
        numbers=numbers,
        undecided=undecided,
        alarms={side: alarms[side] for side in SIDES},
        not_listed={side: unlisted[side] for side in SIDES},
        groups=[_group(folder, key, cause) for key, cause in sorted(causes.items(), key=_order)],
        rows=[_row(key, sums) for key, sums in sorted(rows.items())],
        skipped=dict(sorted(skipped.items())),
        set_aside=aside,
        environments=[
            CampaignEnvironment(environment=name, cases=count, facts=folder.environments.get(name, {}))
            for name, count in sorted(environments.items())
        ],
        seconds=round(seconds, 1),
    )


def command(folder: CampaignFolder, digest: str) -> str:
    """The command line that asks one case alone."""
    return shlex.join(["parity", "campaign", "--case", str(folder.path / "cases" / f"{digest}.toml")])


def unshrunk(folder: CampaignFolder) -> dict[str, tuple[CampaignAnswer, Alarm]]:
    """By cause, an alarm of each of which no smallest case was looked for yet."""
    found: dict[str, tuple[CampaignAnswer, Alarm]] = {}
    for answer, _ in folder.answers():
        for alarm in answer.alarms:
            found.setdefault(_named(_key(answer, alarm)), (answer, alarm))
    return {cause: first for cause, first in found.items() if folder.smallest(cause) is None}


def _key(answer: CampaignAnswer, alarm: Alarm) -> tuple[str, ...]:
    """What alarms of one cause have in common; a known deviation may be met in several formats."""
    where = (alarm.side, answer.kind, answer.name, alarm.formula, alarm.operation)
    return (*where, "" if alarm.finding else answer.format, alarm.finding or "")


def _named(key: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]


def _order(item: tuple[tuple[str, ...], _Cause]) -> tuple[bool, tuple[str, ...]]:
    """What is not listed comes first."""
    return item[1].alarm.finding is not None, item[0]


def _larger(one: float, other: float) -> bool:
    return math.isnan(one) or one > other


def _verdict(unlisted: Mapping[Side, int], aside: list[SetAside], decided: int) -> CampaignVerdict:
    if unlisted["reference"] or unlisted["pytorch"]:
        return "mismatch"
    if unlisted["verifier"] or not all(one.limited for one in aside):
        return "fault"
    return "match" if decided else "undecided"


def _group(folder: CampaignFolder, key: tuple[str, ...], cause: _Cause) -> AlarmGroup:
    answer, alarm = cause.answer, cause.alarm
    small = folder.smallest(_named(key))
    return AlarmGroup(
        side=alarm.side,
        kind=answer.kind,
        name=answer.name,
        formats=sorted(cause.formats),
        formula=alarm.formula,
        operation=alarm.operation,
        tensor=alarm.tensor,
        finding=alarm.finding,
        cases=cause.cases,
        regimes=sorted(cause.regimes),
        index=None if alarm.index is None else list(alarm.index),
        found=alarm.found,
        expected=alarm.expected,
        bound=alarm.bound,
        message=alarm.message,
        case=answer.digest,
        smallest=None if small is None else small.digest,
        torch=None if small is None else small.torch,
        command=command(folder, answer.digest if small is None else small.digest),
    )


def _row(key: tuple[str, ...], sums: _Sums) -> CampaignRow:
    kind, name, number_format, regime = key
    return CampaignRow(kind=kind, name=name, format=number_format, regime=regime, **asdict(sums))
