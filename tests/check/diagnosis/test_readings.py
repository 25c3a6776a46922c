"""What is read off the numbers: each thing that people leave in, by its name, with its constant."""

from __future__ import annotations

import numpy as np
import pytest

from parity.check.cases import calls
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.readings.constants import Interval, shortest
from parity.check.diagnosis.readings.ids import called
from parity.check.diagnosis.readings.tree import node, put, tree, written
from parity.check.diagnosis.search import blames
from parity.check.diagnosis.text import diagnosed
from parity.check.unseen import unseen_calls
from tests.mutants.inprocess import observations
from tests.mutants.left_in import LEFT_IN
from tests.mutants.planted import mutant
from tests.nightly import one_in

CALLS = calls()
CONSTANTS = {
    ("momentum-left-in", "weight_update", ""): "9/10·η · dW(l)(t−1)",
    ("weight-decay-left-in", "weight_update", "L2"): "0.01 · W(l)",
    ("weight-decay-left-in", "weight_update", "L1"): "0.01 · sign(W(l))",
    ("gradient-clipping-left-in", "weight_update", "value"): "±0.05",
    ("gradient-clipping-left-in", "weight_update", "norm"): "above 0.1",
    ("gradient-clipping-left-in", "weight_update", "all norms"): "dW, db of all layers together is above 1",
    ("gradient-clipping-left-in", "bias_update", "all norms"): "dW, db of all layers together is above 5",
    ("weight-decay-left-in", "weight_update", "before"): "subtracted 0.001·η · W(l)",
    ("wrong-loss", "output_delta", "BCE"): "BCE",
    ("dropout-left-in", "activation", ""): "2 times",
    ("epsilon-added", "output_delta", ""): "0.001",
    ("wrong-threshold", "hidden_delta", ""): "where f is relu",
}


def found(plant, asked=CALLS):
    """The blames of a plant, and the first one in words."""
    court = Judge(observations(mutant(plant), asked))
    with np.errstate(all="ignore"):
        read = blames(court, lambda: Judge(observations(mutant(plant), unseen_calls(asked))))
        return read, diagnosed(court, read[0], None, "en")


@pytest.mark.parametrize("plant", one_in(5, LEFT_IN), ids=lambda plant: " ".join(filter(None, plant)))
def test_what_was_left_in_is_located_and_named(plant):
    read, words = found(plant)
    assert [(blame.formula, blame.guess and blame.guess.names) for blame in read] == [
        (plant[1], (plant[0],))
    ]
    assert CONSTANTS.get(plant, "") in words.detail


@pytest.mark.parametrize(
    "plant",
    [
        ("weight-decay-left-in", "weight_gradient", ""),
        ("sign-of-gradient", "weight_update", ""),
        ("samples-permuted", "weight_gradient", ""),
        ("dropout-left-in", "activation", ""),
    ],
    ids=lambda plant: plant[0],
)
def test_in_float32_too(plant):
    read, _ = found(plant, calls(dtype=np.float32))
    assert [blame.guess and blame.guess.names for blame in read] == [(plant[0],)]


def test_a_reading_is_given_up_where_unseen_calls_refute_it():
    plant = ("weight-decay-left-in", "weight_update", "L2")
    court = Judge(observations(mutant(plant), CALLS))
    other = mutant(("weight-decay-left-in", "weight_update", "L1"))
    with np.errstate(all="ignore"):
        (blame,) = blames(court, lambda: Judge(observations(other, unseen_calls(CALLS))))
    assert blame.formula == "weight_update"
    assert blame.guess is None


def test_columns_of_W_are_no_samples():
    assert called("hidden_delta", "samples-permuted", node("W"), (0, 0, 0)) == "wrong-index"
    assert called("weight_gradient", "samples-permuted", node("delta"), (0,)) == "samples-permuted"


def test_what_is_right_everywhere_asks_for_no_unseen_calls():
    def never():
        raise AssertionError

    assert blames(Judge(observations(mutant(), CALLS)), never) == []


@pytest.mark.parametrize(
    ("low", "high", "number"),
    [
        (0.8999999, 0.9000001, "9/10"),
        (0.0099999999, 0.0100000001, "0.01"),
        (0.33333333, 0.33333334, "1/3"),
        (-2.0000001, -1.9999999, "-2"),
        (0.7182818284, 0.7182818285, None),
        (9.9999e-8, 1.00001e-7, "1e-07"),
    ],
)
def test_the_shortest_number_in_an_interval(low, high, number):
    assert shortest(Interval(low, high, 1)) == number


def test_a_tree_is_edited_at_one_node_and_written_as_the_deck_writes_it():
    whole = tree("W.T @ delta * slope")
    names = {"W": "W(l+1)", "delta": "δ(l+1)", "slope": "f′(z(l))"}
    assert written(whole, names) == "W(l+1)ᵀ δ(l+1) ⊙ f′(z(l))"
    assert written(put(whole, (0, 0), node("W")), names) == "W(l+1) δ(l+1) ⊙ f′(z(l))"
    assert whole is tree("W.T @ delta * slope")  # shared, and never changed
