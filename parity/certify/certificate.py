"""Certificates: is each formula of a trace satisfied, as far as rounding allows?

For every equation of the step, on a side's OWN recorded inputs (floats, so exact): evaluate it in
better arithmetic, bound what rounding can do to that one equation, and require

    |observed − truth| ≤ bound    for every number

A formula that fails here is wrong where it stands; what it was fed does not matter. Nothing in
this module is a tolerance: every bound comes out of `parity.bounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar, cast

import numpy as np

from parity.bounds import Bounded, constant, doubles, exact, rounded
from parity.bounds.formats import Arithmetic, arithmetic
from parity.certify.measure import Measured, Worst, measure, taken
from parity.pytorch.deviations import accepted
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Constants, Equation, example, step_equations
from reference.optimizers import Derived
from reference.trace import Trace

Number = TypeVar("Number")
"""An array in some arithmetic: floats, numbers with bounds, balls."""


class Verdict(StrEnum):
    """What a certificate says of one formula, or a run of all."""

    MATCH = "match"
    OTHER_FORM = "other-form"
    DIFFERENT = "different-formula"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Finding:
    """One equation, on one side, at one step."""

    equation: Equation
    verdict: Verdict
    numbers: int
    undecided: int
    vacuous: bool
    worst: Worst | None = None
    complaint: Message | None = None
    forms: tuple[str, ...] = ()  # of an other form: what it is, where `admitted` has names for it

    @classmethod
    def complaining(cls, equation: Equation, complaint: Message) -> Finding:
        """Of a tensor that cannot be compared, or must not be: it is wrong before any number is."""
        return cls(equation, Verdict.DIFFERENT, 0, 0, vacuous=False, complaint=complaint)

    @property
    def ratio(self) -> float:
        """Largest share of the bound that was used; infinite for a tensor that cannot be compared."""
        if self.worst is not None:
            return self.worst.ratio
        return float("inf") if self.complaint else 0.0

    @property
    def wrong(self) -> bool:
        return self.verdict is Verdict.DIFFERENT


class Certifier:
    """Checks traces of one architecture in one number format."""

    def __init__(
        self, architecture: Architecture, truth: str | None = None, findings: Sequence[str] = ()
    ) -> None:
        """`findings` name accepted deviations of PyTorch's: what they admit is one more form.

        Raises UsageError for one that is not listed.
        """
        self.architecture, self.findings = architecture, accepted(findings)
        self.equations = tuple(self._admitting(equation) for equation in step_equations(architecture))
        self.arithmetic = arithmetic(architecture.dtype, truth)
        # What longdouble would reject, ball arithmetic decides; elsewhere one judge is enough.
        second = self.arithmetic.truth == "longdouble"
        self._appeal = arithmetic(architecture.dtype, "ball") if second else None
        self._known = {name for e in self.equations for name in (e.makes, *e.inputs)}
        self._examples: dict[int, dict[str, Array]] = {}

    def _admitting(self, equation: Equation) -> Equation:
        forms = self._accepted(equation)
        if not forms:
            return equation
        return replace(equation, other_forms=(*equation.other_forms, *forms), also=(*equation.also, *forms))

    def _accepted(self, equation: Equation) -> tuple[Callable[..., Array], ...]:
        """What accepted findings say is computed in an equation's place."""
        forms = (finding.admits(equation, self.architecture) for finding in self.findings)
        return tuple(form for form in forms if form is not None)

    def known(self, constants: Constants) -> Constants:
        """The constants, as well as the accepted findings leave them known."""
        for finding in self.findings:
            constants = finding.loosens(constants)
        return constants

    def certify(self, trace: Trace, constants: Constants) -> Iterator[Finding]:
        """A finding for every equation of the step, in the order of execution."""
        complaints = self.complaints(trace)
        extra = [complaint for name, complaint in complaints.items() if name not in self._known]
        with np.errstate(all="ignore"):
            for equation in self.equations:
                broken = [complaints[n] for n in (equation.makes, *equation.inputs) if n in complaints]
                broken += extra  # whose shape is unknown; the first equation says it
                extra = []
                if broken:
                    yield Finding.complaining(equation, broken[0])
                else:
                    yield self.check(equation, trace, constants)

    def complaints(self, trace: Trace) -> dict[str, Message]:
        """What is wrong with the tensors before any number is looked at: missing, shape, dtype."""
        x = trace.get("x")
        batch = 0 if x is None else self.architecture.samples(x)
        if batch not in self._examples:
            self._examples[batch] = example(self.architecture, batch)
        expected = self._examples[batch]
        found: dict[str, Message] = {}
        for name, like in expected.items():
            tensor, shape, dtype = trace.get(name), like.shape, like.dtype
            if tensor is None:
                found[name] = Message("missing", name=name)
            elif tensor.shape != shape:
                found[name] = Message("shape", name=name, found=tensor.shape, expected=shape)
            elif tensor.dtype != dtype:
                found[name] = Message("dtype", name=name, found=tensor.dtype, expected=dtype)
            elif 0 in shape:
                found[name] = Message("empty", name=name)
        for name in trace.keys() - expected.keys():
            found[name] = Message("foreign", name=name)
        return found

    def check(self, equation: Equation, trace: Trace, constants: Constants) -> Finding:
        """One equation: the contract's form first, then the other admitted ones.

        Where the form of an accepted finding can tell nothing, nor can the certificate.
        """
        return self.measure(equation, trace, constants)[0]

    def measure(self, equation: Equation, trace: Trace, constants: Constants) -> tuple[Finding, Bounded]:
        """The finding of `check`, and the truth and bound of the contract's form."""
        finding, truth = self._judge(equation.evaluate, equation, trace, constants, self.arithmetic)
        return (self._reconsider(finding, trace, constants) if finding.wrong else finding), truth

    def _reconsider(self, finding: Finding, trace: Trace, constants: Constants) -> Finding:
        """The last word on a formula that seems wrong: ball arithmetic, then the other admitted forms."""
        equation = finding.equation
        if self._appeal:
            finding, _ = self._judge(equation.evaluate, equation, trace, constants, self._appeal)
            if not finding.wrong:
                return finding
        last = len(equation.other_forms) - len(self._accepted(equation))
        for place, form in enumerate(equation.other_forms):
            other, _ = self._judge(form, equation, trace, constants, self._appeal or self.arithmetic)
            if other.verdict is Verdict.MATCH:
                return replace(other, verdict=Verdict.OTHER_FORM)
            if other.verdict is Verdict.UNDECIDED and place >= last:
                return other
        return finding

    def _judge(
        self,
        form: Callable[..., Array],
        equation: Equation,
        trace: Trace,
        constants: Constants,
        judge: Arithmetic,
    ) -> tuple[Finding, Bounded]:
        with judge.precision():
            observed = trace[equation.makes]
            if equation.check is not None:  # of numbers as they are: a choice rounds nothing
                right = equation.check(*(trace[name] for name in equation.inputs), observed)
                return compare(equation, observed, right), exact(judge, observed)
            inputs = {name: taken(judge, trace[name]) for name in equation.inputs}
            known = bounded_constants(judge, self.known(constants))
            truth = cast(Bounded, evaluate(form, equation, inputs, known))
            return compare(equation, observed, truth), truth


