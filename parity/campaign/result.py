"""What a campaign found: the schema `parity-campaign/1`, and the exit code that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from parity.campaign.case import CampaignAnswer, Side
from parity.lockstep.result import (
    EXIT_FAULT,
    EXIT_MATCH,
    EXIT_MISMATCH,
    EXIT_NOTHING,
    Fact,
    Found,
    ResultPart,
)

if TYPE_CHECKING:
    from rich.console import Console


CampaignVerdict: TypeAlias = Literal["match", "mismatch", "fault", "undecided"]


def answer_code(answer: CampaignAnswer) -> int:
    """The exit code of one case alone."""
    sides = {alarm.side for alarm in answer.alarms if alarm.finding is None}
    if sides:
        return EXIT_FAULT if sides == {"verifier"} else EXIT_MISMATCH
    return EXIT_MATCH if answer.numbers > answer.undecided else EXIT_NOTHING


class AlarmGroup(ResultPart):
    """Alarms of one cause: the same side, name, formula and finding, or else format; the first of them."""

    side: Side
    kind: str
    name: str
    formats: list[str]
    formula: str
    operation: str
    tensor: str
    finding: str | None = Field(description="the known deviation that explains it, or null")
    cases: int = Field(description="that raised it")
    regimes: list[str]
    index: list[int] | None
    found: float | None
    expected: float | None
    bound: float | None
    message: str
    case: str = Field(description="digest of the first such case")
    smallest: str | None = Field(description="digest of the smallest case that still fails")
    torch: str | None = Field(description="lines of torch that show it")
    command: str = Field(description="what asks the smallest such case again")


class CampaignRow(ResultPart):
    """All cases of one name in one format and regime."""

    kind: str
    name: str
    format: str
    regime: str
    cases: int
    numbers: int
    undecided: int
    worst_share: float = Field(description="the largest share of its bound that a number used")
    worst_where: str
    worst_case: str = Field(description="its digest")
    alarms: int
    skipped: int = Field(description="cases that could not be asked, as of a missing operation")


class SetAside(ResultPart):
    """A case without an answer: each of its tries took too long, too much memory, or ended its process."""

    case: str
    kind: str
    name: str
    format: str
    regime: str
    endings: list[str]
    limited: bool = Field(description="true when every try only reached a limit")
    command: str


class CampaignEnvironment(ResultPart):
    """What some of the answers were computed with."""

    environment: str
    cases: int
    facts: dict[str, Fact]


class CampaignResult(Found):
    """What all answers of a folder say together."""

    schema_name: Literal["parity-campaign/1"] = Field(default="parity-campaign/1", alias="schema")
    verdict: CampaignVerdict
    cases: int
    numbers: int
    undecided: int
    alarms: dict[Side, int] = Field(description="cases that raised one, by side")
    not_listed: dict[Side, int] = Field(description="those of them that no known finding explains")
    groups: list[AlarmGroup]
    rows: list[CampaignRow]
    skipped: dict[str, int] = Field(description="cases that could not be asked, by reason")
    set_aside: list[SetAside]
    environments: list[CampaignEnvironment]
    seconds: float = Field(description="of judging, all processes together")

    @property
    def exit_code(self) -> int:
        """0 no alarm or only listed ones, 1 another, 4 our own fault, 5 no number was decided."""
        codes = {"match": EXIT_MATCH, "mismatch": EXIT_MISMATCH, "fault": EXIT_FAULT}
        return codes.get(self.verdict, EXIT_NOTHING)

    def show(self, out: Console, lang: str = "en") -> None:
        """The table by kind, the worst shares, and every alarm with its command."""
        from parity.campaign.text import show_campaign

        show_campaign(self, out, lang)
