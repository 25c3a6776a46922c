"""The parts of a training step, in which a page shows its tensors."""

from __future__ import annotations

from collections.abc import Collection

from reference.equations import Equation
from reference.formula import GRAPH_SLIDE
from reference.walk import SEED, SUM

STAGES = ("forward", "loss", "output_delta", "hidden_delta", "errors", "gradients", "update")


def stage_of(equation: Equation) -> str:
    """In which part of the step a tensor is made."""
    quantity, name = equation.quantity, equation.formula.name
    if quantity == "z" or (quantity == "a" and equation.formula.slide != GRAPH_SLIDE):
        return "forward"
    if name in ("loss", "loss_gradient"):
        return "loss"
    if name in ("output_delta", "hidden_delta"):
        return name
    if equation.formula.slide == GRAPH_SLIDE:
        if not name.endswith("gradient") and name not in (SEED.name, SUM.name):
            return "forward"
        return "errors" if quantity.endswith("s") else "gradients"
    return "gradients" if name.endswith("gradient") else "update"


def only_moves(equation: Equation, moves: Collection[str]) -> bool:
    """Whether an equation moves numbers, and makes no gradient that a parameter is updated by."""
    return equation.node in moves and stage_of(equation) != "gradients"
