"""db = Σ δ, and W − η dW."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

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
    sum_of,
)
from reference.equations import Equation

# --- Σ δ ------------------------------------------------------------------------------------------


def bias_gradient_parts(equation: Equation, values: Values) -> Operands:
    return {"delta": values[equation.inputs[0]], "axis": axis("batch", values, 1)}


@dataclass(frozen=True)
class AxisOperand(Operand):
    """Not a number: which axis is summed. None sums over both, −1 over neither."""

    axis: int | None = 1


def axis(text: str, values: Values, axis: int | None) -> AxisOperand:
    return AxisOperand(text, values.constants["n"], None, axis)


def summed_over(text: str, like: Operand | None, axis: int | None) -> Operand:
    """Another axis in the place of `like`."""
    assert like is not None
    return replace(like, text=text, axis=axis)  # type: ignore[call-arg]


def bias_gradient(operands: Operands) -> Bounded:
    delta, axis = scaled(operands, "delta"), part_of(operands, "axis")
    assert isinstance(axis, AxisOperand)
    if axis.axis == -1:
        return delta
    total: Bounded = np.add.reduce(delta, axis=axis.axis, keepdims=True)  # type: ignore[call-overload]
    if axis.axis is None:  # one number for all units
        everywhere = (delta.shape[0], 1)
        value, bound = (np.broadcast_to(part, everywhere) for part in (total.value, total.carried))
        return Bounded(delta.arithmetic, value, bound)
    return total.T if axis.axis == 0 else total


def bias_gradient_text(operands: Operands) -> str:
    axis, delta = part_of(operands, "axis"), part_of(operands, "delta")
    return (
        f"{front(operands)}{delta.text}"
        if not axis.text
        else (f"{front(operands)}Σ_{axis.text} {delta.text}")
    )


def bias_gradient_work(operands: Operands, index: Index) -> str:
    axis, delta = part_of(operands, "axis"), part_of(operands, "delta")
    assert isinstance(axis, AxisOperand)
    rows, columns = delta.value.shape
    i = index[0]
    places = {
        1: [(i, k) for k in range(columns)],
        0: [(k, i) for k in range(rows)],
        None: list(np.ndindex(rows, columns)),
        -1: [index],
    }[axis.axis]
    return sum_of([delta.number(place) for place in places], front_number(operands))


# --- W − η dW -------------------------------------------------------------------------------------


def update_parts(equation: Equation, values: Values) -> Operands:
    before, gradient = (values[name] for name in equation.inputs)
    return {"old": before, "lr": values.constant("lr"), "gradient": gradient}


def update(operands: Operands) -> Bounded:
    """`sign` turns the step round; `reversed` turns the whole."""
    gradient, lr, old = scaled(operands, "gradient"), operands.get("lr"), operands.get("old")
    step = gradient if lr is None else lr.value * gradient
    if operands.get("nothing"):
        return part_of(operands, "old").value
    if operands.get("reversed"):
        return cast(Bounded, step - part_of(operands, "old").value)
    return cast(Bounded, -step if old is None else old.value - step)


def step_text(operands: Operands, write: Callable[[Operand], str]) -> str:
    gradient, lr, factor = part_of(operands, "gradient"), operands.get("lr"), operands.get("factor")
    parts = [write(part) for part in (factor, lr, gradient) if part is not None]
    return " · ".join(parts)


def update_written(operands: Operands, write: Callable[[Operand], str]) -> str:
    old, step = operands.get("old"), step_text(operands, write)
    if operands.get("nothing"):
        return write(part_of(operands, "old"))
    if operands.get("reversed"):
        return f"{step} − {write(part_of(operands, 'old'))}"
    sign = "+" if operands.get("sign") else "−"
    return f"{sign}{step}" if old is None else f"{write(old)} {sign} {step}"


def update_text(operands: Operands) -> str:
    return update_written(operands, lambda part: part.text)


def update_work(operands: Operands, index: Index) -> str:
    return update_written(operands, lambda part: part.number(index))
