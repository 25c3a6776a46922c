"""Numbers and tensors that people use and that the deck has no name for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from parity.bounds import Bounded, bounded
from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.scenario import Scenario
from reference.equations import Equation
from reference.trace import Trace


def norm_of(*quantities: str) -> Callable[[Scenario, Equation], Bounded]:
    """‖·‖ of all layers' gradients together; for a gradient, of those that should have been shown."""

    def norm(scenario: Scenario, equation: Equation) -> Bounded:
        observation = scenario.observation
        if not equation.formula.name.endswith("update"):
            shown = Trace({n: t for n, t in observation.shown.items() if n[:2] not in ("dW", "db")})
            scenario = Scenario(replace(observation, shown=shown), scenario.judge)
        layers = range(1, observation.architecture.depth + 1)
        gradients = [scenario.value(f"{quantity}{layer}") for quantity in quantities for layer in layers]
        squares = [np.add.reduce(np.add.reduce(np.square(g), axis=1), axis=0) for g in gradients]
        found: Bounded = np.sqrt(sum(squares[1:], squares[0]))
        return found

    return norm


def moved(scenario: Scenario, equation: Equation) -> Bounded:
    """W_next − W of the call before, as shown: known up to the rounding of the sum that made it.

    Raises DoesNotApplyError where it was not shown.
    """
    before, name = scenario.before, equation.makes
    if before is None or name not in before.observation.shown:
        raise DoesNotApplyError
    after = before.observation.shown[name]
    rounding = scenario.judge.u * np.abs(after).astype(np.float64)
    found: Bounded = bounded(scenario.judge, after, rounding) - before.value(name.removesuffix("_next"))
    return found


UNNAMED: Mapping[str, Callable[[Scenario, Equation], Bounded]] = {
    "norm_of_gradients": norm_of("dW", "db"),
    "norm_of_weight_gradients": norm_of("dW"),
    "moved'": moved,
}
"""By the names that they have in trees."""
