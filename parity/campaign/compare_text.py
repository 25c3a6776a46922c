"""What a person sees of two campaigns side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from parity.campaign.text import counted, share
from parity.render.texts import catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from parity.campaign.compare import CampaignComparison, ComparedRow
    from parity.lockstep.result import Fact

STYLES = {"match": "green", "mismatch": "bold red", "undecided": "yellow"}
MOST = 20
"""Rows and cases that the terminal shows."""


def show_comparison(found: CampaignComparison, out: Console, lang: str) -> None:
    """Differing facts, the shares that differ most, the cases told otherwise, the verdict."""
    say = catalogue(lang)
    facts = Table()
    for head in ("fact", "a", "b"):
        facts.add_column(say[f"compare.{head}"], overflow="fold")
    for fact in found.facts:
        facts.add_row(fact.fact, facts_of(fact.a), facts_of(fact.b))
    if found.facts:
        out.print(facts)
    rows = differing(found)[:MOST]
    if rows:
        shares = Table(title=say["compare.shares"], title_justify="left")
        for key in ("campaign.name", "campaign.format", "campaign.regime", "compare.a", "compare.b"):
            shares.add_column(say[key], justify="right" if key.startswith("compare") else "left")
        for row in rows:
            shares.add_row(
                row.name, row.format, row.regime, share(row.worst_a, say), share(row.worst_b, say)
            )
        out.print(shares)
    for line in changed_lines(found, say):
        out.print(line, style="bold red", markup=False, soft_wrap=True)
    for line in verdict_lines(found, say):
        out.print(line, style=STYLES[found.verdict], markup=False, soft_wrap=True)


def differing(found: CampaignComparison) -> list[ComparedRow]:
    """The rows whose shares differ, those that differ most first."""
    rows = [row for row in found.rows if row.worst_a != row.worst_b]
    return sorted(rows, key=lambda row: -abs(row.worst_a - row.worst_b))


def facts_of(facts: list[Fact]) -> str:
    """One fact, or several of several environments."""
    return ", ".join("–" if fact is None else str(fact) for fact in facts)


def changed_lines(found: CampaignComparison, say: Mapping[str, str]) -> Iterator[str]:
    """The cases of which the two say different things, each with its command."""
    for one in found.changed[:MOST]:
        facts = {name: getattr(one, name) for name in ("kind", "name", "format", "regime", "a", "b")}
        yield say["compare.changed"].format(**facts)
        yield f"  {one.command}"
    if len(found.changed) > MOST:
        yield say["compare.more"].format(count=counted(len(found.changed) - MOST, say))


def verdict_lines(found: CampaignComparison, say: Mapping[str, str]) -> Iterator[str]:
    """How much was compared, and whether both say the same."""
    counts = {name: counted(getattr(found, name), say) for name in ("cases", "numbers", "only_a", "only_b")}
    yield say["compare.counted"].format(a=found.a, b=found.b, **counts)
    yield say[f"compare.verdict_{found.verdict}"]


def comparison_markdown(found: CampaignComparison, lang: str) -> str:
    """The same as Markdown: facts, every row that differs, every case told otherwise."""
    return "\n".join(_lines(found, catalogue(lang))) + "\n"


def _lines(found: CampaignComparison, say: Mapping[str, str]) -> Iterator[str]:
    yield f"# {say['campaign.compare_title']}"
    yield ""
    yield from (f"{line}  " for line in verdict_lines(found, say))
    yield ""
    yield f"| {say['compare.fact']} | {say['compare.a']} | {say['compare.b']} |"
    yield "|---|---|---|"
    for fact in found.facts:
        yield f"| {fact.fact} | {facts_of(fact.a)} | {facts_of(fact.b)} |"
    yield ""
    heads = ("campaign.kind", "campaign.name", "campaign.format", "campaign.regime", "campaign.cases")
    yield "| " + " | ".join(say[head] for head in (*heads, "compare.a", "compare.b")) + " |"
    yield "|" + "---|" * 7
    for row in differing(found):
        told = (say[f"campaign.kind_{row.kind}"], f"`{row.name}`", row.format, row.regime)
        shares = (counted(row.cases, say), share(row.worst_a, say), share(row.worst_b, say))
        yield "| " + " | ".join((*told, *shares)) + " |"
    yield ""
    yield from (f"* `{line.strip()}`" for line in changed_lines(found, say))
