"""Records both gates of one step: the rules of the bounded arithmetic, run on numbers that record."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from parity.bounds import Bounded, doubles, hold_both
from parity.bounds.number import EXACT
from parity.certify.certificate import Certifier, bounded_constants, evaluate
from parity.certify.cross_check import starts
from parity.certify.plan.constants import COUNT, recorded
from parity.certify.plan.layout import StepLayout
from parity.certify.plan.node import TapeNode
from parity.certify.plan.recording import RecordingArray
from parity.certify.plan.tape import CallTape, UnplannableError
from reference.equations import Constants, Equation
from reference.optimizers import Derived
from reference.trace import Trace


@dataclass(frozen=True)
class TruthNodes:
    """An equation's truth, bound and kinks, as nodes of a tape."""

    name: str
    value: TapeNode
    bound: TapeNode
    kink: TapeNode | None


@dataclass(frozen=True)
class StepTracing:
    """Both gates of one step: what is judged in each, in the order of execution."""

    tape: CallTape
    certificates: list[TruthNodes]  # of both sides
    cross_checks: list[TruthNodes]
    given: list[str]  # the inputs that both sides must share
    changing: list[str]  # the constants that differ from step to step


def changing(constants: Constants) -> list[str]:
    """The constants that differ from step to step."""
    return [name for name, number in constants.items() if name == COUNT or isinstance(number, Derived)]


def traced(
    certifier: Certifier,
    layout: StepLayout,
    sides: tuple[Trace, Trace],
    constants: Constants,
    general: Collection[Hashable] = (),
) -> StepTracing:
    """Both gates of a step, recorded on its numbers. Raises UnplannableError if they cannot be."""
    judge, tape = certifier.arithmetic, CallTape(general)
    if "ball" in (judge.truth, doubles(judge).truth):
        raise UnplannableError("ball arithmetic")
    values = {
        name: RecordingArray(tape, tape.given(name, layout.both(name, sides), stacked=True))
        for name in layout.names
    }
    for name in layout.given:
        values[name] = RecordingArray(tape, tape.given(name, layout.shared(name, sides[0]), stacked=False))
    with np.errstate(all="ignore"), judge.precision():
        known = _constants(tape, certifier, constants)
        lifted = {name: Bounded(judge, judge.lift(value), EXACT) for name, value in values.items()}
        certificates = []
        for equation in certifier.equations:
            tape.begin((1, equation.makes))
            truth = _evaluated(equation, lifted, known)
            certificates.append(_judged(tape, equation, truth))
        together: dict[str, Bounded] = {name: lifted[name] for name in layout.given}
        for name in starts(certifier.equations):
            if name not in together:
                ours, theirs = (RecordingArray(tape, tape.side(values[name].node, side)) for side in (0, 1))
                value = RecordingArray(tape, tape.side(cast(RecordingArray, lifted[name].value).node, 0))
                together[name] = Bounded(judge, value, np.abs(ours - theirs))  # type: ignore[arg-type]
        cross_checks = []
        for equation in certifier.equations:
            tape.begin((2, equation.makes))
            truth = _evaluated(equation, together, known)
            for form in equation.also:
                truth = hold_both(truth, evaluate(form, equation, together, known))
            together[equation.makes] = truth
            cross_checks.append(_judged(tape, equation, truth))
    return StepTracing(tape, certificates, cross_checks, list(layout.given), changing(constants))


def _evaluated(equation: Equation, values: Mapping[str, Bounded], known: Mapping[str, object]) -> Bounded:
    if equation.check is not None:
        raise UnplannableError(f"{equation.makes} is a choice")
    truth = evaluate(equation.evaluate, equation, values, known)
    if not isinstance(truth, Bounded):
        raise UnplannableError(f"{equation.makes} has no bound")
    return truth


def _judged(tape: CallTape, equation: Equation, truth: Bounded) -> TruthNodes:
    """The nodes of a truth, aligned to its shape."""

    def node(array: Any) -> TapeNode:
        found = array.node if isinstance(array, RecordingArray) else tape.constant(array)
        return tape.spread(found, truth.shape) if found.shape != truth.shape else found

    kink = None if truth.kink is None else node(truth.kink)
    return TruthNodes(equation.makes, node(truth.value), node(truth.carried), kink)


def _constants(tape: CallTape, certifier: Certifier, constants: Constants) -> dict[str, object]:
    """The constants with bounds; those that differ from step to step are recorded."""
    known: dict[str, object] = dict(bounded_constants(certifier.arithmetic, certifier.known(constants)))
    for name in changing(constants):
        known[name] = recorded(tape, name, known[name])
    return known
