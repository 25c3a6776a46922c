"""Equations that are not the deck's: an optimizer's rules, clipping, the gradient of a slope.

They are not taken apart; they show their formula as its source writes it, and the numbers in it.
"""

from __future__ import annotations

from typing import cast

from parity.bounds import Bounded
from parity.check.diagnosis.anatomy.operand import (
    Index,
    Operand,
    Operands,
    Values,
    front,
    front_number,
    part_of,
    scaled,
)
from reference.equations import Equation

SHOWN = 8
"""Tensors and hyperparameters that are written out."""


def whole_parts(equation: Equation, values: Values) -> Operands:
    tensors = [values[name] for name in equation.inputs]
    numbers = {name: values.constants[name] for name in equation.constants}
    made = cast(Bounded, equation.evaluate(*(part.value for part in tensors), *numbers.values()))

    def work(index: Index) -> str:
        said = [f"{part.text} = {_at(part, index)}" for part in tensors]
        said += [f"{name} = {_number(number)}" for name, number in numbers.items()]
        more = f", … (+{len(said) - SHOWN})" if len(said) > SHOWN else ""
        return f"{equation.formula.latex}, {', '.join(said[:SHOWN])}{more}"

    return {"whole": Operand(equation.formula.latex, made, work)}


def _at(part: Operand, index: Index) -> str:
    """Its number in that place; of another shape, its shape."""
    shape = part.value.shape
    if not shape or (len(shape) == len(index) and all(i < n for i, n in zip(index, shape, strict=True))):
        return part.number(index)
    return f"{' × '.join(map(str, shape))} numbers"


def _number(number: Bounded | float) -> str:
    return f"{float(number.lowered()) if isinstance(number, Bounded) else number:g}"


def whole(operands: Operands) -> Bounded:
    return scaled(operands, "whole")


def whole_text(operands: Operands) -> str:
    return front(operands) + part_of(operands, "whole").text


def whole_work(operands: Operands, index: Index) -> str:
    return front_number(operands) + part_of(operands, "whole").number(index)
