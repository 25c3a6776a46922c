"""The very lines: ours read from the source by the formula's name, PyTorch's out of the twin's step.

Nothing is retyped: a line that changes in the source changes on the page. The twin's file is read
as text, so that no report needs PyTorch.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from importlib import resources

from reference.activations import Activation
from reference.architecture import Architecture
from reference.deck import FORMULAS
from reference.equations import Equation
from reference.formulas import backpropagated


@cache
def body(function: Callable[..., object]) -> tuple[str, ...]:
    """A function's source lines without its signature and docstring; empty where there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return ()
    definition = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if definition is None:
        return (source.strip(),)
    statements = definition.body
    if ast.get_docstring(definition) is not None:
        statements = statements[1:]
    if not statements:
        return ()
    lines = source.splitlines()[statements[0].lineno - 1 : definition.end_lineno]
    return tuple(textwrap.dedent("\n".join(lines)).splitlines())


def ours(equation: Equation, architecture: Architecture) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(function's name, its lines) for an equation: the formula first, then what it calls of f or L."""
    formula = FORMULAS[equation.formula.name]
    f = architecture.activations[equation.layer - 1]
    functions: list[Callable[..., object]] = [formula.function]
    if equation.quantity == "s" and formula.name == "hidden_delta":
        functions = [backpropagated]
    elif formula.name == "loss":
        functions.append(architecture.loss.value)
    elif formula.name == "loss_gradient":
        functions.append(architecture.loss.gradient)
    elif formula.name == "activation":
        functions.append(f.function)
    elif equation.quantity == "delta":
        functions.append(f.derivative)
    return tuple((_name(function), lines) for function in functions if (lines := body(function)))


def _name(function: Callable[..., object]) -> str:
    return str(getattr(function, "__name__", ""))


@cache
def _twin_lines() -> tuple[str, ...]:
    """The lines of `Twin.step`, as they stand."""
    text = resources.files("parity").joinpath("twin.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == "step":
            return tuple(line.strip() for line in text.splitlines()[node.lineno - 1 : node.end_lineno])
    return ()


MARKS = {
    "z": "z = linear(",
    "a": "a = f(",
    "loss": "loss = self.loss(",
    "s": "gradients = torch.autograd.grad(",
    "delta": "gradients = torch.autograd.grad(",
    "dW": "gradients = torch.autograd.grad(",
    "db": "gradients = torch.autograd.grad(",
    "W_next": "self.optimizer.step()",
    "b_next": "self.optimizer.step()",
}
"""By quantity, how the line of the twin's step begins that makes it."""


def theirs(quantity: str) -> str:
    """The line of PyTorch's side that makes a quantity; "" for one that it does not show."""
    mark = MARKS.get(quantity, "torch.optim" if quantity.endswith("_next") else "")
    if not mark:
        return ""
    return next((line for line in _twin_lines() if line.startswith(mark)), "")


def module(equation: Equation, architecture: Architecture) -> str:
    """What PyTorch builds there: its class, or the derivative that autograd is asked for."""
    l, sizes = equation.layer, architecture.layers
    f: Activation = architecture.activations[l - 1]
    quantity = equation.quantity
    if quantity == "z":
        return f"linear = torch.nn.Linear({sizes[l - 1]}, {sizes[l]})"
    if quantity == "a":
        return f"f = {f.source}()"
    if quantity == "loss":
        return f'loss = {architecture.loss.source}(reduction="{architecture.reduction}")'
    if quantity.endswith("_next"):
        return f"{quantity.removesuffix('_next')}{l} ← optimizer"
    wanted = {"s": "a", "delta": "z", "dW": "W", "db": "b"}.get(quantity, quantity)
    return f"∂loss/∂{wanted}{l}"
