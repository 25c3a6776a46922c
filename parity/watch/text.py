"""What a person sees of a watched training: a table by module, worst first, and what is not certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from parity.render.console import WIDTH
from parity.render.notebook import html_of, paragraphs
from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.render.texts.message import said

if TYPE_CHECKING:
    from rich.console import Console

    from parity.watch.result import WatchedRow, WatchResult, WrongOperation

STYLES = {"match": "green", "mismatch": "bold red", "undecided": "yellow"}
DROPPED = ("source", "numbers", "operations", "resolution", "operand", "check")
"""Columns that a narrow terminal goes without, in this order."""
COLUMN = 12
"""Characters that a column needs, one with the other."""
MOST_LEFT = 12
"""Lines of what is not certified, before the rest is counted."""


def show_watched(result: WatchResult, out: Console, lang: str, *, every_row: bool = False) -> None:
    """The table, the counts, what is not certified, and the first wrong operation."""
    say = catalogue(lang)
    out.print((_rows if every_row else _modules)(result, say, out.width))
    out.print(say["watch.share"])
    facts = {
        "steps": written(f"{result.steps:,}", say),
        "operations": written(f"{result.operations:,}", say),
        "numbers": written(f"{result.numbers_compared:,}", say),
        "undecided": written(f"{result.undecided:,}", say),
        "part": written(f"{result.undecided / max(1, result.numbers_compared):.3%}", say),
        "certified": written(f"{result.coverage.certified:,}", say),
        "seen": written(f"{result.coverage.seen:,}", say),
    }
    out.print(say["watch.counted"].format(**facts))
    if result.sample < 1:
        out.print(say["watch.sampled"].format(share=written(f"{result.sample:.1%}", say)))
    if result.probed:
        out.print(say["watch.probed"].format(regions=written(f"{result.probed:,}", say)))
    vacuous = sum(row.vacuous for row in result.rows)
    if vacuous:
        out.print(say["watch.vacuous"].format(rows=written(f"{vacuous:,}", say)))
    for line in left_lines(result, say):
        out.print(line, style="yellow", markup=False)
    if result.accepted:
        out.print(say["watch.accepted"].format(names=", ".join(result.accepted)), style="yellow")
    if result.reason:
        out.print(said(result.reason, lang), style="yellow", markup=False)
    for line in (*note_lines(result, lang), *rank_lines(result, lang)):
        out.print(line, style="yellow", markup=False)
    if result.first_divergence:
        for line in first_lines(result, lang):
            out.print(line, style="bold red", markup=False)
    style = {"match": "bold green", "mismatch": "bold red"}.get(result.verdict, "bold yellow")
    out.print(verdict(result, lang), style=style)


def html_watched(result: WatchResult, lang: str = "en") -> str:
    """The findings and the table by module, as HTML for notebooks."""
    return paragraphs(finding_lines(result, lang)) + html_of(_modules(result, catalogue(lang), WIDTH))


def verdict(result: WatchResult, lang: str) -> str:
    """The verdict in a sentence."""
    say, coverage = catalogue(lang), result.coverage
    counts = {"steps": result.steps, "certified": coverage.certified, "seen": coverage.seen}
    shown = {name: written(f"{count:,}", say) for name, count in counts.items()}
    return say[f"watch.verdict_{result.verdict}"].format(**shown)


def finding_lines(result: WatchResult, lang: str) -> list[str]:
    """What a person needs to know of a training that does not match."""
    say = catalogue(lang)
    first = result.first_divergence
    lines = first_lines(result, lang) if first else left_lines(result, say)
    lines += [said(result.reason, lang)] if result.reason else []
    return [*lines, *note_lines(result, lang), verdict(result, lang)]


def note_lines(result: WatchResult, lang: str) -> list[str]:
    """What is no mismatch and may be a mistake, a line each."""
    say = catalogue(lang)["watch.note"]
    return [
        say.format(detail=said(note.detail, lang), where=f" ({note.source})" if note.source else "")
        for note in result.notes
    ]


def rank_lines(result: WatchResult, lang: str) -> list[str]:
    """What each other rank found of its own steps, a line each."""
    say = catalogue(lang)
    lines = []
    for one in result.ranks:
        facts = {"verdict": say[f"watch.{one.verdict}"], "numbers": f"{one.numbers_compared:,}"}
        line = say["watch.rank"].format(rank=one.rank, steps=one.steps, **facts)
        lines.append(f"{line} {said(one.reason, lang)}" if one.reason else line)
    return lines


def _modules(result: WatchResult, say: Mapping[str, str], width: int) -> Table:
    """A line for each module: its operations together, the worst module first."""
    found: dict[str, list[WatchedRow]] = {}
    for row in result.rows:
        found.setdefault(row.module, []).append(row)
    columns = _fitting(("module", "operations", "numbers", "share", "resolution", "verdict"), width)
    table = _table(say, *columns)
    for module, rows in sorted(found.items(), key=lambda entry: _gravity(entry[1])):
        operations = dict.fromkeys(row.operation for row in rows if row.check != "sum")
        told = {row.verdict for row in rows}
        worst = next(verdict for verdict in ("mismatch", "match", "undecided") if verdict in told)
        cells: dict[str, str | Text] = {
            "module": Text(module or say["watch.root"]),
            "operations": _few(list(operations)),
            "numbers": written(f"{sum(row.numbers for row in rows):,}", say),
            "share": written(f"{max(row.worst_ratio for row in rows):.3g}", say),
            "resolution": written(f"{_resolution(rows):.1e}", say),
            "verdict": f"[{STYLES[worst]}]{say[f'watch.{worst}']}[/]",
        }
        table.add_row(*(cells[column] for column in columns))
    return table


def _rows(result: WatchResult, say: Mapping[str, str], width: int) -> Table:
    """A line for each tensor of each operation, the worst first."""
    columns = _fitting(
        ("module", "operation", "check", "operand", "source", "numbers", "share", "resolution", "verdict"),
        width,
    )
    table = _table(say, *columns)
    for row in sorted(result.rows, key=lambda row: _gravity([row])):
        told = say["watch.is_vacuous"] if row.vacuous else say[f"watch.{row.verdict}"]
        cells: dict[str, str | Text] = {
            "module": Text(row.module or say["watch.root"]),
            "operation": Text(row.operation),
            "check": say[f"watch.check_{row.check}"],
            "operand": Text(row.operand),
            "source": Text(row.source),
            "numbers": written(f"{row.numbers:,}", say),
            "share": written(f"{row.worst_ratio:.3g}", say),
            "resolution": written(f"{row.resolution:.1e}", say),
            "verdict": f"[{STYLES[row.verdict]}]{told}[/]",
        }
        table.add_row(*(cells[column] for column in columns))
    return table


def _fitting(columns: Sequence[str], width: int) -> list[str]:
    """The columns for which a terminal has room; those that say least go first."""
    left = list(columns)
    for column in DROPPED:
        if len(left) * COLUMN > width and column in left:
            left.remove(column)
    return left


def _table(say: Mapping[str, str], *columns: str) -> Table:
    table = Table(title_justify="left")
    for column in columns:
        right = column in ("numbers", "share", "resolution")
        key = "share_column" if column == "share" else column
        table.add_column(say[f"watch.{key}"], justify="right" if right else "left", overflow="fold")
    return table


def _resolution(rows: Sequence[WatchedRow]) -> float:
    """The coarsest of the rows that could tell anything."""
    return max((row.resolution for row in rows if not row.vacuous), default=float("inf"))


def _gravity(rows: Sequence[WatchedRow]) -> tuple[bool, float]:
    return (not any(row.verdict == "mismatch" for row in rows), -max(row.worst_ratio for row in rows))


def _few(names: list[str], most: int = 5) -> str:
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def left_lines(result: WatchResult, say: Mapping[str, str]) -> list[str]:
    """One line for each kind of operation that is not certified, and where it first is."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for one in result.coverage.not_certified:
        source = f"({one.source})" if one.source and one.module else one.source
        where = " ".join(filter(None, (one.module, source)))
        found.setdefault((one.operation, one.kind), []).append((where, one.count))
    lines = []
    for (operation, kind), places in found.items():
        count = written(f"{sum(count for _, count in places):,}", say)
        facts = {"operation": said(operation, say["language.code"]), "where": places[0][0], "count": count}
        lines.append(say[f"watch.left_{kind}"].format(**facts))
    more = len(lines) - MOST_LEFT
    return lines if more <= 0 else [*lines[:MOST_LEFT], say["watch.left_more"].format(count=more)]


