"""A formula and an equation: what is computed, and out of which tensors of a training step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from reference.arrays import Array

_F = TypeVar("_F", bound=Callable[..., Array])

Constants: TypeAlias = Mapping[str, float]
"""`n`, what slide 3 divides by, `lr`, the learning rate η, and an optimizer's own: see `constants`."""

GRAPH_SLIDE = 7
"""The slide on which a node is any mathematical operation: what the other slides do not write out."""


@dataclass(frozen=True)
class Formula:
    """A right-hand side: its name, its LaTeX, its code, and the names of what the code takes.

    `function(*takes, *constants, **options)`. Without `takes`, the names are the function's own
    positional parameters. `quantity` is the tensor that it makes, where the deck names it.
    `other_forms` are equal as mathematics and differ in rounding; `also` are those of them that one
    side is expected to use, so that the second gate admits them beside `function`.
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
    """The parameters without which a function cannot be called, by name; "*parts" of a `*parts`."""
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
    made where it is one of them, and −1 elsewhere.
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
