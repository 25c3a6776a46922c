"""One call as it would look, had its author made certain mistakes and no other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np

from parity.bounds import Bounded, bounded
from parity.bounds.formats import Arithmetic
from parity.certify.observation import Observation, Reconstruction
from parity.check.diagnosis.anatomy import Operands, Values, anatomy
from parity.check.diagnosis.hypothesis import Made, Situation
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation


class Scenario(Reconstruction):
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
        super().__init__(observation, judge)
        self.mistakes, self.rounded = mistakes, rounded

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
        # Some constants are plain numbers, which rules count with; no anatomy asks for those.
        return Values(self, cast(dict[str, Bounded], self.constants))

    def shows(self, name: str) -> bool:
        return name in self.observation.known

    def equation(self, name: str) -> Equation:
        """The equation that makes a tensor."""
        return self.observation.equations[name]

    def _taken(self, name: str, known: Array) -> Bounded:
        if self.rounded:
            return bounded(self.judge, known, self.judge.u * np.abs(known))
        return super()._taken(name, known)

    def predict(self, equation: Equation) -> Bounded:
        """The right-hand side of an equation, with whatever mistakes were made in it."""
        if not any(made.touches(equation) for made in self.mistakes):
            return super().predict(equation)
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
