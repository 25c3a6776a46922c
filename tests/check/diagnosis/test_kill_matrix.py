"""Every planted mistake, once: caught, located and named. The full matrix is reports/kill-matrix.md."""

from __future__ import annotations

import pytest

from parity.check.cases import calls
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.mistakes import NAMES
from parity.check.diagnosis.search import blames
from tests.mutants.inprocess import observations
from tests.mutants.left_in import LEFT_IN
from tests.mutants.planted import mutant
from tests.mutants.plants import PLANTS
from tests.nightly import one_in
from tests.reports.kill_matrix import shares, thinned, trial


@pytest.fixture(scope="module", params=one_in(2, [9, 1]))
def trials(request):
    """Every k-th plant."""
    return [trial(*setting) for setting in thinned()[:: request.param]]


def test_every_plant_that_changes_a_number_is_caught_and_located(trials):
    counted = [t for t in trials if t.changes]
    assert len(counted) > 0.9 * len(trials)
    assert [t for t in counted if not (t.caught and t.located)] == []


def test_no_plant_gets_a_wrong_name_and_most_get_theirs(trials):
    of = shares(trials)
    assert of["misnamed"] == 0
    assert of["named"] >= 0.95 * of["changes"]


def test_every_name_of_the_catalogue_is_planted():
    assert set(NAMES) - {"wrong-dtype"} <= {name for name, _, _ in PLANTS | LEFT_IN}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("layout", ["columns", "rows"])
def test_without_a_plant_nothing_is_found(layout, dtype):
    court = Judge(observations(mutant(layout=layout), calls(dtype=dtype), layout))
    assert not [i for i in court.instances if i.wrong]
    assert blames(court) == []


PAIRS = [
    (("missing-derivative", "hidden_delta", ""), ("missing-bias", "affine", "")),
    (("mean-over-batch", "bias_gradient", ""), ("wrong-sign-of-update", "weight_update", "")),
    (("wrong-constant", "output_delta", "2"), ("last-sample-only", "weight_gradient", "")),
    (("updated-weights", "hidden_delta", ""), ("learning-rate-twice", "bias_update", "")),
    (("sign-flipped", "hidden_delta", ""), ("wrong-constant", "weight_update", "2")),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " and ".join(p[0] for p in pair))
def test_two_at_once_are_both_listed_first_first(pair):
    found = blames(Judge(observations(mutant(*pair), calls())))
    order = ["affine", "output_delta", "hidden_delta", "weight_gradient", "bias_gradient"]
    order += ["weight_update", "bias_update"]
    expected = sorted(((p[1], (p[0],)) for p in pair), key=lambda e: order.index(e[0]))
    assert [(b.formula, b.guess and b.guess.names) for b in found] == expected
