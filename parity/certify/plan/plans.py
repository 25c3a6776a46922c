"""The plans of a run, one for each batch size, recorded when they are first needed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier
from parity.certify.plan.layout import StepLayout
from parity.certify.plan.plan import StepPlan
from parity.certify.plan.tape import UnplannableError
from parity.certify.plan.tracing import traced
from reference.equations import Constants
from reference.trace import Trace


@dataclass
class _Batch:
    """The plan of one batch size, and how many steps in a row it has not accepted.

    `general` holds the decisions that came out differently so far, `possible` whether a plan exists.
    """

    plan: StepPlan | None = None
    general: set[Hashable] = field(default_factory=set)
    possible: bool = True
    steps: int = 0
    refused: int = 0


class Plans:
    """Accepts steps of two sides by the plan of their batch size.

    The first steps of a batch size are left to the plain path, as many as `patience`: recording costs as
    much as several of them, and a run may have no more. A step that a plan does not accept is recorded
    anew, for the decisions that it takes differently; of many in a row, ever fewer are.
    """

    def __init__(self, certifier: Certifier, patience: int = 1) -> None:
        self._certifier, self._patience = certifier, patience
        self._batches: dict[int, _Batch] = {}

    def accepts(
        self, traces: Mapping[str, Trace], constants: Constants, batch: int
    ) -> AcceptedShares | None:
        """The shares of a step if a plan accepts it, or None if the plain path must judge it."""
        known = self._batches.setdefault(batch, _Batch())
        known.steps += 1
        if known.steps <= self._patience or not known.possible:
            return None
        ours, theirs = traces.values()
        shares = known.plan.shares((ours, theirs), constants) if known.plan else None
        if shares is None and known.refused & (known.refused - 1) == 0:
            shares = self._recorded(known, (ours, theirs), constants, batch)
        known.refused = 0 if shares else known.refused + 1
        return shares

    def _recorded(
        self, known: _Batch, sides: tuple[Trace, Trace], constants: Constants, batch: int
    ) -> AcceptedShares | None:
        """The shares by a new plan, recorded on this step."""
        if any(map(self._certifier.complaints, sides)):
            return None
        try:
            layout = StepLayout(self._certifier, sides[0], batch)
            tracing = traced(self._certifier, layout, sides, constants, known.general)
        except UnplannableError:
            known.possible = False
            return None
        known.general |= tracing.tape.general
        known.plan = StepPlan(self._certifier, layout, tracing)
        return known.plan.shares(sides, constants)
