"""What results show in notebooks: tables and pictures as HTML, without script, style or network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from markupsafe import Markup
from rich.table import Table
from rich.text import Text


def html_of(table: Table) -> Markup:
    """A terminal's table as an HTML table."""
    columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
    heads = Markup("").join(
        Markup('<th scope="col">{}</th>').format(_plain(column.header)) for column in table.columns
    )
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in zip(*columns, strict=True)
    )
    return Markup("<table><tr>{}</tr>{}</table>").format(heads, rows)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain


def paragraphs(lines: Iterable[str]) -> Markup:
    """Each line as a paragraph."""
    return Markup("").join(Markup("<p>{}</p>").format(line.strip()) for line in lines)


def picture(svg: str, name: str) -> Markup:
    """An SVG as an image of its own, whose style does not reach the page around it."""
    data = b64encode(svg.encode()).decode()
    shown = '<details><summary>{}</summary><img alt="{}" src="data:image/svg+xml;base64,{}"></details>'
    return Markup(shown).format(name, name, data)
