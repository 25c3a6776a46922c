"""One equation of a training step: which formula makes which tensor out of which others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from reference.arrays import Array
from reference.formula import Formula

Constants: TypeAlias = Mapping[str, float]
"""`n`, what slide 3 divides by, `lr`, the learning rate η, and an optimizer's own: see `constants`."""


@dataclass(frozen=True)
class Equation:
    """`makes` = `evaluate`(tensors named in `inputs`, constants named in `constants`)."""

    formula: Formula
    layer: int
    quantity: str
    makes: str
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    evaluate: Callable[..., Array]
    other_forms: tuple[Callable[..., Array], ...] = ()
    also: tuple[Callable[..., Array], ...] = ()  # those of them that the second gate holds too

    def of(self, values: Mapping[str, Array], constants: Mapping[str, Array | float]) -> Array:
        """The right-hand side, from a trace (or anything with the same names) and n, lr."""
        return self.evaluate(
            *(values[name] for name in self.inputs), *(constants[name] for name in self.constants)
        )
