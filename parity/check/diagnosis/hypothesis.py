"""A mistake as a supposition: that it was made, in which layers, and what it can put into a formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from parity.check.diagnosis.anatomy import Operands, kind
from reference.equations import Equation

if TYPE_CHECKING:
    from parity.check.diagnosis.scenario import Scenario


class Slip(Protocol):
    """A mistake in one kind of equation, as far as a scenario needs to know it."""

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