PLAIN: dict[str, Callable[[float], float]] = {"t": int, "clipping.norm_type": float}
"""Constants that formulas count with, or ask for: they carry no bound."""


def bounded_constants(judge: Arithmetic, constants: Constants) -> dict[str, Bounded | float]:
    """n in the side's format; η and an optimizer's hyperparameters as doubles, which PyTorch's are too.

    Among themselves they are combined in double precision; where they meet an array of float32, they
    are rounded to it.
    """
    double = doubles(judge)
    found: dict[str, Bounded | float] = {}
    for name, number in constants.items():
        if name in PLAIN:
            found[name] = PLAIN[name](number)
        elif isinstance(number, Derived):
            found[name] = rounded(double, number, number.roundings)
        else:
            found[name] = constant(judge if name == "n" else double, number)
    return found


def evaluate(
    form: Callable[..., Array],
    equation: Equation,
    values: Mapping[str, Number],
    constants: Mapping[str, object],
) -> Number:
    """A formula, evaluated in another arithmetic: its numbers answer to the same functions as arrays."""
    arguments = [values[name] for name in equation.inputs]
    result = form(*arguments, *(constants[name] for name in equation.constants))
    return cast(Number, result)


def compare(equation: Equation, observed: Array, truth: Bounded | Array, *, given: bool = True) -> Finding:
    """What an equation made, held against its truth; see `measure`."""
    return finding(equation, measure(observed, truth, given=given))


def finding(equation: Equation, found: Measured) -> Finding:
    """What was measured, as the verdict on an equation."""
    if found.worst is None:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.DIFFERENT if found.wrong else Verdict.MATCH
    return Finding(equation, verdict, found.numbers, found.undecided, found.vacuous, found.worst)
