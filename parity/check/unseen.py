"""Further calls, on which a name has to hold before it is said: networks that no verdict was made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.check.cases import DEFAULT_ACTIVATIONS, Plan, SubjectCall, calls
from parity.errors import UsageError
from reference.operations.activations import ACTIVATIONS

PLANS = (
    Plan((3, 2, 3), batch=2, steps=1, activations=(0, 1), lr=0.75),
    Plan((2, 4, 3), batch=4, steps=2, activations=(1, 0), lr=0.28125),
    Plan((3, 3, 3), batch=5, steps=2, activations=(2, 3), lr=0.5625),
    Plan((3, 3, 3), batch=3, steps=1, activations=(0, 1), lr=0.34375),
    Plan((3, 3, 3, 3), batch=3, steps=1, activations=(1, 0, 3), lr=0.71875),
    Plan((2, 2, 2, 2), batch=2, steps=1, activations=(0, 2, 1), lr=0.40625),
    Plan((4, 3, 2, 3), batch=6, steps=2, activations=(3, 2, 1), lr=0.4375),
    Plan((3, 4, 2), batch=3, steps=2, activations=(0, 2), lr=0.59375),
    Plan((2, 3, 4, 2, 2), batch=2, steps=1, activations=(1, 2, 0, 3), lr=0.6875),
)
"""Other shapes, batches and η than the cases have; equal widths too, where wrong shapes still run."""


def unseen_calls(asked: Sequence[SubjectCall]) -> list[SubjectCall]:
    """Calls like those that were asked, of other networks; none for a network that a config describes."""
    functions = {f.name: f for call in asked for f in call.architecture.activations}
    usual = all(ACTIVATIONS.get(name) is f for name, f in functions.items())
    if not usual or any(call.architecture.reduced_loss.name != "mse" for call in asked):
        return []
    usual_ones = set(functions) == set(DEFAULT_ACTIVATIONS)
    order = DEFAULT_ACTIVATIONS if usual_ones else tuple(functions)
    try:
        return calls(order, np.dtype(asked[0].architecture.dtype), PLANS)
    except UsageError:  # no such network was found: nothing further is asked
        return []
