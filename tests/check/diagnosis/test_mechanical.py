"""Mutants that nobody chose: a sample. A thousand of them are in reports/kill-matrix.md."""

from __future__ import annotations

import pytest

from parity.check.diagnosis.judge import Judge
from tests.mutants.mechanical import STYLES, Mutant, drawn, source
from tests.mutants.oracle import UNSEEN, changed, shown, truth
from tests.nightly import but
from tests.reports.mechanical import outcomes, shares


@pytest.mark.parametrize("style", STYLES)
def test_the_programs_are_right_before_anything_is_changed(style):
    observations = shown(Mutant(style, "", 0, source(style)), UNSEEN)
    assert len(observations) == len(UNSEEN)
    assert not any(changed(o, truth(call)) for o, call in zip(observations, UNSEEN, strict=True))
    assert not [instance for instance in Judge(observations).instances if instance.wrong]


def test_the_same_seed_draws_the_same_mutants():
    first, second = ([m.diff for m, _ in zip(drawn(7), range(5), strict=False)] for _ in range(2))
    assert first == second
    assert len(set(first)) == 5


@pytest.mark.parametrize("count", but([10], [10, 120]))
def test_a_sample_is_caught_and_located_and_no_name_is_wrong(count):
    found = list(outcomes(count))
    of = shares(found)
    assert of["caught"] == of["located"] == of["changes"] == count
    assert [o.mutant.diff for o in found if o.holds is False] == []
    assert of["named"] >= 0.85 * of["changes"]
