"""Every planted bug is caught, in the right formula and the right layers, on either side."""

from __future__ import annotations

import numpy as np
import pytest

from parity.campaign.drawn.networks import random_case
from parity.config.case import Case
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from tests.mutants.engine import BUGS, Bug, Engine
from tests.mutants.torch_side import MutantTwin

assert len(BUGS) >= 25


def case_for(bug: Bug) -> Case:
    """Square hidden layers, so that a forgotten transpose has a shape that fits; a batch of five."""
    case = random_case(7, "ordinary", bug.dtype, bug.activation, bug.layers, batch=5, steps=2)
    if bug.activation == "relu":
        case.parameters["W1"][0] = 0  # one unit stands exactly at the kink
        case.parameters["b1"][0] = 0
    return case


def accused(tally) -> dict[str, set[int]]:
    return {wrong.formula: set(wrong.layers) for wrong in tally.wrong_formulas()}


def found(tally) -> str:
    """For the kill matrix."""
    return ", ".join(f"{formula} {sorted(layers)}" for formula, layers in accused(tally).items())


def expected_layers(bug: Bug, case: Case) -> set[int]:
    """The layers in which the buggy method, alone, changes a number."""
    depth = case.architecture.depth
    if bug.method in ("loss_", "s_top"):
        return {depth}
    layers = {l for l in range(1, depth + 1) if bug.only(l, depth)}
    if bug.name == "relu_prime_at_0_is_1":
        return {1}  # the only layer with a unit at zero
    return layers - {depth} if bug.method == "s_" else layers


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_in_the_engine(bug, record_property):
    record_property("bug", bug.name)
    record_property("side", "engine")
    case = case_for(bug)
    sides = [bug.planted(Engine)(case), Twin(case.architecture, case.parameters, case.lr)]
    tally = lockstep(case, sides).tally
    assert accused(tally) == {bug.formula: expected_layers(bug, case)}
    assert tally.first.side == "reference"
    assert tally.first.step == 0
    assert tally.first.gate == "certificate"
    record_property("found", found(tally))


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.on_torch], ids=lambda bug: bug.name)
def test_in_a_torch_module(bug, record_property):
    record_property("bug", bug.name)
    record_property("side", "torch")
    case = case_for(bug)
    tally = lockstep(case, [Reference(case), MutantTwin(case, bug)]).tally
    assert accused(tally) == {bug.formula: expected_layers(bug, case)}
    assert {wrong.side for wrong in tally.wrong_formulas()} == {"torch"}
    record_property("found", found(tally))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_copy_without_a_bug_is_silent(dtype):
    """Otherwise the tests above would prove nothing."""
    right = Bug("none", "n", lambda t: t.y.size, "")
    for seed in range(10):
        case = random_case(seed, "ordinary", dtype)
        assert lockstep(case, [Engine(case), MutantTwin(case, right)]).tally.first is None


def test_two_bugs_at_once_accuse_exactly_two_formulas():
    bugs = {bug.name: bug for bug in BUGS}
    first, second = bugs["hidden_f_prime_missing"], bugs["db_averaged"]
    case = random_case(3, activation="tanh", layers=(5, 4, 3, 4, 2), batch=6, steps=1)
    both = second.planted(first.planted(Engine))
    sides = [both(case), Twin(case.architecture, case.parameters, case.lr)]
    tally = lockstep(case, sides).tally
    assert accused(tally) == {"hidden_delta": {1, 2, 3}, "bias_gradient": {1, 2, 3, 4}}
    assert list(accused(tally)) == ["hidden_delta", "bias_gradient"]


def test_a_step_that_starts_elsewhere_is_caught():
    """The sides are linked step to step: parameters nudged between two steps are a different training."""
    case = random_case(5, layers=(3, 4, 2), activation="sigmoid", batch=4, steps=3)

    class Nudged(Engine):
        def step(self, x, y):
            trace = super().step(x, y)
            self.W[2] = np.nextafter(self.W[2], np.float32(np.inf))
            return trace

    tally = lockstep(case, [Nudged(case), Twin(case.architecture, case.parameters, case.lr)]).tally
    assert (tally.first.step, tally.first.formula, tally.first.layer) == (1, "weight_update", 2)
    assert "does not start from" in tally.first.complaint


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda trace: trace.pop("delta1"), "missing"),
        (lambda trace: trace.update(delta1=trace["delta1"].T), "shape"),
        (lambda trace: trace.update(delta1=trace["delta1"].astype("f8")), "float64"),
        (lambda trace: trace.update(delta1=trace["delta1"][:, :1]), "shape"),
        (lambda trace: trace.update(delta1=np.full_like(trace["delta1"], np.nan)), None),
        (lambda trace: trace.update(delta9=trace["delta1"]), "not a tensor"),
    ],
)
def test_a_spoilt_trace_is_a_failure_never_a_skip(spoil, words):
    case = random_case(5, layers=(3, 5, 2), activation="sigmoid", batch=4, steps=1)

    class Spoilt(Engine):
        def step(self, x, y):
            trace = super().step(x, y)
            spoil(trace)
            return trace

    tally = lockstep(case, [Spoilt(case), Twin(case.architecture, case.parameters, case.lr)]).tally
    assert tally.verdict == "mismatch"
    if words:
        assert words in tally.first.complaint
    else:
        assert tally.first.formula == "hidden_delta"
