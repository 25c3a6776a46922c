"""What somebody's step showed, and what follows from it: every equation on the best evidence there is.

A tensor that was shown is a float, so it is exact; one that was hidden is recomputed, in bounded
arithmetic, from what was shown. Where everything was shown this is the certificate, number for
number; where tensors were hidden the same equation is judged on a wider, still derived, bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, cast

import numpy as np

from parity.bounds import Bounded, bounded, exact
from parity.bounds.formats import Arithmetic
from parity.certify.certificate import bounded_constants, evaluate
from parity.check.diagnosis.anatomy import Operands, Values, anatomy, kind
from parity.render.texts.message import Message
from reference.architecture import Architecture
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
        found: dict[str, Equation] = {}
        pending = list(equation.inputs)
        while pending:
            name = pending.pop()
            if name in self.known or name in found:
                continue
            found[name] = self.equations[name]
            pending += found[name].inputs
        return [e for name, e in self.equations.items() if name in found]


class Slip(Protocol):
    """A mistake in one kind of equation, as far as evidence needs to know it."""

    @property
    def kind(self) -> str: ...

    def changes(self, situation: Situation) -> Operands: ...


@dataclass(frozen=True)
class Made:
    """A mistake that was made: everywhere, or only in some layers."""

    slip: Slip
    layers: frozenset[int] | None = None

    def touches(self, equation: Equation) -> bool:
        return self.slip.kind == kind(equation) and (self.layers is None or equation.layer in self.layers)


@dataclass(frozen=True)
class Situation:
    """What a mistake can put into a formula in place of the right thing."""

    equation: Equation
    scenario: Scenario
    operands: Operands

    @property
    def layer(self) -> int:
        return self.equation.layer


class Scenario:
    """The tensors of one call as they would be, if its author had made `mistakes` and no other."""

    def __init__(
        self,
        observation: Observation,
        judge: Arithmetic,
        mistakes: Sequence[Made] = (),
        *,
        rounded: bool = False,
    ) -> None:
        """`rounded` lets everything that was given or shown be rounded to the judge's format first."""
        self.observation, self.judge, self.mistakes, self.rounded = observation, judge, mistakes, rounded
        # Some are plain numbers, which rules count with; no anatomy asks for those.
        self.constants = cast(dict[str, Bounded], bounded_constants(judge, observation.constants))
        self._values: dict[str, Bounded] = {}
        self._pending: set[str] = set()

    @property
    def architecture(self) -> Architecture:
        return self.observation.architecture

    @cached_property
    def before(self) -> Scenario | None:
        """The same author, one step earlier."""
        earlier = self.observation.before
        if earlier is None:
            return None
        return Scenario(earlier, self.judge, self.mistakes, rounded=self.rounded)

    @cached_property
    def values(self) -> Values:
        """The tensors as operands of formulas, with the names that the deck gives them."""
        return Values(self, self.constants)

    def shows(self, name: str) -> bool:
        return name in self.observation.known

    def equation(self, name: str) -> Equation:
        """The equation that makes a tensor."""
        return self.observation.equations[name]

    def value(self, name: str) -> Bounded:
        """A tensor: as given or shown, else as it follows. Raises KeyError for one that there is not."""
        if name not in self._values:
            known = self.observation.known.get(name)
            if known is None:
                self._values[name] = self._derived(name)
            elif self.rounded:
                self._values[name] = bounded(self.judge, known, self.judge.u * np.abs(known))
            else:
                self._values[name] = exact(self.judge, known)
        return self._values[name]

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
        """The right-hand side of an equation, with whatever mistakes were made in it."""
        if not any(made.touches(equation) for made in self.mistakes):
            return self._admitted(equation)
        return anatomy(equation).combine(self.slipped(equation))

    def opened(self, equation: Equation) -> Operands:
        """The equation's operands as they should be, named and with their values."""
        return anatomy(equation).operands(equation, self.values)

    def slipped(self, equation: Equation) -> Operands:
        """The equation's operands with the mistakes in them."""
        operands = self.opened(equation)
        for made in self.mistakes:
            if made.touches(equation):
                operands = operands | made.slip.changes(Situation(equation, self, operands))
        return operands

    def _admitted(self, equation: Equation) -> Bounded:
        """The truth, with the bound of the widest of the algebraic forms that the contract admits."""
        values = {name: self.value(name) for name in equation.inputs}
        truth = evaluate(equation.evaluate, equation, values, self.constants)
        if not equation.other_forms:
            return truth
        bound = truth.carried
        for form in equation.other_forms:
            bound = np.maximum(bound, evaluate(form, equation, values, self.constants).carried)
        return Bounded(self.judge, truth.value, bound, kink=truth.kink)
