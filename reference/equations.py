"""One training step, written out as the list of its equations in the order of execution.

The network in `network.py` runs the same formulas in the same order, for speed into buffers. This
list is for everybody who needs to look at a step one equation at a time: it says which formula
makes which tensor out of which others, and evaluates it on any arithmetic that answers to numpy's
functions. Certificates, the side-by-side bound, the witness and explanations all read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from reference import formulas
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equation import Constants, Equation
from reference.formula import FORMULAS, Formula
from reference.operations.activations import Activation, Form
from reference.updates import clipping_equations, constant_name, parameter_equations

__all__ = ["Constants", "Equation", "constants", "step_equations"]


def constants(architecture: Architecture, batch: int, lr: float, t: int = 1) -> dict[str, float]:
    """Every constant of the equations of step t, counted from 1, on a batch of so many samples."""
    found: dict[str, float] = {"n": architecture.n(batch), "lr": lr, "t": t}
    if architecture.clipping:
        found |= {f"clipping.{name}": value for name, value in architecture.clipping.options.items()}
    for optimizer in filter(None, (architecture.optimizer, architecture.optimizer.others)):
        numbers = {**optimizer.numbers, **optimizer.derive(lr, t)}
        found |= {constant_name(architecture.optimizer, optimizer, name): n for name, n in numbers.items()}
    return found


def step_equations(architecture: Architecture) -> tuple[Equation, ...]:
    """Every equation of one step: forward, loss, backward, gradients, update."""
    depth = architecture.depth
    equations: list[Equation] = []
    for layer in range(1, depth + 1):
        equations += _forward(architecture, layer)
    equations += _loss(architecture)
    equations += [_delta("output_delta", architecture, depth)]
    for layer in range(depth - 1, 0, -1):
        equations += _hidden_delta(architecture, layer)
    for layer in range(1, depth + 1):
        equations += _gradients(architecture, layer)
    equations += clipping_equations(architecture)
    for name in architecture.parameter_shapes():
        equations += parameter_equations(architecture, name)
    return tuple(equations)


def _below(layer: int) -> str:
    """The name of a^(l-1): the input x is a^(0)."""
    return f"a{layer - 1}" if layer > 1 else "x"


def _equation(
    name: str,
    layer: int,
    inputs: tuple[str, ...],
    evaluate: Callable[..., Array],
    constants: tuple[str, ...] = (),
    other_forms: tuple[Callable[..., Array], ...] = (),
) -> Equation:
    formula = FORMULAS[name]
    quantity = formula.quantity
    base, after, _ = quantity.partition("_next")
    makes = "loss" if quantity == "loss" else f"{base}{layer}{after}"
    return Equation(formula, layer, quantity, makes, inputs, constants, evaluate, other_forms)


def _forward(architecture: Architecture, layer: int) -> list[Equation]:
    f = architecture.activations[layer - 1]
    return [
        _equation("affine", layer, (f"W{layer}", _below(layer), f"b{layer}"), formulas.affine),
        _equation(
            "activation",
            layer,
            (f"z{layer}", *architecture.learned(layer)),
            partial(formulas.activation, f),
            other_forms=f.other_functions,
        ),
    ]


def _loss(architecture: Architecture) -> list[Equation]:
    depth, inputs = architecture.depth, (f"a{architecture.depth}", "y")
    L = architecture.reduced_loss
    found = []
    for name, function, latex in (
        ("loss", formulas.loss, L.latex),
        ("loss_gradient", formulas.loss_gradient, L.latex_gradient),
    ):
        equation = _equation(name, depth, inputs, partial(function, L), ("n",))
        if L.name != "mse":  # the deck's has its LaTeX on the slide
            equation = replace(equation, formula=replace(equation.formula, latex=latex))
        found.append(equation)
    return found


def _hidden_delta(architecture: Architecture, layer: int) -> list[Equation]:
    """Slide 5 in two equations, since sides record its first factor s too."""
    formula = FORMULAS["hidden_delta"]
    inputs = (f"W{layer + 1}", f"delta{layer + 1}")
    s = Equation(formula, layer, "s", f"s{layer}", inputs, (), formulas.backpropagated)
    return [s, _delta("hidden_delta", architecture, layer)]


def _delta(name: str, architecture: Architecture, layer: int) -> Equation:
    """δ = s ⊙ f′(z), with every admitted form of f′."""
    f = architecture.activations[layer - 1]
    inputs = (f"s{layer}", f"z{layer}", f"a{layer}", *architecture.learned(layer))
    also = (f.torch_form,) if f.torch_form else ()
    others = (*(partial(_with_form, form) for form in f.other_forms), *also)
    equation = _equation(name, layer, inputs, partial(formulas.through, f), other_forms=others)
    return replace(equation, also=also)


def _with_form(form: Form, s: Array, z: Array, a: Array) -> Array:
    return s * form(z, a)


def _gradients(architecture: Architecture, layer: int) -> list[Equation]:
    delta = f"delta{layer}"
    found = [
        _equation("weight_gradient", layer, (delta, _below(layer)), formulas.weight_gradient),
        _equation("bias_gradient", layer, (delta,), formulas.bias_gradient),
    ]
    for name in architecture.learned(layer):
        f = architecture.activations[layer - 1]
        inputs = (f"s{layer}", f"z{layer}", name)
        found.append(_slope_gradient(f, layer, name, inputs))
    return found


def _slope_gradient(f: Activation, layer: int, name: str, inputs: tuple[str, ...]) -> Equation:
    """Not a formula of the deck's: the gradient of what an activation learns."""
    assert f.learned is not None
    quantity, function = f"d{f.learned.symbol}", partial(formulas.slope_gradient, f)
    latex = rf"\frac{{\partial L}}{{\partial \alpha^{{(l)}}}} = {f.learned.latex_gradient}"
    formula = Formula("slope_gradient", quantity, 6, latex, formulas.slope_gradient)
    return Equation(formula, layer, quantity, f"d{name}", inputs, (), function)
