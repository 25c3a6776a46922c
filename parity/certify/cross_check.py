"""The cross-check, the second gate: whether the numbers of all sides match each other.

One whole step is run in bounded arithmetic from the sides' parameters at its start: the value is the
first side's, the bound is the recorded difference to the others' (zero at the first step). The result
contains the numbers of every correct program started from any of them, so the numbers of all sides must
lie inside. Each step starts from the measured difference, not from an accumulated bound, so the bounds
do not grow with the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from parity.bounds import Bounded, bounded, hold_both
from parity.certify.certificate import (
    Certifier,
    Finding,
    Number,
    Verdict,
    bounded_constants,
    compare,
    evaluate,
)
from reference.arrays import Array
from reference.equations import Constants, Equation
from reference.trace import Trace


@dataclass(frozen=True)
class CrossCheck:
    """One tensor of all sides, compared with the common truth and bound."""

    equation: Equation
    findings: Mapping[str, Finding]  # by side
    max_abs: float  # the largest difference between two sides


def starts(equations: Sequence[Equation]) -> list[str]:
    """The tensors that a step starts from: inputs of its equations that no equation makes."""
    needed = dict.fromkeys(name for equation in equations for name in equation.inputs)
    return [name for name in needed if name not in {equation.makes for equation in equations}]


def walk(
    equations: Sequence[Equation],
    start: Mapping[str, Number],
    constants: Mapping[str, object],
    hold: Callable[[Number, Number], Number] | None = None,
) -> Iterator[tuple[Equation, Number]]:
    """Every equation of a step with its result, from starting values in any arithmetic.

    `hold` widens the result to include those of the equation's other forms (`Equation.also`).
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

    All traces must show the tensors that the step starts from. Indices and truth values have no bounds:
    each side's are used as recorded, and bounds computed from them include every side's.
    """
    judge = certifier.arithmetic
    data = {side: {n: t for n, t in trace.items() if t.dtype.kind != "f"} for side, trace in traces.items()}
    given = certifier.architecture.example(1).keys()
    with np.errstate(all="ignore"), judge.precision():
        values: dict[str, Bounded | Array] = {}
        for name in starts(certifier.equations):
            tensors = [trace[name] for trace in traces.values()]
            floats = tensors[0].dtype.kind == "f"
            values[name] = _common(certifier, tensors, given=name in given) if floats else tensors[0]
        known = bounded_constants(judge, certifier.known(constants))
        for equation in certifier.equations:
            shown = {side: t[equation.makes] for side, t in traces.items() if equation.makes in t}
            if any(tensor.dtype.kind != "f" for tensor in shown.values()):
                yield _of_data(equation, shown)
                continue
            truth = _held(equation, values, list(data.values()), known)
            values[equation.makes] = truth
            findings = {side: compare(equation, t, truth, given=False) for side, t in shown.items()}
            yield CrossCheck(equation, findings, apart(shown.values()))


def _held(
    equation: Equation,
    values: Mapping[str, Bounded | Array],
    data: Sequence[Mapping[str, Array]],
    constants: Mapping[str, object],
) -> Bounded:
    """An equation's result over all its admitted forms, and over each side's data where these differ."""
    sides = [{name: known[name] for name in equation.inputs if name in known} for known in data]
    different = [side for i, side in enumerate(sides) if not any(_same(side, other) for other in sides[:i])]
    truth: Bounded | None = None
    for side in different:
        taken = {**values, **side}
        for form in (equation.evaluate, *equation.also):
            made = cast(Bounded, evaluate(form, equation, taken, constants))
            truth = made if truth is None else hold_both(truth, made)
    assert truth is not None
    return truth


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return all(np.array_equal(tensor, other[name]) for name, tensor in one.items())


def _of_data(equation: Equation, shown: Mapping[str, Array]) -> CrossCheck:
    """The cross-check of indices or truth values; if the sides differ, their own certificates decide."""
    first, *others = shown.values()
    differ = int(np.count_nonzero(np.logical_or.reduce([first != other for other in others])))
    verdict = Verdict.MATCH if differ < first.size else Verdict.UNDECIDED
    finding = Finding(equation, verdict, first.size, differ, vacuous=False)
    return CrossCheck(equation, dict.fromkeys(shown, finding), 0.0)


def apart(tensors: Collection[Array]) -> float:
    """The largest difference between any two of these tensors of equal shape."""
    wide = [tensor.astype(np.float64) for tensor in tensors]
    return float(np.max(np.maximum.reduce(wide) - np.minimum.reduce(wide))) if wide else 0.0


def _common(certifier: Certifier, tensors: Sequence[Array], *, given: bool) -> Bounded:
    """The first side's tensor, with a bound that includes the other sides'.

    Given tensors are exact if all sides have the same; parameters and states that agree by chance are
    not taken to be exact, so that every step of a run is judged by the same bounds.
    """
    first, *others = (tensor.astype(np.float64) for tensor in tensors)
    reach = np.zeros_like(first)
    for other in others:
        reach = np.maximum(reach, np.abs(first - other))
    if given:
        return bounded(certifier.arithmetic, tensors[0], reach)
    return Bounded(certifier.arithmetic, certifier.arithmetic.lift(tensors[0]), reach)
