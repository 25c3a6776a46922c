"""The page of a campaign, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from parity.campaign.result import AlarmGroup, CampaignResult, CampaignRow
from parity.campaign.text import (
    alarm_lines,
    aside_line,
    by_kind,
    counted,
    largest,
    note_lines,
    numbers_line,
    share,
    summed,
    verdict_lines,
)
from parity.render.files import write_folder
from parity.render.texts import LANGUAGES, catalogue
from parity.report.bilingual import bilingual, one, say
from parity.report.page import framed

LARGEST = 12
"""Rows of the largest shares that Markdown shows of each kind."""


@dataclass(frozen=True)
class ShareMatrix:
    """The rows of one kind by name and format, and the regimes that are its columns."""

    regimes: list[str]
    rows: Mapping[tuple[str, str], Mapping[str, CampaignRow]]


def write(result: CampaignResult, folder: Path, lang: str = "en") -> list[Path]:
    """Write `index.html` and `summary.json` into `folder`. Raises UsageError."""
    return write_folder(folder, {"index.html": html(result, lang), "summary.json": result.to_json()})


def html(result: CampaignResult, lang: str) -> str:
    """The page: the verdict, every alarm with its command, the worst shares, the environments."""
    aside = [
        bilingual({code: Markup.escape(aside_line(one, code)) for code in LANGUAGES})
        for one in result.set_aside
    ]
    kinds = by_kind(result)
    return framed(
        "campaign.html",
        lang,
        {code: one("campaign.title", code) for code in LANGUAGES},
        ("lesson.css", "watch.css", "campaign.css"),
        result=result,
        kinds={kind: summed(rows) for kind, rows in kinds.items()},
        matrices={kind: _matrix(rows) for kind, rows in kinds.items()},
        aside=aside,
        number=lambda value: say("held.number", number=value),
        numbers=_numbers,
    )


def _numbers(group: AlarmGroup) -> Markup:
    """Both numbers of an alarm, with every digit, and the bound."""
    return bilingual({code: Markup.escape(numbers_line(group, catalogue(code))) for code in LANGUAGES})


def _matrix(rows: list[CampaignRow]) -> ShareMatrix:
    found: dict[tuple[str, str], dict[str, CampaignRow]] = {}
    for row in rows:
        found.setdefault((row.name, row.format), {})[row.regime] = row
    return ShareMatrix(list(dict.fromkeys(row.regime for row in rows)), found)


# --- Markdown ---------------------------------------------------------------------------------------------


def markdown(result: CampaignResult, lang: str = "en", command: str = "") -> str:
    """Counts by kind and format, the largest shares, every alarm, and what it was computed with."""
    return "\n".join(_lines(result, lang, command, catalogue(lang))) + "\n"


def _lines(result: CampaignResult, lang: str, command: str, say: Mapping[str, str]) -> Iterator[str]:
    yield f"# {say['campaign.title']}"
    yield ""
    yield say["campaign.lead"]
    if command:
        yield from ("", "```sh", command, "```")
    yield ""
    for line in verdict_lines(result, lang):
        yield f"{line}  "
    yield ""
    yield f"## {say['campaign.kinds_title']}"
    yield ""
    heads = ("kind", "format", "cases", "numbers_head", "undecided", "worst", "alarms_head")
    yield from _heads(heads, say)
    kinds = by_kind(result)
    for kind, rows in kinds.items():
        for number_format in dict.fromkeys(row.format for row in rows):
            yield _cells(_counts(kind, [row for row in rows if row.format == number_format], say))
    yield ""
    yield f"## {say['campaign.worst_title']}"
    yield ""
    yield from _heads(("kind", "name", "format", "regime", "numbers_head", "worst", "where"), say)
    for kind, rows in kinds.items():
        for row in largest(rows, LARGEST):
            told = (_kind(kind, say), f"`{row.name}`", row.format, row.regime, counted(row.numbers, say))
            yield _cells((*told, share(row.worst_share, say), row.worst_where))
    yield ""
    yield f"## {say['campaign.alarms_title']}"
    yield ""
    if not result.groups:
        yield say["campaign.alarms_none"]
    for group in result.groups:
        first, *rest = alarm_lines(group, lang)
        yield f"* {_cell(first)}"
        yield from ("", "  ```", *(f"  {line.strip()}" for line in rest), "  ```")
    yield ""
    yield f"## {say['campaign.environments_title']}"
    yield ""
    yield from (f"* {_cell(line)}" for line in note_lines(result, lang))


def _counts(kind: str, rows: list[CampaignRow], say: Mapping[str, str]) -> Iterator[str]:
    found = summed(rows)
    yield from (_kind(kind, say), rows[0].format)
    yield from (counted(count, say) for count in (found.cases, found.numbers, found.undecided))
    yield share(found.worst, say)
    yield counted(found.alarms, say)


def _kind(kind: str, say: Mapping[str, str]) -> str:
    return say[f"campaign.kind_{kind}"]


def _heads(heads: tuple[str, ...], say: Mapping[str, str]) -> Iterator[str]:
    yield _cells(say[f"campaign.{head}"] for head in heads)
    yield "|" + "---|" * len(heads)


def _cells(texts: Iterator[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_cell, texts)) + " |"


def _cell(text: str) -> str:
    """A text inside a table's cell: no bar, no line break, no markup of its own."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
