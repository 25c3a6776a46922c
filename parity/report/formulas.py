"""Formulas as MathML Core: the slide's LaTeX, and the same with a layer's number in it."""

from __future__ import annotations

import re
from functools import cache

from latex2mathml.converter import convert
from markupsafe import Markup

from reference.architecture import Architecture
from reference.equations import Equation

BACKPROPAGATED = r"s^{(l)} = (W^{(l+1)})^T \delta^{(l+1)}"
"""Slide 5's first factor; sides record it too."""


@cache
def mathml(latex: str, *, block: bool = False) -> Markup:
    """LaTeX as a `<math>` element."""
    markup = convert(latex, display="block" if block else "inline")
    # MathML Core knows neither: the converter writes them for fences and for bold or upright letters.
    markup = re.sub(r' (fence|separator|columnalign|rowspacing|form)="[^"]*"', "", markup)
    return Markup(markup)


def slide_latex(equation: Equation) -> str:
    """The formula as its slide has it."""
    if equation.quantity == "s" and equation.formula.name == "hidden_delta":
        return BACKPROPAGATED
    return equation.formula.latex


def layer_latex(equation: Equation, architecture: Architecture) -> str:
    """The formula with this layer's number for l: δ^(1) = (W^(2))ᵀ δ^(2) ⊙ f′(z^(1))."""
    l, latex = equation.layer, slide_latex(equation)
    for symbol, number in (("(l+1)", l + 1), ("(l-1)", l - 1), ("(l)", l), ("(L)", architecture.depth)):
        latex = latex.replace(symbol, f"({number})")
    return latex


def f_latex(equation: Equation, architecture: Architecture) -> str | None:
    """What f or f′ is in this layer, where the formula has one."""
    f = architecture.activations[equation.layer - 1]
    if equation.quantity == "a":
        return f"f(z) = {f.latex}"
    if equation.quantity == "delta":
        return f"f'(z) = {f.latex_derivative}"
    return None


def name_latex(tensor: str, index: tuple[int, ...] = ()) -> str:
    """A tensor's name, with an element's place: ``name_latex("delta2", (1, 0))``."""
    match = re.fullmatch(r"(d?)([A-Za-z]+?)(\d*)(_next)?", tensor)
    if match is None:
        return rf"\mathrm{{{tensor}}}"
    d, letter, layer, after = match.groups()
    if tensor.startswith("delta"):
        d, letter = "", r"\delta"
    if tensor == "loss":
        d, letter = "", "L"
    place = f"_{{{','.join(str(i) for i in index)}}}" if index else ""
    upper = f"^{{({layer})}}" if layer else ""
    prime = r"\,\text{new}" if after else ""
    return f"{'d' if d else ''}{letter}{upper}{place}{prime}"
