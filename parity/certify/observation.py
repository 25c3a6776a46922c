"""What somebody's step showed, and what follows from it: every equation on the best evidence there is.

A tensor that was shown is a float, so it is exact; one that was hidden is recomputed, in bounded
arithmetic, from what was shown. Where everything was shown this is the certificate, number for
number; where tensors were hidden the same equation is judged on a wider, still derived, bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from parity.bounds import Bounded, bounded, exact
from parity.bounds.formats import Arithmetic
from parity.bounds.number import hold_both
from parity.bounds.overflow import Float64s
from parity.certify.certificate import bounded_constants, evaluate
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation, constants, step_equations
from reference.trace import Trace


@dataclass(frozen=True)
class Observation:
    """One call of a subject: what it was given, what it showed, and what of that has no right form.

    `given` holds W, b, x, y; `shown` the tensors of right shape, in the deck's layout; `misshapen`
    those of another shape; `complaints` says, by tensor, what is wrong with it before any number is.
    """

    architecture: Architecture
    lr: float
    given: Trace
    shown: Trace
    misshapen: Trace = field(default_factory=Trace)
    complaints: Mapping[str, Message] = field(default_factory=dict)
    case: str = ""
    step: int = 0
    before: Observation | None = None  # the same subject's call one step earlier

    @property
    def batch(self) -> int:
        return int(self.given["x"].shape[1])

    @property
    def constants(self) -> dict[str, float]:
        """`n` of slide 3, η, and whatever else the update wants to know."""
        return constants(self.architecture, self.batch, self.lr, self.step + 1)

    @cached_property
    def known(self) -> Trace:
        """Every tensor that need not be recomputed."""
        return Trace({**self.shown, **self.given})

    @cached_property
    def equations(self) -> dict[str, Equation]:
        """By the tensor they make, in the order of execution."""
        return {equation.makes: equation for equation in step_equations(self.architecture)}

    def judged(self) -> list[Equation]:
        """The equations whose tensor was shown, in whatever shape."""
        return [e for name, e in self.equations.items() if name in self.shown or name in self.misshapen]

    def hidden_behind(self, equation: Equation) -> list[Equation]:
        """The equations whose tensors were hidden and stand between `equation` and what was shown."""
        behind = self._behind(equation)
        return [e for name, e in self.equations.items() if name in behind and name not in self.known]

    def sources(self, name: str) -> list[str]:
        """The tensors that were given or shown and from which a tensor follows, through hidden ones."""
        return [source for source in self._behind(self.equations[name]) if source in self.known]

    def _behind(self, equation: Equation) -> set[str]:
        """What an equation takes, and what stands behind that as far as it is hidden."""
        found: set[str] = set()
        pending = list(equation.inputs)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.equations[name].inputs if name not in self.known else ()
        return found


class Reconstruction:
    """Every tensor of one call: as it was given or shown, else as it follows from that."""

    def __init__(self, observation: Observation, judge: Arithmetic) -> None:
        self.observation, self.judge = observation, judge
        self.constants = bounded_constants(judge, observation.constants)
        self._values: dict[str, Bounded] = {}
        self._pending: set[str] = set()

    def value(self, name: str) -> Bounded:
        """A tensor: as given or shown, else as it follows. Raises KeyError for one that there is not."""
        if name not in self._values:
            known = self.observation.known.get(name)
            self._values[name] = self._derived(name) if known is None else self._taken(name, known)
        return self._values[name]

    def _taken(self, name: str, known: Array) -> Bounded:
        """A tensor that was given or shown: floats, so exact."""
        return exact(self.judge, known)

    def shown(self, equation: Equation) -> Bounded:
        """What an equation makes, as it would be shown."""
        return self.predict(equation)

    def _derived(self, name: str) -> Bounded:
        """A hidden tensor from what was shown. Raises ValueError where it would need itself."""
        if name in self._pending:
            raise ValueError(f"{name} would be made out of itself")
        self._pending.add(name)
        try:
            return self.predict(self.observation.equations[name])
        finally:
            self._pending.discard(name)

    def predict(self, equation: Equation) -> Bounded:
        """The truth, with the bound of the widest of the algebraic forms that the contract admits."""
        values = {name: self.value(name) for name in equation.inputs}
        truth = evaluate(equation.evaluate, equation, values, self.constants)
        if not equation.other_forms:
            return truth
        bound = truth.carried
        for form in equation.other_forms:
            bound = np.maximum(bound, self._holds(truth, evaluate(form, equation, values, self.constants)))
        return Bounded(self.judge, truth.value, bound, kink=truth.kink)

    def _holds(self, truth: Bounded, other: Bounded) -> Float64s:
        """The bound of another form."""
        return other.carried


class FromFinerFormat(Reconstruction):
    """The same, where what was shown was computed in a finer format and rounded once when it was shown."""

    def _taken(self, name: str, known: Array) -> Bounded:
        """Half a unit around what was shown: u|v|, and η where it underflows.

        A z is taken not to underflow: one shown as 0 stands at the kink itself, and not beside it.
        """
        if name in self.observation.given:
            return super()._taken(name, known)
        underflow = 0.0 if name.startswith("z") else self.judge.eta
        half = self.judge.u * np.abs(known).astype(np.float64) + underflow
        return bounded(self.judge, known, half)

    def _holds(self, truth: Bounded, other: Bounded) -> Float64s:
        """The bound of another form around the truth: where a and z were rounded, they differ."""
        return hold_both(truth, other).carried

    def shown(self, equation: Equation) -> Bounded:
        """What an equation makes, rounded when shown."""
        truth = self.predict(equation)
        half = self.judge.u * (truth.magnitude() + truth.carried) + self.judge.eta
        return Bounded(self.judge, truth.value, truth.carried + half, kink=truth.kink)
