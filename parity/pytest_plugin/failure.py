"""How a comparison fails in a test: as one error, whose text says everything."""

from __future__ import annotations


class ParityError(AssertionError):
    """A comparison that does not hold, or that could not be made; its text is written for people."""
