"""The operands of an equation, by the names that its formula has for them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from reference.arrays import Array
from reference.formula import Equation


def operands_of(
    equations: Mapping[str, Equation], equation: Equation, known: Mapping[str, Array]
) -> list[tuple[str, str]]:
    """(the formula's name for it, the tensor's name); s, which few show, as what it is made of."""
    names = [
        name
        for name, parameter in inspect.signature(equation.evaluate).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    found: list[tuple[str, str]] = []
    for name, tensor in zip(names, equation.inputs, strict=False):
        if tensor.startswith("s") and tensor in equations:
            found += operands_of(equations, equations[tensor], known)
        found.append((name, tensor))
    return found
