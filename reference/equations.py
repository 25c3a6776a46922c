"""One training step, written out as the list of its equations in the order of execution.

The network in `network.py` runs the same formulas in the same order, for speed into buffers. This
list is for everybody who needs to look at a step one equation at a time: it says which formula
makes which tensor out of which others, and evaluates it on any arithmetic that answers to numpy's
functions. Certificates, the side-by-side bound, the witness and explanations all read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from reference import formulas
from reference.activations import Activation, Form
from reference.architecture import Architecture
from reference.arrays import Array
from reference.deck import FORMULAS, Formula

Constants: TypeAlias = Mapping[str, float]
"""`n`, what slide 3 divides by, and `lr`, the learning rate η."""


@dataclass(frozen=True)
class Equation:
    """`makes` = `evaluate`(tensors named in `inputs`, constants named in `constants`)."""

    formula: Formula
    layer: int
    quantity: str
    makes: str
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    evaluate: Callable[..., Array]
    other_forms: tuple[Callable[..., Array], ...] = ()

    def of(self, values: Mapping[str, Array], constants: Mapping[str, Array | float]) -> Array:
        """The right-hand side, from a trace (or anything with the same names) and n, lr."""
        return self.evaluate(
            *(values[name] for name in self.inputs), *(constants[name] for name in self.constants)
        )


def step_equations(architecture: Architecture) -> tuple[Equation, ...]:
    """Every equation of one step: forward, loss, backward, gradients, update."""
    depth = architecture.depth
    equations: list[Equation] = []
    for layer in range(1, depth + 1):
        equations += _forward(architecture.activations[layer - 1], layer)
    equations += _loss(architecture)
    equations += _output_delta(architecture.activations[-1], depth)
    for layer in range(depth - 1, 0, -1):
        equations += _hidden_delta(architecture.activations[layer - 1], layer)
    for layer in range(1, depth + 1):
        equations += _gradients(layer)
    for layer in range(1, depth + 1):
        equations += _update(layer)
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


def _forward(f: Activation, layer: int) -> list[Equation]:
    z = f"z{layer}"
    return [
        _equation("affine", layer, (f"W{layer}", _below(layer), f"b{layer}"), formulas.affine),
        _equation(
            "activation",
            layer,
            (z,),
            partial(formulas.activation, f),
            other_forms=f.other_functions,
        ),
    ]


def _loss(architecture: Architecture) -> list[Equation]:
    depth, inputs = architecture.depth, (f"a{architecture.depth}", "y")
    return [
        _equation("loss", depth, inputs, partial(formulas.loss, architecture.loss), ("n",)),
        _equation(
            "loss_gradient",
            depth,
            inputs,
            partial(formulas.loss_gradient, architecture.loss),
            ("n",),
        ),
    ]


def _output_delta(f: Activation, layer: int) -> list[Equation]:
    def evaluate(s: Array, z: Array, a: Array) -> Array:
        return formulas.output_delta(s, f.derivative(z, a, None))

    return [_delta("output_delta", f, layer, evaluate)]


def _hidden_delta(f: Activation, layer: int) -> list[Equation]:
    """Slide 5 in two equations, since sides record its first factor s too."""
    formula = FORMULAS["hidden_delta"]
    inputs = (f"W{layer + 1}", f"delta{layer + 1}")
    s = Equation(formula, layer, "s", f"s{layer}", inputs, (), formulas.backpropagated)

    def evaluate(s: Array, z: Array, a: Array) -> Array:
        return formulas.output_delta(s, f.derivative(z, a, None))

    return [s, _delta("hidden_delta", f, layer, evaluate)]


def _delta(name: str, f: Activation, layer: int, evaluate: Callable[..., Array]) -> Equation:
    """δ = s ⊙ f′(z), with every admitted form of f′."""
    inputs = (f"s{layer}", f"z{layer}", f"a{layer}")
    others = tuple(partial(_with_form, form) for form in f.other_forms)
    return _equation(name, layer, inputs, evaluate, other_forms=others)


def _with_form(form: Form, s: Array, z: Array, a: Array) -> Array:
    return s * form(z, a)


def _gradients(layer: int) -> list[Equation]:
    delta = f"delta{layer}"
    return [
        _equation("weight_gradient", layer, (delta, _below(layer)), formulas.weight_gradient),
        _equation("bias_gradient", layer, (delta,), formulas.bias_gradient),
    ]


def _update(layer: int) -> list[Equation]:
    return [
        _equation("weight_update", layer, (f"W{layer}", f"dW{layer}"), formulas.weight_update, ("lr",)),
        _equation("bias_update", layer, (f"b{layer}", f"db{layer}"), formulas.bias_update, ("lr",)),
    ]
