"""What is raised to a caller; each is one line, save a mismatch, which is all that a terminal shows."""

from __future__ import annotations

SHORT = 300
"""Characters of somebody else's error that are quoted."""

INTERRUPTED = 130
"""Exit code that a shell expects of a program that Ctrl-C ended."""


class UsageError(ValueError):
    """The question is wrong: a bad option, config, data or file. Exit code 2."""


class EnvironmentUnfit(Exception):  # noqa: N818 - it names a state of the machine, not of the program
    """The environment cannot answer: torch is missing or unsupported. Exit code 3."""


class Mismatch(AssertionError):  # noqa: N818 - it is what was found, as an assertion says it
    """Not everything holds; the text is what the command prints. Raised by a result's `verify`."""


def quoted(text: object, most: int = SHORT) -> str:
    """Somebody else's error as one line, cut to `most` characters."""
    return " ".join(str(text).split())[:most]
