"""No false alarm: correct programs pass both gates, in every regime, in both formats, on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.campaign.drawn.networks import REGIMES, random_case
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from tests.nightly import in_turn

EXAMPLES = 25  # times 8 regimes: 200 random networks a run, and by night as many in the other format


@pytest.mark.parametrize(("regime", "dtype"), in_turn(REGIMES, ["float32", "float64"]))
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32 - 1))
def test_correct_sides_never_raise_an_alarm(regime, dtype, seed):
    case = random_case(seed, regime, dtype)
    sides = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
    walk = lockstep(case, sides, keep_going=True)
    assert walk.tally.first is None
    assert walk.steps == case.steps or walk.diverged


@pytest.mark.parametrize("batch", [1, 3, 17])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_any_depth_and_batch(depth, batch):
    layers = tuple(np.random.default_rng(depth).integers(2, 12, size=depth + 1).tolist())
    case = random_case(depth * batch, layers=layers, batch=batch, steps=5)
    sides = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
    tally = lockstep(case, sides).tally
    assert tally.verdict == "match"
    # Nine tensors a layer but for the output's missing product, both sides, two gates, five steps.
    assert tally.tensors == 5 * 2 * 2 * (8 * depth + 1)
