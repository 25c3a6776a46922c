"""Certificates: whether a trace satisfies each formula within rounding.

For every equation of the step, on the side's OWN recorded inputs (floats, so exact): evaluate it in more
precise arithmetic, bound the rounding error of that one equation, and require

    |observed − truth| ≤ bound    for every number

A formula that fails here is itself wrong, whatever its inputs were. Nothing in this module is a
tolerance: every bound is derived by `parity.bounds`.
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
from reference.model import Model
from reference.optimizers import Derived
from reference.trace import Trace

Number = TypeVar("Number")
"""An array in any arithmetic: floats, numbers with bounds, balls."""


class Verdict(StrEnum):
    """The verdict on one formula, or on a whole run."""

    MATCH = "match"
    OTHER_FORM = "other-form"
    DIFFERENT = "different-formula"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Finding:
    """The result of checking one equation on one side at one step."""

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
        """The finding for a tensor that cannot be compared: missing, or of the wrong shape or dtype."""
        return cls(equation, Verdict.DIFFERENT, 0, 0, vacuous=False, complaint=complaint)

    @property
    def ratio(self) -> float:
        """Largest used share of the bound; infinite for a tensor that cannot be compared."""
        if self.worst is not None:
            return self.worst.ratio
        return float("inf") if self.complaint else 0.0

    @property
    def wrong(self) -> bool:
        return self.verdict is Verdict.DIFFERENT


class Certifier:
    """Certifies traces of one architecture in one number format."""

    def __init__(self, architecture: Model, truth: str | None = None, findings: Sequence[str] = ()) -> None:
        """Create a certifier; `findings` name deviations of PyTorch accepted as additional forms.

        Raises UsageError for an unknown name.
        """
        self.architecture, self.findings = architecture, accepted(findings)
        self.equations = tuple(self._admitting(equation) for equation in step_equations(architecture))
        self.arithmetic = arithmetic(architecture.dtype, truth)
        # Numbers that longdouble would reject are decided by ball arithmetic.
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
        """The forms that accepted findings allow instead of an equation."""
        of = self.architecture
        if not isinstance(of, Architecture):
            return ()  # the known deviations are of layered networks
        forms = (finding.admits(equation, of) for finding in self.findings)
        return tuple(form for form in forms if form is not None)

    def known(self, constants: Constants) -> Constants:
        """The constants, with the uncertainty that accepted findings add to them."""
        for finding in self.findings:
            constants = finding.loosens(constants)
        return constants

    def certify(self, trace: Trace, constants: Constants) -> Iterator[Finding]:
        """The findings of all equations of the step, in the order of execution."""
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
        """Complaints by tensor about missing tensors, wrong shapes and wrong dtypes."""
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
        """Check one equation: the contract's form first, then the other admitted ones.

        Where an accepted finding's form is undecided, the certificate is undecided too.
        """
        return self.measure(equation, trace, constants)[0]

    def measure(
        self, equation: Equation, trace: Trace, constants: Constants
    ) -> tuple[Finding, Bounded | Array]:
        """The finding of `check`, and the truth and bound of the contract's form; of data, the truth."""
        finding, truth = self._judge(equation.evaluate, equation, trace, constants, self.arithmetic)
        return (self._reconsider(finding, trace, constants) if finding.wrong else finding), truth

    def _reconsider(self, finding: Finding, trace: Trace, constants: Constants) -> Finding:
        """Check a formula that seems wrong again: in ball arithmetic, then in the other admitted forms."""
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
    ) -> tuple[Finding, Bounded | Array]:
        with judge.precision():
            observed = trace[equation.makes]
            if equation.check is not None:  # of numbers as they are: a choice rounds nothing
                right = equation.check(*(trace[name] for name in equation.inputs), observed)
                return compare(equation, observed, right), exact(judge, observed)
            inputs = {name: taken(judge, trace[name]) for name in equation.inputs}
            known = bounded_constants(judge, self.known(constants))
            truth = cast("Bounded | Array", evaluate(form, equation, inputs, known))
            return compare(equation, observed, truth), truth


PLAIN: dict[str, Callable[[float], float]] = {"t": int, "clipping.norm_type": float}
"""Constants used as integers or in conditions, which carry no bound."""


def bounded_constants(judge: Arithmetic, constants: Constants) -> dict[str, Bounded | float]:
    """The constants with bounds: n in the side's format, η and hyperparameters as doubles, as in PyTorch.

    Hyperparameters are combined in double precision and rounded to float32 when combined with a
    float32 array.
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
    """Evaluate a form of an equation on values in any arithmetic that implements numpy's functions."""
    arguments = [values[name] for name in equation.inputs]
    result = form(*arguments, *(constants[name] for name in equation.constants))
    return cast(Number, result)


def compare(equation: Equation, observed: Array, truth: Bounded | Array, *, given: bool = True) -> Finding:
    """Compare an equation's recorded tensor with its truth; see `measure`."""
    return finding(equation, measure(observed, truth, given=given))


def finding(equation: Equation, found: Measured) -> Finding:
    """What was measured, as the verdict on an equation."""
    if found.worst is None:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.DIFFERENT if found.wrong else Verdict.MATCH
    return Finding(equation, verdict, found.numbers, found.undecided, found.vacuous, found.worst)
