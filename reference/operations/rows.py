"""Converts rows of the activation and loss tables to operations of a layered network's graph.

A column is a sample. Operands have the deck's names: a = f(z), L(ŷ, y).
"""

from __future__ import annotations

from functools import partial

from reference import formulas
from reference.arrays import Array
from reference.formula import FORMULAS, Formula
from reference.operation import Operation, taking
from reference.operations.activations import Activation, Form
from reference.operations.losses import Loss


def activation(f: Activation, *, top: bool = False) -> Operation:
    """An activation as an operation: a = f(z), and δ = s ⊙ f′(z) (slide 4 in the `top` layer, else 5).

    Includes all accepted forms of f and f′. A learned parameter of f is an operand.
    """
    learned = (f.learned.symbol,) if f.learned else ()
    also = (f.torch_form,) if f.torch_form else ()
    back = taking(
        FORMULAS["output_delta" if top else "hidden_delta"],
        "g",
        "z",
        "y",
        *learned,
        function=partial(formulas.through, f),
        other_forms=(*(partial(_with_form, form) for form in f.other_forms), *also),
        also=also,
    )
    vjps = {"z": back}
    if f.learned:
        latex = rf"\frac{{\partial L}}{{\partial \alpha^{{(l)}}}} = {f.learned.latex_gradient}"
        function = partial(formulas.slope_gradient, f)
        vjps[f.learned.symbol] = Formula(
            "slope_gradient",
            latex,
            function,
            ("g", "z", f.learned.symbol),
            quantity=f"d{f.learned.symbol}",
            slide=6,
        )
    forward = taking(
        FORMULAS["activation"],
        "z",
        *learned,
        function=partial(formulas.activation, f),
        other_forms=f.other_functions,
    )
    return Operation(f.name, ("z", *learned), {"y": forward}, vjps, torch=f.source)


def _with_form(form: Form, s: Array, z: Array, a: Array) -> Array:
    return s * form(z, a)


def loss(L: Loss) -> Operation:
    """A loss with its reduction as one operation: L(ŷ, y), and ∇_ŷ L. y is not differentiated."""
    found = []
    for name, function, latex in (
        ("loss", formulas.loss, L.latex),
        ("loss_gradient", formulas.loss_gradient, L.latex_gradient),
    ):
        formula = taking(FORMULAS[name], "y_hat", "y", function=partial(function, L), constants=("n",))
        if L.name != "mse":  # MSE keeps the deck's LaTeX
            formula = taking(formula, *formula.takes, latex=latex)
        found.append(formula)
    return Operation(
        L.name,
        ("y_hat", "y"),
        {"loss": found[0]},
        {"y_hat": found[1]},
        value="loss",
        torch=L.source,
        fits=lambda y_hat, y: len(y.shape) == 2 and y.shape[1] == y_hat.shape[1],
    )
