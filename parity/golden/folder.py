"""Finds the goldens in files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity.errors import UsageError
from parity.golden.format import SUFFIX
from parity.golden.result import Replay
from parity.lockstep.result import EXIT_MATCH, EXIT_MISMATCH, EXIT_NOTHING, EXIT_QUESTION
from parity.render.texts.message import Message


def goldens(places: Sequence[Path]) -> list[Path]:
    """The named files and the goldens directly in the named folders, sorted, without duplicates.

    Raises UsageError for a missing file and for a folder without goldens.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = sorted(place.glob(f"*{SUFFIX}"))
            if not inside:
                raise UsageError(Message("no_golden_in", folder=place, suffix=SUFFIX))
            found |= dict.fromkeys(inside)
        elif place.exists():
            found[place] = None
        else:
            raise UsageError(Message("no_such_file", file=place))
    return list(found)


def worst_code(replays: Sequence[Replay], *, unreadable: bool = False) -> int:
    """The exit code of several replays: of a mismatch, else of a file that is none, of one undecided, 0."""
    codes = {one.exit_code for one in replays} | ({EXIT_QUESTION} if unreadable else set())
    order = (EXIT_MISMATCH, EXIT_QUESTION, EXIT_NOTHING)
    return next((code for code in order if code in codes), EXIT_MATCH)
