"""`Formula`, a right-hand side, and `Equation`, a formula applied to named tensors of a training step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from reference.arrays import Array

_F = TypeVar("_F", bound=Callable[..., Array])

Constants: TypeAlias = Mapping[str, float]
"""`n`, slide 3's divisor, `lr`, the learning rate η, and the optimizer's: see `equations.constants`."""

GRAPH_SLIDE = 7
"""Slide 7, where a node is any mathematical operation; cited for formulas that no other slide states."""


@dataclass(frozen=True)
class Formula:
    """The right-hand side of an equation: its name, LaTeX, function, and the names of its arguments.

    Called as `function(*takes, *constants, **options)`. `takes` defaults to the function's positional
    parameters. `quantity` is the deck's name for the tensor that it computes, if there is one.
    `other_forms` are mathematically equal and round differently; `also` lists those of them that one
    side is expected to use, so the cross-check accepts them as well as `function`.
    """

    name: str
    latex: str
    function: Callable[..., Array]
    takes: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    quantity: str = ""
    slide: int = GRAPH_SLIDE
    other_forms: tuple[Callable[..., Array], ...] = ()
    also: tuple[Callable[..., Array], ...] = ()

    def __post_init__(self) -> None:
        if not self.takes:
            object.__setattr__(self, "takes", positional(self.function))


def positional(function: Callable[..., object]) -> tuple[str, ...]:
    """Names of a function's required positional parameters; a variadic `*parts` is named "*parts"."""
    kinds = inspect.Parameter
    return tuple(
        f"*{name}" if parameter.kind is kinds.VAR_POSITIONAL else name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is kinds.VAR_POSITIONAL
        or (parameter.default is kinds.empty and parameter.kind is kinds.POSITIONAL_OR_KEYWORD)
    )


@dataclass(frozen=True)
class Equation:
    """`makes` = `evaluate`(tensors named in `inputs`, constants named in `constants`).

    Where several values are right, as of the place of a maximum, `check`(tensors, made) gives what was
    made where it is one of them, and −1 elsewhere. `symbols` are the formula's own names of the inputs,
    and `node` is the graph's node whose operation this is.
    """

    formula: Formula
    layer: int
    quantity: str
    makes: str
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    evaluate: Callable[..., Array]
    other_forms: tuple[Callable[..., Array], ...] = ()
    also: tuple[Callable[..., Array], ...] = ()  # those of them that the second gate holds too
    check: Callable[..., Array] | None = None
    symbols: tuple[str, ...] = ()
    node: str = ""

    def of(self, values: Mapping[str, Array], constants: Mapping[str, Array | float]) -> Array:
        """The right-hand side, from a trace (or anything with the same names) and n, lr."""
        return self.evaluate(
            *(values[name] for name in self.inputs), *(constants[name] for name in self.constants)
        )


FORMULAS: dict[str, Formula] = {}
"""The deck's formulas by name, in the order of the slides: what reports and error messages cite."""


def formula(quantity: str, slide: int, latex: str) -> Callable[[_F], _F]:
    """Enter the function below it into `FORMULAS`, under the function's own name."""

    def enter(function: _F) -> _F:
        name = function.__name__
        FORMULAS[name] = Formula(name, latex, function, quantity=quantity, slide=slide)
        return function

    return enter
