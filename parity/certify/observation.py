"""The observed tensors of a subject's step, and the reconstruction of those that it does not show.

A tensor that is shown consists of floats, so it is exact; a hidden one is recomputed, in bounded
arithmetic, from those shown. If everything is shown, this is the certificate, number for number; if
tensors are hidden, the same equation is judged with a wider bound, derived in the same way.
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
    """One call of a subject: its inputs, the tensors that it shows, and complaints about them.

    `given` holds W, b, x, y; `shown` the tensors of the right shape, in the deck's layout; `misshapen`
    those of another shape; `complaints` are, by tensor, errors of shape, dtype and the like.
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
        return self.architecture.samples(self.given["x"])

    @property
    def constants(self) -> dict[str, float]:
        """`n` of slide 3, η, and the other constants of the update."""
        return constants(self.architecture, self.batch, self.lr, self.step + 1)

    @cached_property
    def known(self) -> Trace:
        """All tensors that are given or shown."""
        return Trace({**self.shown, **self.given})

    @cached_property
    def equations(self) -> dict[str, Equation]:
        """The equations by the tensor that they make, in the order of execution."""
        return {equation.makes: equation for equation in step_equations(self.architecture)}

    def judged(self) -> list[Equation]:
        """The equations whose tensor is shown, in any shape."""
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
    """All tensors of one call: as given or shown, or recomputed from those."""

    def __init__(self, observation: Observation, judge: Arithmetic) -> None:
        self.observation, self.judge = observation, judge
        self.constants = bounded_constants(judge, observation.constants)
        self._values: dict[str, Bounded] = {}
        self._pending: set[str] = set()

    def value(self, name: str) -> Bounded:
        """A tensor as given or shown, or recomputed. Raises KeyError for an unknown name."""
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
        """A hidden tensor recomputed from those shown. Raises ValueError for a circular dependency."""
        if name in self._pending:
            raise ValueError(f"{name} would be made out of itself")
        self._pending.add(name)
        try:
            return self.predict(self.observation.equations[name])
        finally:
            self._pending.discard(name)

    def predict(self, equation: Equation) -> Bounded:
        """The truth, with the widest bound of the algebraic forms that the contract admits."""
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
