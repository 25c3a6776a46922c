"""The cheap path of large networks, on networks small enough to ask the plain path about everything."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.bounds import exact
from parity.campaign.drawn.networks import ACTIVATIONS, REGIMES, random_case
from parity.certify.certificate import Certifier, Verdict, bounded_constants, evaluate
from parity.certify.cross_check import cross_check
from parity.certify.filter import Filter, knows, layout, products
from parity.certify.filter import certificates as local
from parity.certify.filter import gradients as parameters
from parity.certify.filter import updates as replay
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from reference.architecture import architecture
from reference.engine import Network
from reference.equations import constants, step_equations
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS
from tests.nightly import in_turn

MODES = ("large", "cut", "products")


@contextmanager
def forced(mode):
    """Every network is large; `cut` into tiny panels and blocks; `products` leaves nothing out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "LARGE", 0)
        if mode == "cut":
            for module in (layout, local, parameters, products, replay):
                patch.setattr(module, "BLOCK", 7)
            patch.setattr(products, "PANEL", 12)
            patch.setattr(products, "AT_LEAST", 1)
            patch.setattr(products, "PART", 2)
            patch.setattr(local, "ROWS", 1)
            patch.setattr(local, "ROW_NUMBERS", 8)
        if mode == "products":
            patch.setattr(local, "FEW", 1e30)
        yield


def apart(case, random):
    """Two correct sides' traces of one step, which theirs may start from somewhere near."""
    ours = Reference(case).step(case.x, case.y).kept()
    by = random.choice([0, 1e-7, 1e-5, 1e-2])
    others = {
        n: (p * (1 + by * random.normal(size=p.shape))).astype(p.dtype) for n, p in case.parameters.items()
    }
    if random.random() < 0.5:
        return ours, Twin(case.architecture, others, case.lr).step(case.x, case.y).kept()
    return ours, Network(case.architecture, others).step(case.x, case.y, case.lr).kept()


def _in_float32(share):
    """A share as the filter of large networks measures it: what is below 2^−149 of a bound is 0."""
    return float(np.float32(share))


class Plain:
    """What the plain path says of two traces."""

    def __init__(self, case):
        self.certifier = Certifier(case.architecture)
        self.constants = constants(case.architecture, case.x.shape[1], case.lr)

    def holds(self, ours, theirs, shares):
        """Everything accepted is inside, nothing undecided, and no share is below the true one."""
        place = {name: i for i, name in enumerate(shares.names)}
        for i, trace in enumerate((ours, theirs)):
            for finding in self.certifier.certify(trace, self.constants):
                assert finding.verdict is Verdict.MATCH
                assert finding.undecided == 0
                assert (
                    _in_float32(finding.ratio) * (1 - 2**-19)
                    <= shares.certificates[i, place[finding.equation.makes]]
                    <= 1
                )
        for pair in cross_check(self.certifier, {"reference": ours, "torch": theirs}, self.constants):
            for i, finding in enumerate(pair.findings.values()):
                assert not finding.wrong
                assert finding.undecided == 0
                assert (
                    _in_float32(finding.ratio) * (1 - 2**-19)
                    <= shares.side_by_side[i, place[finding.equation.makes]]
                    <= 1
                )

    def bound(self, equation, trace):
        """A formula's truth and bound on a side's own numbers."""
        judge = self.certifier.arithmetic
        with judge.precision(), np.errstate(all="ignore"):
            inputs = {name: exact(judge, trace[name]) for name in equation.inputs}
            found = evaluate(equation.evaluate, equation, inputs, bounded_constants(judge, self.constants))
        return np.asarray(found.value), np.broadcast_to(found.carried, found.value.shape)


def moved(trace, name, at, number):
    """The trace with one number of one tensor in place of what it was."""
    other = type(trace)(trace)
    other[name] = np.array(trace[name])
    other[name].flat[at] = number
    return other


