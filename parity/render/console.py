"""Where a person reads: a terminal, or a text that looks as it would in one without colours."""

from __future__ import annotations

import os
import sys
from io import StringIO

from rich.console import Console

PLAIN = bool(os.environ.get("NO_COLOR") or os.environ.get("CI"))
WIDTH = 120
"""Columns where there is no terminal to ask."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; plain when it is no terminal, under NO_COLOR or CI."""
    stream = sys.stderr if stderr else sys.stdout
    plain = PLAIN or not stream.isatty()
    width = None if stream.isatty() else WIDTH
    return Console(
        file=stream, no_color=plain, force_terminal=False if plain else None, highlight=False, width=width
    )


def on_paper() -> tuple[Console, StringIO]:
    """A console without colours, and the text that is written to it."""
    written = StringIO()
    return Console(file=written, no_color=True, force_terminal=False, highlight=False, width=WIDTH), written