def first_lines(result: WatchResult, lang: str) -> list[str]:
    """The first wrong operation, its rank and the mistake where there are such."""
    say, first = catalogue(lang), result.first_divergence
    if first is None:
        return []
    lines, ranked = wrong_lines(first, len(result.wrong), say), first.on_rank
    if ranked is not None:
        lines.append(say["watch.on_rank"].format(rank=ranked.rank))
        if ranked.diagnosis is not None:
            lines.append(say["watch.likely"].format(detail=said(ranked.diagnosis.detail, lang)))
    return lines


def wrong_lines(first: WrongOperation, wrong: int, say: Mapping[str, str]) -> list[str]:
    """The first wrong operation: where it is, and its farthest number."""
    facts = first.model_dump() | {
        "module": first.module or say["watch.root"],
        "place": f"[{','.join(map(str, first.index))}]" if first.index else "",
        "check": say[f"watch.check_{first.check}"],
        "error": written(f"{first.error:.3g}", say),
        "bound": written(f"{first.bound:.3g}", say),
        "ratio": written(f"{first.ratio:.3g}", say),
        "wrong": written(f"{wrong:,}", say),
    }
    key = "numbers_of_first" if first.bound else "bits_of_first"
    return [say["watch.first"].format(**facts), say[f"watch.{key}"].format(**facts)]
