"""The cross-check: the second gate, "they match", as a statement about the sides' numbers.

One whole step is run in bounded arithmetic from where the sides stand at its start: the value is the
first side's, the bound is the recorded difference to the others' parameters (zero at the first
step). What comes out contains every correct program started from any of them, so the numbers of all
sides must lie inside. Each step starts from the measured difference, not from an accumulated bound,
so this does not wear out with the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.bounds import Bounded, bounded, hold_both
from parity.certify.certificate import Certifier, Finding, Number, bounded_constants, compare, evaluate
from reference.arrays import Array
from reference.equations import Constants, Equation
from reference.trace import Trace


@dataclass(frozen=True)
class CrossCheck:
    """One tensor of all sides, held against the one truth and bound that admit them all."""

    equation: Equation
    findings: Mapping[str, Finding]  # by side
    max_abs: float  # the largest difference between two sides


def starts(equations: Sequence[Equation]) -> list[str]:
    """The tensors that a step starts from: its equations need them, and none of them makes them."""
    needed = dict.fromkeys(name for equation in equations for name in equation.inputs)
    return [name for name in needed if name not in {equation.makes for equation in equations}]


def walk(
    equations: Sequence[Equation],
    start: Mapping[str, Number],
    constants: Mapping[str, object],
    hold: Callable[[Number, Number], Number] | None = None,
) -> Iterator[tuple[Equation, Number]]:
    """Every equation of a step and what it makes, from starting values in any arithmetic.

    `hold` widens what an equation makes to what its other forms make (those of `Equation.also`).
    """
    values = dict(start)
    for equation in equations:
        made = evaluate(equation.evaluate, equation, values, constants)
        if hold is not None:
            for form in equation.also:
                made = hold(made, evaluate(form, equation, values, constants))
        values[equation.makes] = made
        yield equation, made


def cross_check(
    certifier: Certifier, traces: Mapping[str, Trace], constants: Constants
) -> Iterator[CrossCheck]:
    """Every tensor that the step makes, in the order of execution.

    All traces must show the tensors that the step starts from.
    """
    judge = certifier.arithmetic
    with np.errstate(all="ignore"), judge.precision():
        start = {
            name: _common(certifier, [trace[name] for trace in traces.values()])
            for name in starts(certifier.equations)
        }
        known = bounded_constants(judge, certifier.known(constants))
        for equation, truth in walk(certifier.equations, start, known, hold_both):
            shown = {side: t[equation.makes] for side, t in traces.items() if equation.makes in t}
            findings = {side: compare(equation, t, truth, given=False) for side, t in shown.items()}
            yield CrossCheck(equation, findings, apart(shown.values()))


def apart(tensors: Collection[Array]) -> float:
    """The largest difference between two of these tensors of one shape."""
    wide = [tensor.astype(np.float64) for tensor in tensors]
    return float(np.max(np.maximum.reduce(wide) - np.minimum.reduce(wide))) if wide else 0.0


def _common(certifier: Certifier, tensors: Sequence[Array]) -> Bounded:
    """A tensor of the first side, with a bound that reaches the other sides'."""
    first, *others = (tensor.astype(np.float64) for tensor in tensors)
    reach = np.zeros_like(first)
    for other in others:
        reach = np.maximum(reach, np.abs(first - other))
    return bounded(certifier.arithmetic, tensors[0], reach)
