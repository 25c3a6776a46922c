"""The catalogue of mistakes, by the kind of equation they happen in. A new one is one entry."""

from __future__ import annotations

from functools import cache

from parity.check.diagnosis.mistake import Mistake
from parity.check.diagnosis.mistakes import deltas, forward, gradients, updates
from parity.check.diagnosis.mistakes import factors as fronts
from parity.check.diagnosis.readings.ids import READ


@cache
def mistakes(kind: str) -> tuple[Mistake, ...]:
    """Every known mistake in one kind of equation."""
    entries = (*forward.MISTAKES, *deltas.MISTAKES, *gradients.MISTAKES, *updates.MISTAKES)
    return (*(mistake for mistake in entries if mistake.kind == kind), *fronts.of(kind))


NAMES: tuple[str, ...] = (
    "missing-derivative",
    "derivative-at-activation",
    "wrong-derivative",
    "wrong-activation",
    "not-transposed",
    "transposed",
    "swapped-operands",
    "updated-weights",
    "wrong-layer",
    "stale-value",
    "uses-z-for-a",
    "missing-bias",
    "wrong-constant",
    "sign-flipped",
    "mean-over-batch",
    "sum-over-wrong-axis",
    "last-sample-only",
    "not-accumulated",
    "missing-learning-rate",
    "learning-rate-twice",
    "wrong-sign-of-update",
    "lower-precision",
    "wrong-dtype",
    "one-element",
    *READ,
)
"""Every id that a diagnosis can give."""
