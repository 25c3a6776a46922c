"""Rows of the tables of activations and losses, as operations of a layered network's graph.

A column is a sample. Names of operands are the deck's: a = f(z), L(ŷ, y).
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
    """a = f(z), and back: δ = s ⊙ f′(z), which is slide 4 in the `top` layer and slide 5 below it.

    With every admitted form of f and f′. Where f learns a parameter, it is an operand too.
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
    """L(ŷ, y) whole, as its reduction has it computed, and back: ∇_ŷ L. y is given, not learned."""
    found = []
    for name, function, latex in (
        ("loss", formulas.loss, L.latex),
        ("loss_gradient", formulas.loss_gradient, L.latex_gradient),
    ):
        formula = taking(FORMULAS[name], "y_hat", "y", function=partial(function, L), constants=("n",))
        if L.name != "mse":  # the deck's has its LaTeX on the slide
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
