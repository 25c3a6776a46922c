"""L and ∇L."""

from __future__ import annotations

from dataclasses import dataclass

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
from reference.arrays import Array
from reference.equations import Equation
from reference.operations.losses import Loss

# --- the loss and its gradient --------------------------------------------------------------------


def loss_parts(equation: Equation, values: Values) -> Operands:
    y_hat, y = (values[name] for name in equation.inputs)
    return {"y_hat": y_hat, "y": y, "n": values.constant("n"), "of": the_loss(values)}


def the_loss(values: Values) -> Operand:
    """Not a number: which loss it is, so that its formula can be asked for."""
    loss = values.tensors.architecture.reduced_loss
    return _LossOperand(loss.name, values.constants["n"], None, loss)


@dataclass(frozen=True)
class _LossOperand(Operand):
    loss: Loss | None = None


def loss_of(operands: Operands) -> Loss:
    operand = operands["of"]
    assert isinstance(operand, _LossOperand)
    assert operand.loss is not None
    return operand.loss


def loss_arguments(operands: Operands) -> tuple[Array, Array, Array]:
    y_hat, y, n = (part_of(operands, name).value for name in ("y_hat", "y", "n"))
    return y_hat, y, n  # type: ignore[return-value]


def in_front(operands: Operands, value: Bounded) -> Bounded:
    return scaled(operands | {"whole": Operand("", value)}, "whole")


def loss(operands: Operands) -> Bounded:
    value: Bounded = loss_of(operands).value(*loss_arguments(operands))  # type: ignore[assignment]
    return in_front(operands, value)


def loss_gradient(operands: Operands) -> Bounded:
    value: Bounded = loss_of(operands).gradient(*loss_arguments(operands), None)  # type: ignore[assignment]
    return in_front(operands, value)


def loss_text(operands: Operands) -> str:
    y_hat, y, n = (part_of(operands, name).text for name in ("y_hat", "y", "n"))
    if loss_of(operands).name == "mse":
        return f"{front(operands)}1/{n} Σ ({y} − {y_hat})²"
    return f"{front(operands)}{loss_of(operands).name}({y_hat}, {y})"


def loss_gradient_text(operands: Operands) -> str:
    y_hat, y, n = (part_of(operands, name).text for name in ("y_hat", "y", "n"))
    if loss_of(operands).name == "mse":
        return f"{front(operands)}2/{n} ({y_hat} − {y})"
    return f"{front(operands)}∇{loss_of(operands).name}({y_hat}, {y})"


def loss_work(operands: Operands, index: Index) -> str:
    y_hat, y = part_of(operands, "y_hat"), part_of(operands, "y")
    n = part_of(operands, "n").number(())
    if loss_of(operands).name != "mse":
        return loss_text(operands)
    places = np.ndindex(*y.value.shape)
    terms = [f"({y.number(place)} − {y_hat.number(place)})²" for place in places]
    return f"{front_number(operands)}1/{n}·({sum_of(terms)})"


def loss_gradient_work(operands: Operands, index: Index) -> str:
    y_hat, y = (part_of(operands, name).number(index) for name in ("y_hat", "y"))
    n = part_of(operands, "n").number(())
    if loss_of(operands).name != "mse":
        return f"{front_number(operands)}∇{loss_of(operands).name}({y_hat}, {y})"
    return f"{front_number(operands)}2/{n}·({y_hat} − {y})"
