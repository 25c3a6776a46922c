"""The cheap path only ever accepts, and only what the plain path accepts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.campaign.drawn.networks import ACTIVATIONS, REGIMES, random_case
from parity.certify.certificate import Certifier, Verdict
from parity.certify.cross_check import cross_check
from parity.certify.filter import Filter, knows
from parity.config.case import Case, build
from parity.config.config import Config
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from reference.architecture import architecture
from tests.certify.test_planted_bugs import accused, case_for
from tests.mutants.engine import BUGS, Engine
from tests.mutants.torch_side import MutantTwin
from tests.nightly import one_in


def sides(case):
    return [Reference(case), Twin(case.architecture, case.parameters, case.lr)]


def rows(walk):
    tally = walk.tally
    return [
        {k: v for k, v in row.model_dump().items() if k not in ("worst_ratio",)}
        for row in (*tally.formula_rows(), *tally.side_by_side_rows())
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("data", ["xor", "iris", "digits"])
def test_a_config_gets_the_cheap_path(data, activation):
    """Functions, losses and optimizers that a config names are those that the cheap path knows."""
    tables = {"network": {"activation": activation}, "data": {"name": data}, "training": {"lr": 0.01}}
    case = build(Config.model_validate(tables))
    assert knows(case.architecture, Certifier(case.architecture).equations)
    ours, theirs = (side.step(*next(case.batches())) for side in sides(case))
    batch = next(case.batches())[0].shape[1]
    assert Filter(case.architecture, batch, case.lr).accepts(ours, theirs) is not None


@pytest.mark.parametrize("regime", one_in(2, REGIMES))
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_both_paths_tell_the_same_of_correct_sides(regime, seed):
    case = random_case(seed, regime, steps=3)
    plain = lockstep(case, sides(case), keep_going=True, filtered=False)
    cheap = lockstep(case, sides(case), keep_going=True)
    assert cheap.tally.verdict == plain.tally.verdict
    assert (cheap.tally.tensors, cheap.tally.numbers) == (plain.tally.tensors, plain.tally.numbers)
    assert cheap.tally.undecided == plain.tally.undecided
    assert rows(cheap) == rows(plain)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_both_paths_tell_the_same_of_planted_bugs(bug):
    case = case_for(bug)
    for filtered in (True, False):
        pairs = [[bug.planted(Engine)(case), Twin(case.architecture, case.parameters, case.lr)]]
        pairs += [[Reference(case), MutantTwin(case, bug)]] if bug.on_torch else []
        for planted in pairs:
            tally = lockstep(case, planted, filtered=filtered).tally
            assert set(accused(tally)) == {bug.formula}


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), activation=st.sampled_from(["sigmoid", "tanh", "identity", "relu"]))
def test_shares_are_upper_bounds_and_not_far_above(seed, activation):
    case = random_case(seed, activation=activation, steps=1)
    ours, theirs = (side.step(case.x, case.y) for side in sides(case))
    shares = Filter(case.architecture, case.x.shape[1], case.lr).accepts(ours, theirs)
    if shares is None:
        return
    certifier = Certifier(case.architecture)
    constants = {"n": case.architecture.n(case.x.shape[1]), "lr": case.lr}
    place = {name: i for i, name in enumerate(shares.names)}
    for i, trace in enumerate((ours, theirs)):
        for finding in certifier.certify(trace, constants):
            share = shares.certificates[i, place[finding.equation.makes]]
            assert finding.ratio * (1 - 2**-19) <= share <= 1
    for pair in cross_check(certifier, {"reference": ours, "torch": theirs}, constants):
        for i, finding in enumerate(pair.findings.values()):
            assert finding.ratio * (1 - 2**-19) <= shares.side_by_side[i, place[finding.equation.makes]]


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([2e-7, 1e-6, 1e-5, 1e-3, 1.0]))
def test_what_the_cheap_path_accepts_the_plain_path_accepts(seed, scale):
    """One number of one tensor is moved, by little or much: whenever it is accepted, it is inside."""
    case = random_case(seed, activation=None, steps=1)
    with np.errstate(over="ignore"):  # e^−z far below zero, where σ is 0: as in a run
        ours, theirs = (side.step(case.x, case.y).kept() for side in sides(case))
    random = np.random.default_rng(seed)
    the_filter = Filter(case.architecture, case.x.shape[1], case.lr)
    name = str(random.choice(the_filter.layout.judged))
    moved = np.array(theirs[name])
    moved.flat[random.integers(moved.size)] *= np.float32(1 + scale * random.normal())
    theirs[name] = moved
    if the_filter.accepts(ours, theirs) is None:
        return
    certifier = Certifier(case.architecture)
    constants = {"n": case.architecture.n(case.x.shape[1]), "lr": case.lr}
    assert all(f.verdict is Verdict.MATCH or f.vacuous for f in certifier.certify(theirs, constants))
    for pair in cross_check(certifier, {"reference": ours, "torch": theirs}, constants):
        assert not pair.findings["torch"].wrong


@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_to_the_plain_path(spoil):
    case = random_case(11, layers=(3, 5, 2), activation="tanh", batch=4)
    ours, theirs = (side.step(case.x, case.y).kept() for side in sides(case))
    the_filter = Filter(case.architecture, 4, case.lr)
    assert the_filter.accepts(ours, theirs) is not None
    for name in list(theirs):
        broken = type(theirs)(theirs)
        broken[name] = np.array(theirs[name])
        broken[name].flat[0] = spoil
        assert the_filter.accepts(ours, broken) is None


def test_long_sums_are_accepted_too():
    """Sums past four times the part whose magnitudes are added up."""
    case = random_case(2, layers=(700, 300, 3), activation="tanh", batch=300, steps=1)
    case.parameters["W1"] *= np.float32(0.03)  # so that units are not saturated
    ours, theirs = (side.step(case.x, case.y) for side in sides(case))
    assert Filter(case.architecture, 300, case.lr).accepts(ours, theirs) is not None


def test_a_bound_that_runs_away_is_left_to_the_plain_path():
    """Sums that cancel exactly: every number stays 0 while the bound grows past float32, then float64."""
    depth, w = 30, np.float32(2.0**46)
    made_of = architecture((2,) * (depth + 1), "identity")
    parameters = made_of.initial_parameters(0)
    for name, array in parameters.items():
        array[...] = [[w, w], [-w, -w]] if name[0] == "W" else 0
    parameters["W3"][:, 1] = 0  # infinity times this is no number, and no number is no share
    x, y = np.zeros((3, 2), np.float32).T, np.ones((3, 2), np.float32).T
    case = Case(made_of, parameters, x, y, lr=1e-30, steps=2)
    plain, cheap = (lockstep(case, sides(case), filtered=filtered).tally for filtered in (False, True))
    assert plain.undecided > 0
    assert cheap.undecided == plain.undecided
    assert cheap.verdict == plain.verdict
