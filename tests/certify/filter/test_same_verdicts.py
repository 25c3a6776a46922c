"""Every plant of the kill matrix, in the lockstep: the cheap path and the plain one tell the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from parity.campaign.drawn.networks import ACTIVATIONS, random_case
from parity.config.case import Case
from parity.lockstep.lockstep import lockstep
from parity.pytorch.twin import Twin
from reference.arrays import Array
from reference.trace import Trace
from tests.mutants.planted import mutant
from tests.mutants.plants import PLANTS, Plant
from tests.nightly import in_turn


class Planted:
    """A hand-written step with a plant in it, as a side: whatever it shows, and s as it should be."""

    name = "reference"

    def __init__(self, case: Case, plant: Plant) -> None:
        self.lr, self.names = case.lr, [f.name for f in case.architecture.activations]
        layers = range(1, case.architecture.depth + 1)
        self.W = [case.parameters[f"W{l}"].copy() for l in layers]
        self.b = [case.parameters[f"b{l}"].copy() for l in layers]
        self._step = mutant(plant)

    @property
    def changed(self) -> bool:
        return bool(self._step.changed)

    def step(self, x: Array, y: Array) -> Trace:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shown = self._step(self.W, self.b, x, y, self.lr, self.names)
        trace, depth = Trace(x=x, y=y, loss=np.asarray(shown["loss"], x.dtype)), len(self.W)
        for l in range(1, depth + 1):
            trace[f"W{l}"], trace[f"b{l}"] = self.W[l - 1], self.b[l - 1]
            for name in ("z", "a", "delta", "dW", "db"):
                trace[f"{name}{l}"] = np.array(shown[name][l - 1], x.dtype)
            trace[f"W{l}_next"] = np.array(shown["W"][l - 1], x.dtype)
            trace[f"b{l}_next"] = np.array(shown["b"][l - 1], x.dtype)
        trace[f"s{depth}"] = (2 * (trace[f"a{depth}"] - y) / y.size).astype(x.dtype)
        for l in range(1, depth):
            trace[f"s{l}"] = self.W[l].T @ trace[f"delta{l + 1}"]
        self.W = [trace[f"W{l}_next"] for l in range(1, depth + 1)]
        self.b = [trace[f"b{l}_next"] for l in range(1, depth + 1)]
        return trace


def told(case: Case, plant: Plant, *, filtered: bool) -> tuple[object, ...]:
    """Whether the plant changed a bit, and all that the lockstep says of it, but shares."""
    side = Planted(case, plant)
    sides = [side, Twin(case.architecture, case.parameters, case.lr)]
    tally = lockstep(case, sides, filtered=filtered).tally
    at = tally.first
    first = at and (at.step, at.formula, at.layer, at.gate)
    wrong = [(w.formula, tuple(w.layers), w.side) for w in tally.wrong_formulas()]
    return side.changed, tally.verdict, first, wrong, tally.numbers, tally.undecided


@pytest.mark.parametrize(
    ("plant", "activation"),
    in_turn(PLANTS, [*ACTIVATIONS, None]),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_both_paths_tell_the_same(plant, activation):
    # All square: a plant whose shapes do not go together would be seen by its author at once.
    case = random_case(5, "ordinary", "float32", activation, (4, 4, 4, 4), batch=4, steps=3)
    cheap, plain = (told(case, plant, filtered=filtered) for filtered in (True, False))
    assert cheap == plain
    if not cheap[0]:
        assert cheap[3] == []
