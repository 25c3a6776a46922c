"""Operands: the parts of a formula, how they are written and what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

import numpy as np

from parity.bounds import Bounded, constant
from reference.architecture import Architecture
from reference.equations import Equation, kind
from reference.operations.activations import Activation

Index: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Operand:
    """A part of a formula: how it is written, what it is, and its number at an index worked out."""

    text: str
    value: Bounded
    work: Callable[[Index], str] | None = None

    def number(self, index: Index) -> str:
        """Its number at `index`, in brackets where a sign would stand next to another."""
        if self.work is not None:
            return self.work(index)
        array = self.value.arithmetic.lower(np.asarray(self.value.value))
        if array.ndim == 0:
            return short(float(array))
        clipped = tuple(min(i, n - 1) for i, n in zip(index, array.shape, strict=False))
        return short(float(array[clipped]))

    @property
    def T(self) -> Operand:
        return Operand(f"{self.text}ᵀ", self.value.T)


Operands: TypeAlias = dict[str, Operand | None]
"""By part; None where a part is left out."""


class Tensors(Protocol):
    """Whatever knows the tensors of a step."""

    def value(self, name: str) -> Bounded: ...

    @property
    def architecture(self) -> Architecture: ...

    def shows(self, name: str) -> bool: ...

    def slipped(self, equation: Equation) -> Operands: ...

    def equation(self, name: str) -> Equation: ...


@dataclass(frozen=True)
class Values:
    """A step's tensors and constants, as operands."""

    tensors: Tensors
    constants: Mapping[str, Bounded]

    def __getitem__(self, name: str) -> Operand:
        """A tensor as an operand. A hidden s, which nobody names, is written out as the product it is."""
        value = self.tensors.value(name)
        if name.startswith("s") and not self.tensors.shows(name):
            equation = self.tensors.equation(name)
            body, parts = anatomy(equation), self.tensors.slipped(equation)
            return Operand(f"({body.text(parts)})", value, lambda index: f"({body.work(parts, index)})")
        return Operand(symbol(name), value)

    def constant(self, name: str) -> Operand:
        return Operand({"lr": "η"}.get(name, name), self.constants[name])


@dataclass(frozen=True)
class Anatomy:
    """How one kind of equation is put together."""

    operands: Callable[[Equation, Values], Operands]
    combine: Callable[[Operands], Bounded]
    text: Callable[[Operands], str]
    work: Callable[[Operands, Index], str]


ANATOMIES: dict[str, Anatomy] = {}
"""By kind of equation; `parity.check.diagnosis.anatomy` fills it."""


class MissingPartError(ValueError):
    """A part that was left out is asked for: two mistakes that exclude each other."""


def anatomy(equation: Equation) -> Anatomy:
    """How an equation is put together; one that is not the deck's is taken as a whole."""
    of_slide_6 = equation.constants == ("lr",) and len(equation.inputs) == 2
    if kind(equation) not in ANATOMIES or (kind(equation).endswith("_update") and not of_slide_6):
        return ANATOMIES["whole"]
    return ANATOMIES[kind(equation)]


def symbol(name: str) -> str:
    """A tensor's name as the deck writes it, in plain text: `δ2` for delta2."""
    return name.replace("delta", "δ")


def short(number: float) -> str:
    """A number for reading, with brackets around a negative one."""
    text = f"{number:.6g}"
    return f"({text})" if text.startswith("-") else text


def slope(f: Activation, z: Bounded, a: Bounded, *learned: Bounded) -> Bounded:
    """f′, with the bound of the widest of its admitted forms.

    Raises MissingPartError for a function that mixes components: it has a Jacobian, and no f′.
    """
    if f.jacobian:
        raise MissingPartError("f′")
    judge = z.arithmetic
    truth = cast("Bounded | float", f.derivative(z, a, None, *learned))
    if not isinstance(truth, Bounded):
        return constant(judge, truth)
    bound = truth.carried
    for form in f.other_forms:
        other = cast(Bounded, form(z, a))
        bound = np.maximum(bound, other.carried)
    return Bounded(judge, truth.value, bound, kink=truth.kink)


def curve(f: Activation, z: Bounded, *learned: Bounded) -> Bounded:
    """f(z), with the bound of the widest of its admitted forms."""
    truth: Bounded = f.function(z, None, *learned)  # type: ignore[assignment]
    bound = truth.carried
    for form in f.other_functions:
        bound = np.maximum(bound, form(z).carried)  # type: ignore[attr-defined]
    return Bounded(z.arithmetic, truth.value, bound)


def layer_function(tensors: Tensors, layer: int) -> Activation:
    return tensors.architecture.activations[layer - 1]


# --- sign and factor, in front of everything ------------------------------------------------------


def scaled(operands: Operands, part: str) -> Bounded:
    """A part with sign and factor. They go to one factor, so that the bound covers every order."""
    value = part_of(operands, part).value
    for front in ("sign", "factor"):
        front_operand = operands.get(front)
        if front_operand is not None:
            value = front_operand.value * value
    return value


def front(operands: Operands) -> str:
    factor, sign = operands.get("factor"), operands.get("sign")
    return ("−" if sign else "") + (f"{factor.text} · " if factor else "")


def front_number(operands: Operands) -> str:
    factor, sign = operands.get("factor"), operands.get("sign")
    return ("−" if sign else "") + (f"{factor.number(())}·" if factor else "")


def part_of(operands: Operands, name: str) -> Operand:
    operand = operands[name]
    if operand is None:
        raise MissingPartError(name)
    return operand


def sum_of(terms: list[str], front: str = "", most: int = 8) -> str:
    """Terms, added; the middle of a long sum is only counted."""
    if len(terms) > most:
        terms = [*terms[: most - 2], f"… (+{len(terms) - most + 1}) …", terms[-1]]
    whole = " + ".join(terms)
    return f"{front}({whole})" if front and len(terms) > 1 else front + whole


def applied(f: Activation, z: Operand, *learned: Operand) -> Operand:
    """f(z) as an operand; a function that mixes a sample's components shows all of them."""

    def work(index: Index) -> str:
        places = [(i, index[1]) for i in range(z.value.shape[0])] if f.jacobian else [index]
        return f"{f.name}({', '.join(part.number(place) for part in (z, *learned) for place in places)})"

    text = f"{f.name}({', '.join(part.text for part in (z, *learned))})"
    return Operand(text, curve(f, z.value, *(part.value for part in learned)), work)
