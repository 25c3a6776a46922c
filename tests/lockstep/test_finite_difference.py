"""The third witness knows no chain rule: it agrees with right gradients and catches wrong derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from parity.campaign.drawn.networks import random_case
from parity.certify.certificate import Certifier, Verdict
from parity.lockstep.finite_difference import check_gradients
from parity.lockstep.lockstep import Reference
from reference.operations.activations import ACTIVATIONS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu"])
def test_every_gradient_of_small_networks(activation, dtype):
    case = random_case(4, "ordinary", dtype, activation, (3, 4, 2), batch=3, steps=1)
    said = check_gradients(case)
    assert said.elements == said.of == 4 * 3 + 4 + 2 * 4 + 2
    assert said.verdict == "match"


def test_large_networks_are_sampled_and_the_sample_is_stated():
    said = check_gradients(random_case(4, activation="tanh", layers=(20, 15, 2), batch=2, steps=1))
    assert (said.elements, said.of) == (256, 20 * 15 + 15 + 15 * 2 + 2)
    assert said.verdict == "match"


def test_a_derivative_that_everybody_believes_is_still_caught():
    """The engine and its certificate share the wrong f′, so the certificate holds; the witness does not."""
    wrong = replace(ACTIVATIONS["tanh"], derivative=lambda z, a, out: np.subtract(1, np.abs(a), out=out))
    case = random_case(4, activation="tanh", layers=(3, 4, 2), batch=3, steps=1)
    case = replace(case, architecture=replace(case.architecture, activations=(wrong, wrong)))
    trace = Reference(case).step(case.x, case.y)
    constants = {"n": 6, "lr": case.lr}
    assert all(f.verdict is Verdict.MATCH for f in Certifier(case.architecture).certify(trace, constants))
    assert check_gradients(case).verdict == "different-formula"


def test_balls_alone_can_judge_float64():
    """Where longdouble is no wider than float64, balls judge everything: same verdicts."""
    case = random_case(9, "ordinary", "float64", "tanh", (3, 5, 4, 2), batch=4, steps=1)
    trace = Reference(case).step(case.x, case.y).kept()
    constants = {"n": 8, "lr": case.lr}
    certifier = Certifier(case.architecture, "ball")
    assert all(f.verdict is Verdict.MATCH for f in certifier.certify(trace, constants))
    trace["dW2"].flat[np.argmax(np.abs(trace["dW2"]))] *= 1 + 2.0**-44  # 512 u, for sums of four terms
    wrong = [f.equation.makes for f in certifier.certify(trace, constants) if f.wrong]
    assert wrong[0] == "dW2"
