"""Each derivative, loss gradient and optimizer rule done wrong: found, and in the right formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from parity.campaign.drawn.entries import ENTRIES, VocabularyEntry
from parity.campaign.drawn.vocabulary import NetworkSize, case
from parity.config.case import Case
from parity.lockstep.lockstep import Reference, lockstep
from parity.lockstep.tally import Tally
from parity.pytorch.twin import Twin
from tests.mutants.vocabulary import Mutant, of_activation, of_loss, of_optimizer
from tests.nightly import NIGHTLY

SIZE = NetworkSize((4, 5, 3), batch=6)
FEWEST = {"activation": 3, "loss": 3, "optimizer": 8}
"""An entry with fewer mistakes to make than this has been looked at too little."""
EXCEPTIONS = {"identity": 2}
DTYPES = {"muon": "float64"}
"""Newton–Schulz multiplies the bounds at each iteration: in float32 they may be as large as the step."""


def cases(entry: VocabularyEntry, which: slice) -> Iterator[Case]:
    """These sets of options once, and of an optimizer enough steps for its states to matter."""
    for number in range(len(entry.variants))[which]:
        drawn = case(entry, number, DTYPES.get(entry.name, "float32"), "ordinary", seed=number, size=SIZE)
        yield replace(drawn, lr=0.3 if entry.kind == "optimizer" else drawn.lr)


def mutants(entry: VocabularyEntry, drawn: Case) -> Iterator[Mutant]:
    if entry.kind == "activation":
        return of_activation(drawn.architecture.activations[0])
    if entry.kind == "loss":
        return of_loss(drawn.architecture.loss)
    return of_optimizer(drawn.architecture.optimizer)


def accused(drawn: Case, mutant: Mutant) -> Tally:
    sides = [Reference(mutant.planted(drawn)), Twin(drawn.architecture, drawn.parameters, drawn.lr)]
    return lockstep(drawn, sides, keep_going=True).tally


ALL, LAST = slice(None), slice(-1, None)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
@pytest.mark.parametrize("which", [LAST, pytest.param(ALL, marks=NIGHTLY)], ids=["last", "all"])
def test_every_mistake_is_found_where_it_was_made(entry, which):
    told: Counter[str] = Counter()
    for drawn in cases(entry, which):
        for mutant in mutants(entry, drawn):
            tally = accused(drawn, mutant)
            found = {wrong.formula for wrong in tally.wrong_formulas() if wrong.side == "reference"}
            options = entry.variants[drawn.seed]
            assert found <= mutant.formulas, f"{mutant} with {options}: accused of {found}"
            assert found or not mutant.told, f"{mutant} with {options}: not found"
            assert all(wrong.side == "reference" for wrong in tally.wrong_formulas())
            if mutant.told:
                assert (tally.first.side, tally.first.gate) == ("reference", "certificate")
                told[mutant.name] += 1
    assert told
    if which == ALL:
        assert len(told) >= EXCEPTIONS.get(entry.name, FEWEST[entry.kind]), told
