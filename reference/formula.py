"""The register of the deck's formulas: what reports and error messages cite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from reference.arrays import Array

_F = TypeVar("_F", bound=Callable[..., Array])


@dataclass(frozen=True)
class Formula:
    """A formula's name, the tensor it makes, the slide it stands on, its LaTeX and its code."""

    name: str
    quantity: str
    slide: int
    latex: str
    function: Callable[..., Array]


FORMULAS: dict[str, Formula] = {}
"""By name, in the order of the slides."""


def formula(quantity: str, slide: int, latex: str) -> Callable[[_F], _F]:
    """Enter the function below it into `FORMULAS`, under the function's own name."""

    def enter(function: _F) -> _F:
        name = function.__name__
        FORMULAS[name] = Formula(name, quantity, slide, latex, function)
        return function

    return enter
