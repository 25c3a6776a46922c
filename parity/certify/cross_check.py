"""Side by side: the second gate, "they match", as a statement about the two sides' numbers.

One whole step is run in bounded arithmetic from where the two sides stand at its start: the value
is ours, the bound is the recorded difference to the other side's parameters (zero at the first
step). What comes out contains every correct program started from either side, so both sides'
numbers must lie inside. Each step starts from the measured difference, not from an accumulated
bound, so this does not wear out with the number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.bounds import Bounded, bounded, exact, hold_both
from parity.certify.certificate import Certifier, Finding, bounded_constants, compare, evaluate
from reference.equations import Constants
from reference.trace import Trace


@dataclass(frozen=True)
class Pair:
    """One tensor of both sides, held against the one truth and bound that admit both."""

    ours: Finding
    theirs: Finding
    max_abs: float  # the largest difference between the two sides


def side_by_side(certifier: Certifier, ours: Trace, theirs: Trace, constants: Constants) -> Iterator[Pair]:
    """Every tensor that the step makes, in the order of execution. Both traces must be complete."""
    judge = certifier.arithmetic
    with np.errstate(all="ignore"), judge.precision():
        values: dict[str, Bounded] = {name: exact(judge, ours[name]) for name in ("x", "y")}
        shape = certifier.architecture
        for name in (*shape.parameter_shapes(), *shape.state_shapes()):
            apart = np.abs(ours[name].astype(np.float64) - theirs[name].astype(np.float64))
            values[name] = bounded(judge, ours[name], apart)
        known = bounded_constants(judge, certifier.known(constants))
        for equation in certifier.equations:
            truth = evaluate(equation.evaluate, equation, values, known)
            for form in equation.also:
                truth = hold_both(truth, evaluate(form, equation, values, known))
            values[equation.makes] = truth
            mine, other = ours[equation.makes], theirs[equation.makes]
            apart = np.abs(mine.astype(np.float64) - other.astype(np.float64))
            yield Pair(
                compare(equation, mine, truth, exact=False),
                compare(equation, other, truth, exact=False),
                float(np.max(apart)),
            )
