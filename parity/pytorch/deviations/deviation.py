"""Where PyTorch's numbers, or its documentation, are not what its own formula says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Constants, Equation

OwnForm: TypeAlias = Callable[..., Array]


@dataclass(frozen=True)
class Deviation:
    """A deviation beyond rounding, with the lines of torch alone that show it.

    `admits(equation, architecture)` is the formula that PyTorch computes instead, where that makes one;
    `loosens(constants)` are the step's constants as roughly as PyTorch knows them. A run in which the
    finding is accepted admits these, of PyTorch and never of the reference, and says so. A finding of
    the documentation changes no number that a run compares, and one in operations, or in what is compiled,
    is met by watched programs alone: there is nothing to accept.
    """

    name: str
    kind: Literal["numbers", "operations", "compiled", "documentation"]
    where: str
    documented: str
    computed: str
    script: str
    applies: Callable[[Architecture], bool] = lambda architecture: False
    admits: Callable[[Equation, Architecture], OwnForm | None] = lambda equation, architecture: None
    loosens: Callable[[Constants], Constants] = lambda constants: constants
