"""Consoles for output to a terminal or to text without colours."""

from __future__ import annotations

import os
import sys
from io import StringIO

from rich.console import Console

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


def on_paper() -> tuple[Console, StringIO]:
    """A console without colours, and the buffer that receives its text."""
    written = StringIO()
    return Console(file=written, no_color=True, force_terminal=False, highlight=False, width=WIDTH), written
