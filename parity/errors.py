"""What is raised to a caller; each is one line, save a mismatch, which is all that a terminal shows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

INTERRUPTED = 130
"""Exit code that a shell expects of a program that Ctrl-C ended."""


class UsageError(ValueError):
    """The question is wrong: a bad option, config, data or file. Exit code 2."""


def unknown(what: str, name: object, known: Iterable[str]) -> UsageError:
    """The error for a name that is none of the known ones: the nearest of them, and all.

    unknown("activation", "tahn", ["relu", "tanh"]) says:
    activation: unknown 'tahn'; did you mean 'tanh'? Known: relu, tanh
    """
    known = list(known)
    near = get_close_matches(str(name), known, 1)
    meant = f"did you mean {near[0]!r}? Known" if near else "known"
    return UsageError(f"{what}: unknown {name!r}; {meant}: {', '.join(known)}")


class EnvironmentUnfit(Exception):  # noqa: N818 - it names a state of the machine, not of the program
    """The environment cannot answer: torch is missing or unsupported. Exit code 3."""


class Mismatch(AssertionError):  # noqa: N818 - it is what was found, as an assertion says it
    """Not everything holds; the text is what the command prints. Raised by a result's `verify`."""
