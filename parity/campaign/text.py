"""What a person sees of a campaign: a line for each kind, the worst shares, and every alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from parity.errors import quoted
from parity.render.numbers import written
from parity.render.texts import catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from parity.campaign.case import Alarm, CampaignAnswer
    from parity.campaign.result import AlarmGroup, CampaignResult, CampaignRow, SetAside

STYLES = {"match": "green", "mismatch": "bold red", "fault": "bold red", "undecided": "yellow"}
WORST = 8
"""Rows of the largest shares that the terminal shows."""


def show_campaign(result: CampaignResult, out: Console, lang: str) -> None:
    """The tables, what has no answer, the alarms, the verdict."""
    say = catalogue(lang)
    out.print(_kinds(result, say))
    worst = largest(result.rows)
    if worst:
        out.print(_worst(worst, say))
    for line in note_lines(result, lang):
        out.print(line, markup=False, soft_wrap=True)
    for group in result.groups:
        style = "yellow" if group.finding else "bold red"
        for line in alarm_lines(group, lang):
            out.print(line, style=style, markup=False, soft_wrap=True)
    for line in verdict_lines(result, lang):
        out.print(line, style=STYLES[result.verdict], markup=False, soft_wrap=True)


def largest(rows: Sequence[CampaignRow], most: int = WORST) -> list[CampaignRow]:
    """Those without an alarm of the largest shares of their bounds."""
    held = [row for row in rows if not row.alarms and row.worst_share > 0]
    return sorted(held, key=lambda row: -row.worst_share)[:most]


def by_kind(result: CampaignResult) -> dict[str, list[CampaignRow]]:
    """The rows of each kind."""
    found: dict[str, list[CampaignRow]] = {}
    for row in result.rows:
        found.setdefault(row.kind, []).append(row)
    return found


REASONS = 5
"""Reasons for which cases were not asked that the terminal shows, those of most cases first."""

LONG = 120
"""Characters of such a reason."""


@dataclass(frozen=True)
class RowSums:
    """What rows say together; the worst share is that of rows without an alarm."""

    cases: int
    numbers: int
    undecided: int
    worst: float
    alarms: int
    skipped: int


def summed(rows: Sequence[CampaignRow]) -> RowSums:
    """Rows as one."""
    added = {
        name: sum(getattr(row, name) for row in rows)
        for name in ("cases", "numbers", "undecided", "alarms", "skipped")
    }
    worst = max((row.worst_share for row in rows if not row.alarms), default=0.0)
    return RowSums(worst=worst, **added)


def counted(value: int, say: Mapping[str, str]) -> str:
    """A count, with thousands as the language separates them."""
    return written(f"{value:,}", say)


def share(value: float, say: Mapping[str, str]) -> str:
    """A share of a bound."""
    return written(f"{value:.3g}", say)


def note_lines(result: CampaignResult, lang: str) -> Iterator[str]:
    """What was not asked or has no answer, and what it was computed with."""
    say = catalogue(lang)
    reasons = sorted(result.skipped.items(), key=lambda item: -item[1])
    for reason, count in reasons[:REASONS]:
        yield say["campaign.skipped"].format(count=counted(count, say), reason=quoted(reason, LONG))
    if len(reasons) > REASONS:
        left = counted(sum(count for _, count in reasons[REASONS:]), say)
        yield say["campaign.skipped_more"].format(reasons=counted(len(reasons) - REASONS, say), count=left)
    for one in result.set_aside:
        yield aside_line(one, lang)
    for environment in result.environments:
        facts = environment.facts
        yield say["campaign.computed"].format(
            count=counted(environment.cases, say),
            **{name: facts.get(name) for name in ("torch", "numpy", "blas_kernel", "processor")},
        )


def aside_line(one: SetAside, lang: str) -> str:
    """A case without an answer, why, and what asks it alone."""
    say = catalogue(lang)
    endings = "; ".join(say.get(f"campaign.ended_{ending}", ending) for ending in one.endings)
    facts = {name: getattr(one, name) for name in ("kind", "name", "format", "regime", "command")}
    return say["campaign.aside"].format(**facts, endings=endings)


def alarm_lines(group: AlarmGroup, lang: str) -> Iterator[str]:
    """Who deviates where, by how much, how often, why if that is known, and what shows it."""
    say = catalogue(lang)
    key = "listed" if group.finding else "alarm"
    named, formats = ", ".join(filter(None, (group.formula, group.operation))), ", ".join(group.formats)
    yield say[f"campaign.{key}"].format(
        side=say[f"campaign.side_{group.side}"],
        finding=group.finding,
        what=f"{group.name} ({formats}): {named} {_tensor(group)}".rstrip(),
        cases=counted(group.cases, say),
        regimes=", ".join(group.regimes),
    )
    yield from (f"  {line}" for line in _told(group, say))
    yield f"  {group.command}"
    yield from (f"    {line}" for line in (group.torch or "").splitlines())


def numbers_line(one: Alarm | AlarmGroup, say: Mapping[str, str]) -> str:
    """Both numbers, with every digit, and the bound."""
    return say["campaign.numbers"].format(found=one.found, expected=one.expected, bound=one.bound)


def _told(one: Alarm | AlarmGroup, say: Mapping[str, str]) -> Iterator[str]:
    if None not in (one.found, one.expected, one.bound):
        yield numbers_line(one, say)
    if one.message:
        yield one.message


def _tensor(one: Alarm | AlarmGroup) -> str:
    return one.tensor + (f"[{','.join(map(str, one.index))}]" if one.index else "")


def verdict_lines(result: CampaignResult, lang: str) -> Iterator[str]:
    """How many numbers were compared in how many cases, the alarms, and the verdict."""
    say = catalogue(lang)
    counts = {"cases": result.cases, "numbers": result.numbers, "undecided": result.undecided}
    yield say["campaign.counted"].format(**{name: counted(n, say) for name, n in counts.items()})
    told = {side: counted(result.alarms[side], say) for side in result.alarms}
    unlisted = counted(sum(result.not_listed.values()), say)
    yield say["campaign.alarms"].format(**told, unlisted=unlisted)
    yield say[f"campaign.verdict_{result.verdict}"]


def _kinds(result: CampaignResult, say: Mapping[str, str]) -> Table:
    table = Table()
    for head in ("kind", "cases", "numbers_head", "undecided", "worst", "alarms_head"):
        table.add_column(say[f"campaign.{head}"], justify="left" if head == "kind" else "right")
    for kind, rows in by_kind(result).items():
        found = summed(rows)
        told = (counted(count, say) for count in (found.cases, found.numbers, found.undecided))
        worst, alarms = share(found.worst, say), counted(found.alarms, say)
        table.add_row(say[f"campaign.kind_{kind}"], *told, worst, alarms)
    return table


def _worst(rows: list[CampaignRow], say: Mapping[str, str]) -> Table:
    table = Table(title=say["campaign.worst_title"], title_justify="left")
    for head in ("name", "format", "regime", "worst", "where"):
        right = head == "worst"
        table.add_column(say[f"campaign.{head}"], justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(row.name, row.format, row.regime, share(row.worst_share, say), Text(row.worst_where))
    return table


def answer_lines(answer: CampaignAnswer, lang: str) -> Iterator[tuple[str, str]]:
    """What one case alone says, line by line, each with its style."""
    say = catalogue(lang)
    facts = {name: getattr(answer, name) for name in ("kind", "name", "format", "regime")}
    if answer.skipped is not None:
        yield say["campaign.alone_skipped"].format(**facts, reason=answer.skipped), "yellow"
        return
    yield (
        say["campaign.alone"].format(
            **facts,
            numbers=counted(answer.numbers, say),
            undecided=counted(answer.undecided, say),
            share=share(answer.worst_share, say),
            where=answer.worst_where,
        ),
        "",
    )
    for alarm in answer.alarms:
        named = ", ".join(filter(None, (alarm.formula, alarm.operation)))
        style = "yellow" if alarm.finding else "bold red"
        yield (
            say[f"campaign.{'listed' if alarm.finding else 'alarm'}_alone"].format(
                side=say[f"campaign.side_{alarm.side}"],
                finding=alarm.finding,
                what=f"{named} {_tensor(alarm)}".strip(),
            ),
            style,
        )
        yield from ((f"  {line}", style) for line in _told(alarm, say))
