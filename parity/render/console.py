"""Consoles for output to a terminal or to text without colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

PLAIN = bool(os.environ.get("NO_COLOR") or os.environ.get("CI"))
WIDTH = 120
"""Width in columns if the output is not a terminal."""


class PipedConsole(Console):
    """A console whose reader may go away, as in `parity list | head`."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which ends the program without a word; rich would exit with 1."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr, without colours if it is not a terminal or NO_COLOR or CI is set."""
    stream = sys.stderr if stderr else sys.stdout
    plain = PLAIN or not stream.isatty()
    width = None if stream.isatty() else WIDTH
    return PipedConsole(
        file=stream, no_color=plain, force_terminal=False if plain else None, highlight=False, width=width
    )


def fitted(table: Table, out: Console, dropped: Sequence[str]) -> Table:
    """The table without as many of these columns, by their heads, as a narrow terminal has no room for."""
    for head in dropped:
        if Measurement.get(out, out.options.update(width=10**4), table).maximum <= out.width:
            break
        kept = [column for column in table.columns if column.header != head]
        table = Table()
        for column in kept:
            table.add_column(column.header, justify=column.justify, overflow=column.overflow)
        for row in zip(*(tuple(column.cells) for column in kept), strict=True):
            table.add_row(*row)
    return table


def on_paper() -> tuple[Console, StringIO]:
    """A console without colours, and the buffer that receives its text."""
    written = StringIO()
    return Console(file=written, no_color=True, force_terminal=False, highlight=False, width=WIDTH), written