@pytest.mark.parametrize(("regime", "mode"), in_turn(REGIMES, MODES))
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_accepted_is_inside_and_no_share_is_too_small(mode, regime, seed):
    random = np.random.default_rng(seed)
    activation = str(random.choice(ACTIVATIONS)) if random.random() < 0.5 else None
    case = random_case(seed, regime, activation=activation, steps=1)
    with forced(mode), np.errstate(all="ignore"):
        plain, (ours, theirs) = Plain(case), apart(case, random)
        the_filter = Filter(case.architecture, case.x.shape[1], case.lr)
        for _ in range(2):  # at first everything is added up whole, to tell what could fail
            shares = the_filter.accepts(ours, theirs)
            if shares is not None:
                plain.holds(ours, theirs, shares)
        for _ in range(3):  # any number, anywhere
            name, side = str(random.choice(the_filter.layout.judged)), int(random.integers(2))
            traces = [ours, theirs]
            at = int(random.integers(traces[side][name].size))
            was = np.float32(traces[side][name].flat[at])
            factor = np.float32(1 + random.normal() * 10.0 ** random.uniform(-8, 0))
            number = random.choice([was * factor, np.nextafter(was, np.float32(1)), np.float32(-0.0)])
            traces[side] = moved(traces[side], name, at, number)
            shares = the_filter.accepts(*traces)
            if shares is not None:
                plain.holds(*traces, shares)
        for _ in range(3):  # just inside and just outside the bound of one formula
            equation = plain.certifier.equations[random.integers(len(plain.certifier.equations))]
            traces, side = [ours, theirs], int(random.integers(2))
            truth, bound = plain.bound(equation, traces[side])
            at, times = int(random.integers(truth.size)), random.choice([-1, 1])
            times *= random.choice([0.9, 0.999, 1.0001, 1.05, 2])
            number = truth.flat[at] + times * bound.flat[at]
            if np.isfinite(number):
                traces[side] = moved(traces[side], equation.makes, at, np.float32(number))
                shares = the_filter.accepts(*traces)
                if shares is not None:
                    plain.holds(*traces, shares)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_to_the_plain_path(mode, spoil):
    case = random_case(11, layers=(3, 5, 2), activation="tanh", batch=4)
    sides = Reference(case), Twin(case.architecture, case.parameters, case.lr)
    with forced(mode):
        ours, theirs = (side.step(case.x, case.y).kept() for side in sides)
        the_filter = Filter(case.architecture, 4, case.lr)
        assert the_filter.accepts(ours, theirs) is not None
        for name in theirs:
            assert the_filter.accepts(ours, moved(theirs, name, 0, spoil)) is None
            assert the_filter.accepts(moved(ours, name, 0, spoil), theirs) is None
        both = [moved(trace, "W1_next", 0, spoil) for trace in (ours, theirs)]
        assert the_filter.accepts(*both) is None


@pytest.mark.parametrize("mode", ["large", "cut"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_both_paths_tell_the_same_over_many_steps(mode, activation):
    """Features that few samples light up, as in images: a part of a sum says nothing of them."""
    case = random_case(5, layers=(30, 20, 4), activation=activation, batch=40, steps=8)
    case.x[...] = np.where(np.random.default_rng(0).random(case.x.shape) < 0.05, case.x, 0)

    def rows(walk):
        found = [*walk.tally.formula_rows(), *walk.tally.side_by_side_rows()]
        return [row.model_dump(exclude={"worst_ratio", "max_abs"}) for row in found]

    def walk(*, filtered):
        sides = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
        return lockstep(case, sides, keep_going=True, filtered=filtered)

    with forced(mode):
        plain, cheap = walk(filtered=False), walk(filtered=True)
    assert rows(cheap) == rows(plain)
    assert cheap.tally.numbers == plain.tally.numbers
    largest = [[row.max_abs for row in w.tally.side_by_side_rows()] for w in (cheap, plain)]
    np.testing.assert_array_almost_equal_nulp(np.float32(largest[0]), np.float32(largest[1]), 1)


def test_steps_of_large_networks_are_accepted():
    """Else the tests above would test nothing."""
    case = random_case(5, layers=(30, 20, 4), activation="tanh", batch=40)
    for p in case.parameters.values():
        p *= np.float32(0.1)
    with forced("large"):
        ours, theirs = Reference(case), Twin(case.architecture, case.parameters, case.lr)
        the_filter = Filter(case.architecture, 40, case.lr)
        for _ in range(6):
            assert the_filter.accepts(ours.step(case.x, case.y), theirs.step(case.x, case.y)) is not None


def test_what_the_cheap_path_does_not_know_it_leaves_alone():
    def known(made_of):
        return knows(made_of, step_equations(made_of))

    def changed(**what):
        return replace(plain, **what)

    plain = architecture((3, 4, 2), "tanh")
    assert known(plain)
    assert not known(changed(dtype=np.dtype(np.float64)))
    assert not known(changed(loss=LOSSES["l1"]))
    asked = [family.configured() for family in OPTIMIZERS.values()]
    asked += [OPTIMIZERS["sgd"].configured(weight_decay=0.1), OPTIMIZERS["sgd"].configured(maximize=True)]
    for optimizer in asked:
        assert known(changed(optimizer=optimizer)) == optimizer.plain
    assert sum(optimizer.plain for optimizer in asked) == 1
    for name in ("softplus", "leaky_relu"):
        assert not known(architecture((3, 4, 2), name))
