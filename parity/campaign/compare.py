"""Two folders of answers side by side, case by case: two versions, two kernels, two machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from parity.campaign.case import CampaignAnswer
from parity.campaign.store import CampaignFolder
from parity.campaign.summary import command
from parity.errors import UsageError
from parity.lockstep.result import Fact, Found, ResultPart
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from rich.console import Console


class ComparedFact(ResultPart):
    """A fact of the environment in which the two differ."""

    fact: str
    a: list[Fact]
    b: list[Fact]


class ComparedRow(ResultPart):
    """The cases of one name, format and regime that both have asked."""

    kind: str
    name: str
    format: str
    regime: str
    cases: int
    worst_a: float
    worst_b: float
    alarms_a: int
    alarms_b: int


class OtherVerdict(ResultPart):
    """A case of which the two say different things."""

    case: str
    kind: str
    name: str
    format: str
    regime: str
    a: str
    b: str
    command: str


class CampaignComparison(Found):
    """Two campaigns, by the cases that both have asked."""

    schema_name: Literal["parity-compare/1"] = Field(default="parity-compare/1", alias="schema")
    verdict: Literal["match", "mismatch", "undecided"] = Field(
        description="match: both say the same of every case; undecided: no case was asked by both"
    )
    a: str
    b: str
    cases: int = Field(description="that both have asked")
    numbers: int
    only_a: int
    only_b: int
    facts: list[ComparedFact]
    rows: list[ComparedRow]
    changed: list[OtherVerdict]

    def show(self, out: Console, lang: str = "en") -> None:
        """What differs in the environments, in shares and in what is said."""
        from parity.campaign.compare_text import show_comparison

        show_comparison(self, out, lang)


@dataclass(slots=True)
class _Held:
    """What of an answer is compared."""

    said: str
    share: float
    alarms: bool


def compare(a: Path, b: Path) -> CampaignComparison:
    """Both folders side by side. Raises UsageError for one that holds no campaign."""
    one, other = _opened(a), _opened(b)
    held = {answer.digest: _of(answer) for answer, _ in one.answers()}
    rows: dict[tuple[str, str, str, str], ComparedRow] = {}
    changed: list[OtherVerdict] = []
    counts = Counter[str]()
    for answer, _ in other.answers():
        before, now = held.get(answer.digest), _of(answer)
        if before is None:
            counts["only_b"] += 1
            continue
        counts["cases"] += 1
        counts["numbers"] += answer.numbers
        key = (answer.kind, answer.name, answer.format, answer.regime)
        rows[key] = _added(rows.get(key), key, before, now)
        if before.said != now.said:
            named = dict(zip(("kind", "name", "format", "regime"), key, strict=True))
            asks = command(other, answer.digest)
            changed.append(
                OtherVerdict(case=answer.digest, a=before.said, b=now.said, command=asks, **named)
            )
    verdict: Literal["match", "mismatch", "undecided"] = "mismatch" if changed else "match"
    return CampaignComparison(
        verdict=verdict if counts["cases"] else "undecided",
        a=str(a),
        b=str(b),
        cases=counts["cases"],
        numbers=counts["numbers"],
        only_a=len(held) - counts["cases"],
        only_b=counts["only_b"],
        facts=list(_facts(one, other)),
        rows=[row for _, row in sorted(rows.items())],
        changed=changed,
    )


def _opened(folder: Path) -> CampaignFolder:
    if not folder.is_dir():
        raise UsageError(Message("campaign_not_there", folder=folder))
    return CampaignFolder(folder)


def _of(answer: CampaignAnswer) -> _Held:
    return _Held(_said(answer), answer.worst_share, bool(answer.alarms))


def _said(answer: CampaignAnswer) -> str:
    """What an answer says in short: its verdict, and whose formulas are wrong by which finding."""
    if answer.skipped is not None:
        return "skipped"
    wrong = sorted({f"{one.side} {one.formula} {one.finding or ''}".strip() for one in answer.alarms})
    return f"{answer.verdict}: {'; '.join(wrong)}" if wrong else answer.verdict


def _added(
    row: ComparedRow | None, key: tuple[str, str, str, str], before: _Held, now: _Held
) -> ComparedRow:
    kind, name, number_format, regime = key
    return ComparedRow(
        kind=kind,
        name=name,
        format=number_format,
        regime=regime,
        cases=1 + (row.cases if row else 0),
        worst_a=max(before.share, row.worst_a if row else 0.0),
        worst_b=max(now.share, row.worst_b if row else 0.0),
        alarms_a=before.alarms + (row.alarms_a if row else 0),
        alarms_b=now.alarms + (row.alarms_b if row else 0),
    )


def _facts(one: CampaignFolder, other: CampaignFolder) -> Iterator[ComparedFact]:
    """The facts that are not the same; each folder may have several of one."""
    environments = [*one.environments.values()], [*other.environments.values()]
    names = dict.fromkeys(name for found in environments for facts in found for name in facts)
    for name in names:
        a, b = (list(dict.fromkeys(facts.get(name) for facts in found)) for found in environments)
        if a != b:
            yield ComparedFact(fact=name, a=a, b=b)
