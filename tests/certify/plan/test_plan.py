"""A plan accepts only what the plain path accepts, and of that all that is decided."""

from __future__ import annotations

import zlib
from contextlib import nullcontext
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from parity.campaign.drawn.entries import ENTRIES
from parity.campaign.drawn.networks import REGIMES, random_case
from parity.campaign.drawn.vocabulary import case as drawn
from parity.certify.plan.tape import UnplannableError
from parity.config.case import Case
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from reference.clipping import CLIPPINGS
from reference.optimizers import OPTIMIZERS
from tests.certify.plan.both import CHANGES, BothPaths, as_of_large_networks, changed
from tests.mutants.vocabulary import of_activation, of_loss, of_optimizer
from tests.nightly import in_turn, one_in

DTYPES = ("float32", "float64")
NAMED = {entry.name: entry for entry in ENTRIES}
NEVER = {("tanhshrink", "float32"), ("tanhshrink", "float64"), ("muon", "float32"), ("muon", "float64")}
"""PyTorch's own form of these is another one, or its bounds decide nothing: the plain path judges them."""


def seed_of(*words: object) -> int:
    return zlib.crc32(" ".join(map(str, words)).encode())


@pytest.mark.parametrize(("entry", "dtype"), in_turn(ENTRIES, DTYPES))
def test_what_a_plan_accepts_of_changed_numbers_the_plain_path_accepts(entry, dtype):
    case = drawn(entry, 0, dtype, "ordinary", seed_of(entry, dtype))
    both, accepted = BothPaths(case), 0
    random = np.random.default_rng(1)
    for step, (known, traces) in enumerate(both.steps()):
        if step == 0:
            continue
        with as_of_large_networks() if seed_of(dtype, entry) % 2 else nullcontext():
            both.record(known, traces)
        shares = both.plan.shares(tuple(traces.values()), known)
        if shares is None:
            continue
        accepted += 1
        assert both.disagreements(shares, known, traces) == []
        for name in traces["torch"]:
            for change in random.choice(CHANGES, 2, replace=False):
                side = str(random.choice(list(traces)))
                spoilt = changed(both, known, traces, side, name, change, random)
                shares = both.plan.shares(tuple(spoilt.values()), known)
                if shares is not None:
                    assert both.disagreements(shares, known, spoilt) == [], (side, name, change)
        break  # one step of each is enough of a run that is repeated at every change
    assert accepted or (entry.name, dtype) in NEVER or case.findings


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_plan_recorded_on_one_step_judges_all_others(dtype, regime):
    """Recorded on ordinary numbers, replayed on those of every regime, and the other way round."""
    shape = {"layers": (5, 4, 3), "batch": 6, "steps": 3}
    for activation, blocked in product(("sigmoid", "tanh", "relu", "identity"), (False, True)):
        case = random_case(seed_of(regime, activation), regime, dtype, activation, **shape)
        usual = random_case(3, "ordinary", dtype, activation, **shape)
        plain = BothPaths(replace(case, lr=usual.lr))
        with as_of_large_networks() if blocked else nullcontext():
            plain.record(*next(BothPaths(usual).steps()))
        for known, traces in plain.steps():
            shares = plain.plan.shares(tuple(traces.values()), known)
            assert shares is None or plain.disagreements(shares, known, traces) == []


def told(case: Case, planted: Case, *, filtered: bool) -> tuple[object, ...]:
    """All that a lockstep with a planted engine says, but the shares."""
    sides = [Reference(planted), Twin(case.architecture, case.parameters, case.lr)]
    tally = lockstep(case, sides, filtered=filtered, keep_going=True).tally
    at = tally.first
    rows = [
        {key: value for key, value in row.model_dump().items() if key != "worst_ratio"}
        for row in (*tally.formula_rows(), *tally.side_by_side_rows())
    ]
    first = at and (at.step, at.side, at.formula, at.layer, at.gate, at.index)
    return tally.verdict, first, tally.numbers, tally.undecided, rows


def mistakes_of(entry, case: Case):
    if entry.kind == "activation":
        return list(of_activation(case.architecture.activations[0]))
    if entry.kind == "loss":
        return list(of_loss(case.architecture.loss))
    return list(of_optimizer(case.architecture.optimizer))


@pytest.mark.parametrize("name", one_in(3, NAMED))
def test_planted_mistakes_are_told_alike(name):
    """Of each name, one of its mistakes, planted from the first step on."""
    entry = NAMED[name]
    case = drawn(entry, 1, "float32", "ordinary", seed_of(entry))
    mistakes = mistakes_of(entry, case)
    mutant = mistakes[seed_of(entry) % len(mistakes)]
    planted = mutant.planted(case)
    assert told(case, planted, filtered=True) == told(case, planted, filtered=False)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("norm", {"max_norm": 0.1}),
        ("norm", {"max_norm": 0.1, "norm_type": 1.0}),
        ("norm", {"max_norm": 0.1, "norm_type": 3.0}),
        ("norm", {"max_norm": 0.1, "norm_type": float("inf")}),
        ("value", {"clip_value": 1e-3}),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping_is_told_alike(method, options, dtype):
    case = random_case(8, "ordinary", dtype, "tanh", (5, 4, 3), batch=6, steps=5)
    clipping = CLIPPINGS[method].configured(**options)
    adam = OPTIMIZERS["adam"].configured()
    case = replace(case, architecture=replace(case.architecture, clipping=clipping, optimizer=adam))
    assert told(case, case, filtered=True) == told(case, case, filtered=False)


def test_steps_are_accepted_and_constants_that_change_are_taken_in():
    """A plan recorded at the second step judges the fortieth."""
    for name in ("adam", "nadam", "radam", "asgd", "adagrad"):
        case = random_case(8, "ordinary", "float32", "tanh", (5, 4, 3), batch=6, steps=40)
        optimizer = OPTIMIZERS[name].configured()
        case = replace(case, architecture=replace(case.architecture, optimizer=optimizer), lr=1e-3)
        both, accepted = BothPaths(case), 0
        for step, (known, traces) in enumerate(both.steps()):
            if step == 8:  # behind RAdam's decision
                both.record(known, traces)
            if both.plan is not None:
                shares = both.plan.shares(tuple(traces.values()), known)
                accepted += shares is not None
                assert shares is None or both.disagreements(shares, known, traces) == []
        assert accepted > 25


def test_a_plan_is_not_asked_of_what_it_does_not_know():
    case = random_case(8, "ordinary", "float32", "tanh", (5, 4, 3), batch=6, steps=2)
    both = BothPaths(case)
    known, traces = list(both.steps())[1]
    both.record(known, traces)
    ours, theirs = traces.values()
    for broken in (
        {name: tensor for name, tensor in theirs.items() if name != "z1"},
        {**theirs, "more": theirs["z1"]},
        {**theirs, "z1": theirs["z1"].astype(np.float64)},
        {**theirs, "z1": theirs["z1"][:1]},
        {**theirs, "x": theirs["x"] + 1},
    ):
        assert both.plan.shares((ours, type(theirs)(broken)), known) is None


def test_balls_are_left_to_the_plain_path():
    case = random_case(8, "ordinary", "float64", "tanh", (2, 2), batch=2, steps=1)
    both = BothPaths(case)
    both.certifier = type(both.certifier)(case.architecture, truth="ball")
    with pytest.raises(UnplannableError):
        both.record(*next(both.steps()))
