"""Accepts whole steps of two sides, by the filter where it knows the equations, else by a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier
from parity.certify.filter import Filter, knows
from parity.certify.plan import Plans
from reference.architecture import Architecture
from reference.equations import Constants
from reference.trace import Trace

PATIENCE = 8
"""Steps that are judged one by one before a plan is recorded, which takes about as long."""


class WholeSteps:
    """What accepts the steps of one run, with its buffers.

    The filter is written by hand for the deck's own equations in float32. A plan serves any equations, and
    is asked where the filter accepts nothing; in large networks it takes two to three times as long, since
    it keeps every intermediate array of doubles that the rules make, where the filter has magnitudes in
    float32 and reads weights in place.
    """

    def __init__(self, certifier: Certifier, patience: int = PATIENCE) -> None:
        self._plans = Plans(certifier, patience)
        chain = certifier.architecture
        known = isinstance(chain, Architecture) and knows(chain, certifier.equations)
        self._chain = cast("Architecture", chain) if known else None
        self._filters: dict[int, Filter] = {}

    def accepts(
        self, traces: Mapping[str, Trace], constants: Constants, batch: int
    ) -> AcceptedShares | None:
        """The shares of a step that is accepted whole; None if the plain path must judge it."""
        shares = None
        if self._chain is not None:
            if batch not in self._filters:
                self._filters[batch] = Filter(self._chain, batch, constants["lr"])
            shares = self._filters[batch].accepts(*traces.values())
        return shares or self._plans.accepts(traces, constants, batch)
