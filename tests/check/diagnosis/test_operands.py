"""An equation taken apart into its operands is still that equation."""

from __future__ import annotations

import numpy as np
import pytest

from parity.bounds.formats import arithmetic
from parity.campaign.drawn.networks import random_case
from parity.certify.observation import Observation
from parity.check.diagnosis.anatomy import anatomy
from parity.check.diagnosis.scenario import Scenario
from parity.explain.number import walked
from reference.trace import Trace


@pytest.mark.parametrize("seed", range(6))
def test_combined_as_they_are_the_parts_give_the_formula(seed):
    found = walked(random_case(seed, dtype="float64"), step=0)
    shape, trace = found.architecture, found.traces["reference"]
    given = Trace({n: trace[n] for n in ("x", "y", *shape.parameter_shapes())})
    rest = Trace({n: t for n, t in trace.items() if n not in given})
    observation = Observation(shape, found.lr, given, rest)
    scenario = Scenario(observation, arithmetic("float64"))
    with scenario.judge.precision():
        for equation in observation.equations.values():
            whole = scenario.predict(equation)
            parts = anatomy(equation).combine(scenario.opened(equation))
            assert np.array_equal(whole.value, parts.value)
