"""The page of a watched training: the model as a tree of modules that opens down to numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from markupsafe import Markup

from parity.render.files import write_folder
from parity.render.graph.drawing import DrawnGraph
from parity.render.graph.names import written
from parity.render.texts import LANGUAGES, catalogue
from parity.report.bilingual import bilingual, one
from parity.report.page import MAX_BYTES, framed, pictures
from parity.report.step_graph import drawn
from parity.report.watch_rows import (
    FormulaView,
    ModuleView,
    WatchedRowView,
    formulas_of,
    modules_of,
    rows_of,
)
from parity.watch.certifying import Witnessed
from parity.watch.drawing import GraphNode
from parity.watch.result import WatchResult
from parity.watch.text import finding_lines, verdict

SMALL = 20
"""Modules up to which all of them are open: there is nothing to get lost in."""


def with_page(result: WatchResult, witnessed: Witnessed) -> WatchResult:
    """The result, whose `report` writes its page."""
    return result.with_pages(lambda folder, lang: write(result, witnessed, folder, lang))


def write(result: WatchResult, witnessed: Witnessed, folder: Path, lang: str = "en") -> list[Path]:
    """Write `index.html`, `report.md` and `result.json` into `folder`, which is made where it is not.

    Raises UsageError for an unknown language or a folder that cannot be written to; nothing is
    written then.
    """
    texts = {
        "index.html": html(result, witnessed, lang),
        "report.md": markdown(result, lang),
        "result.json": result.to_json(),
    }
    return write_folder(folder, texts)


def html(result: WatchResult, witnessed: Witnessed, lang: str) -> str:
    """The page. A formula stands in each row; where that would be too much, once, at the end."""
    rows = rows_of(result, witnessed.evidence)
    page = _rendered(result, witnessed, rows, lang, apart=False)
    if len(page.encode()) > MAX_BYTES:
        page = _rendered(result, witnessed, rows, lang, apart=True)
    return page


def _rendered(
    result: WatchResult, witnessed: Witnessed, rows: list[WatchedRowView], lang: str, *, apart: bool
) -> str:
    tree = modules_of(rows)
    formulas: tuple[FormulaView, ...] = formulas_of(rows) if apart else ()
    first = result.first_divergence
    return framed(
        "watch.html",
        lang,
        {code: one("watched.title", code) for code in LANGUAGES},
        ("lesson.css", "watch.css"),
        result=result,
        verdict=bilingual({code: Markup.escape(verdict(result, code)) for code in LANGUAGES}),
        first_row=next((row for row in rows if first and row.is_of(first)), None),
        tree=tree,
        small=_count(tree) <= SMALL,
        shown_place=lambda index: f"[{', '.join(map(str, index))}]" if index else "[]",
        formulas=formulas,
        graph=_graph(witnessed, rows),
        facts=[*result.environment.items(), *result.contract.items()],
    )


def _count(tree: list[ModuleView]) -> int:
    return sum(1 + _count(module.children) for module in tree)


def _graph(witnessed: Witnessed, rows: list[WatchedRowView]) -> dict[str, object] | None:
    """The picture in both orientations, its text equivalents and its legend; None for too large a one."""
    found = drawn(witnessed.graph)
    if found is None:
        return None
    graph, names = found
    wrong = {(row.row.module, row.row.operation, row.row.source) for row in rows if row.wrong}
    marks = {name: "born" for name, node in names.items() if _place(node) in wrong}
    shown = pictures(DrawnGraph(graph), marks) or {}
    return shown | {"names": [(written(name), node) for name, node in names.items()]}


def _place(node: GraphNode) -> tuple[str, str, str]:
    return node.module, node.name, node.source


# --- Markdown ---------------------------------------------------------------------------------------------


def markdown(result: WatchResult, lang: str) -> str:
    """The page's findings, and every row as a table."""
    return "\n".join(_lines(result, lang, catalogue(lang))) + "\n"


def _lines(result: WatchResult, lang: str, words: Mapping[str, str]) -> Iterator[str]:
    yield f"# {words['watched.title']}"
    yield ""
    for line in finding_lines(result, lang):
        yield f"* {_cell(line)}"
    yield ""
    columns = ("module", "operation", "check", "operand", "source", "numbers", "share_column", "resolution")
    heads = [words[f"watch.{column}"] for column in (*columns, "verdict")]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in result.rows:
        told = words["watch.is_vacuous"] if row.vacuous else words[f"watch.{row.verdict}"]
        check = words[f"watch.check_{row.check}"]
        named = (row.module or words["watch.root"], row.operation, check, row.operand, row.source)
        numbers = (f"{row.numbers}", f"{row.worst_ratio:.3g}", f"{row.resolution:.1e}")
        yield "| " + " | ".join(map(_cell, (*named, *numbers, told))) + " |"


def _cell(text: str) -> str:
    """A text inside a table's cell: no bar, no line break, no markup of its own."""
    plain = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
    return " ".join(plain.split())
