"""Several goldens at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity.errors import UsageError
from parity.golden.format import SUFFIX
from parity.golden.result import Replay
from parity.lockstep.result import EXIT_MATCH, EXIT_MISMATCH, EXIT_NOTHING


def goldens(places: Sequence[Path]) -> list[Path]:
    """The files named, and those directly in the folders named, sorted; none of them twice.

    Raises UsageError for what does not exist and for a folder without any.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = sorted(place.glob(f"*{SUFFIX}"))
            if not inside:
                raise UsageError(f"{place}: there is no golden (*{SUFFIX}) in it")
            found |= dict.fromkeys(inside)
        elif place.exists():
            found[place] = None
        else:
            raise UsageError(f"{place}: there is no such file")
    return list(found)


def worst_code(replays: Sequence[Replay]) -> int:
    """A regression in any of them, else anything undecided, else 0."""
    codes = {one.exit_code for one in replays}
    return next((code for code in (EXIT_MISMATCH, EXIT_NOTHING) if code in codes), EXIT_MATCH)
