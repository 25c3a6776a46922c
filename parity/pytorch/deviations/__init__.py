"""Findings: listed, reproducible, accepted by name alone; `tests.reports.deviations` writes the page."""

from __future__ import annotations

from collections.abc import Sequence

from parity.errors import UsageError
from parity.pytorch.deviations.compiled import COMPILED
from parity.pytorch.deviations.deviation import Deviation
from parity.pytorch.deviations.documentation import DOCUMENTATION
from parity.pytorch.deviations.numbers import NUMBERS
from parity.pytorch.deviations.operations import OPERATIONS
from parity.render.texts.message import Message

EVERY = (*NUMBERS, *OPERATIONS, *COMPILED, *DOCUMENTATION)
DEVIATIONS: dict[str, Deviation] = {finding.name: finding for finding in EVERY}


def accepted(names: Sequence[str]) -> tuple[Deviation, ...]:
    """Findings by name. Raises UsageError for one that is not listed, or cannot be accepted."""
    known = [finding.name for finding in NUMBERS]
    for name in names:
        if name not in known:
            raise UsageError(Message("accept_unknown", name=repr(name), known=", ".join(known)))
    return tuple(DEVIATIONS[name] for name in dict.fromkeys(names))


__all__ = ["DEVIATIONS", "Deviation", "accepted"]
