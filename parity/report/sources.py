"""The very lines: ours read from the source by the formula's name, PyTorch's out of the twin's step.

Nothing is retyped: a line that changes in the source changes on the page. The twin's file is read
as text, so that no report needs PyTorch.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import resources

from parity.report.slide_code import slide_code
from reference.architecture import Architecture
from reference.equations import Equation
from reference.formula import FORMULAS, GRAPH_SLIDE
from reference.formulas import backpropagated
from reference.model import Model
from reference.operations.activations import Activation
from reference.trace import tensor_name

MOST_LINES = 14
"""Lines of a function that a page shows."""


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


def ours(equation: Equation, of: Model) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(function's name, its lines) for an equation: the formula first, then what it calls of f or L."""
    if equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture):
        return tuple((name, lines[:MOST_LINES]) for name, lines in code_of(equation.formula.function))
    found = _functions(equation, of)
    return tuple((_name(function), lines) for function in found if (lines := body(function)))


def as_on_the_slide(equation: Equation, of: Model) -> tuple[str, ...]:
    """The same lines without buffers; where there is no source, the name of what numpy has."""
    if equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture):
        first = _bare(equation.formula.function)
        return slide_code(first)[:MOST_LINES] or tuple(name for name, _ in code_of(first))
    first, *called = _functions(equation, of)
    lines = [slide_code(first, equation.quantity), *map(slide_code, called)]
    return tuple(line for part in lines for line in part)


def _functions(equation: Equation, of: Architecture) -> list[Callable[..., object]]:
    """The deck's function of an equation, then what it calls of f or L."""
    formula = equation.formula
    f, L = of.activations[equation.layer - 1], of.loss
    functions = [_bare(FORMULAS.get(formula.name, formula).function)]
    if equation.quantity == "s" and formula.name == "hidden_delta":
        functions = [backpropagated]
    elif formula.name == "loss":
        functions += _called(L.value)
    elif formula.name == "loss_gradient":
        functions += _called(L.gradient)
    elif formula.name == "activation":
        functions += _called(f.function)
    elif equation.quantity == "delta":
        functions += _called(f.jacobian or f.derivative)
    elif formula.name == "slope_gradient" and f.learned:
        functions += _called(f.learned.gradient)
    return functions


def code_of(function: Callable[..., object]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A function's name and lines, and those of what it calls of a table's row, as `f.derivative`.

    Of a function that numpy has, its full name.
    """
    bare = _bare(function)
    lines = body(bare)
    if not lines:
        return ((f"{getattr(bare, '__module__', None) or 'numpy'}.{_name(bare)}", ()),)
    nonlocals = inspect.getclosurevars(bare).nonlocals if inspect.isfunction(bare) else {}
    inner = [
        (f"{name}.{attribute}", body(_bare(found)))
        for name, attribute in dict.fromkeys(re.findall(r"\b(\w+)\.(\w+)\(", "\n".join(lines)))
        if name in nonlocals and callable(found := getattr(nonlocals[name], attribute, None))
    ]
    return ((_name(bare), lines), *((name, part) for name, part in inner if part))


def _called(function: Callable[..., object]) -> list[Callable[..., object]]:
    """A function, and the functions that it was made of."""
    function = _bare(function)
    parts = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    inner = [part for part in parts if inspect.isfunction(part)]
    wrapped = getattr(function, "__wrapped__", None)
    return [function] if wrapped else [function, *inner]


def _bare(function: Callable[..., object]) -> Callable[..., object]:
    """A function without the options that it was given."""
    while isinstance(function, partial):
        function = function.func
    return function


def _name(function: Callable[..., object]) -> str:
    return str(getattr(function, "__name__", ""))


@cache
def _twin_lines() -> Mapping[str, str]:
    """The statements of the twin's step by what they make, as they and their marks stand in its file."""
    text = resources.files("parity.pytorch").joinpath("twin.py").read_text(encoding="utf-8")
    return {made: line for line, made in re.findall(r"^ *(.*\S)  # makes: (\w+)$", text, re.MULTILINE)}


def theirs(equation: Equation, of: Model) -> str:
    """The statement of PyTorch's side that makes a tensor; of a recorded model, the call that did.

    Raises KeyError where no statement is marked as making it.
    """
    made = quantity = equation.quantity
    if not isinstance(of, Architecture) and not quantity.endswith("_next"):
        operation = of.graph[equation.node].operation
        call = next(iter(operation.aten), operation.name) if operation else "grad"
        return f"{call}, backward" if equation.formula.name.endswith("gradient") else call
    if quantity.endswith("_next"):
        made = "next"
    elif quantity == "norm" or quantity.startswith("clipped_"):
        made = "clipped"
    elif quantity.startswith(("s", "d")):
        made = "gradients"
    return _twin_lines()[made]


def module(equation: Equation, architecture: Model) -> str:
    """What PyTorch builds there: its class, or the derivative that autograd is asked for.

    Of a recorded model, where in it the operation or the parameter is.
    """
    l, quantity = equation.layer, equation.quantity
    if not isinstance(architecture, Architecture):
        return architecture.path(equation.node) or "model"
    sizes = architecture.layers
    f: Activation = architecture.activations[l - 1]
    if quantity == "z":
        return f"linear = torch.nn.Linear({sizes[l - 1]}, {sizes[l]})"
    if quantity == "a":
        return f"f = {f.source}({_arguments({**f.options, **f.torch_options})})"
    if quantity == "loss":
        reduction = f'reduction="{architecture.reduction}"'
        own = _arguments(architecture.loss.options)
        return f"loss = {architecture.loss.source}({', '.join(filter(None, (own, reduction)))})"
    if quantity.endswith("_next"):
        parameter = quantity.removesuffix("_next").rpartition("_")[2]
        chosen = architecture.optimizer_of(tensor_name(parameter, l))
        own = _arguments({**chosen.options} if not chosen.plain else {})
        return f"optimizer = {chosen.source}({', '.join(filter(None, ('lr=η', own)))})"
    if architecture.clipping and (quantity == "norm" or quantity.startswith("clipped_")):
        return f"{architecture.clipping.source}({_arguments(architecture.clipping.options)})"
    wanted = {"s": "a", "delta": "z"}.get(quantity, quantity.removeprefix("d"))
    return f"∂loss/∂{wanted}{l}"


def _arguments(options: Mapping[str, object]) -> str:
    """Options as they are written in a call; long lists are not."""
    parts = []
    for name, value in options.items():
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        parts.append(f"{name}={shown}" if len(shown) < 30 else f"{name}=…")
    return ", ".join(parts)
