"""Formulas and tensors in LaTeX, as on the slide and with a layer's number inserted."""

from __future__ import annotations

import re

from parity.render.graph.names import written
from reference.architecture import Architecture
from reference.equations import Equation

BACKPROPAGATED = r"s^{(l)} = (W^{(l+1)})^T \delta^{(l+1)}"
"""Slide 5's first factor, a separate equation because sides record it too."""
LEFT = {"loss": "L", "loss_gradient": r"\nabla_{\hat{y}} L"}
GREEK = ("alpha", "delta")


def slide_latex(equation: Equation) -> str:
    """The formula as on its slide."""
    name, latex = equation.formula.name, equation.formula.latex
    if equation.quantity == "s" and name == "hidden_delta":
        return BACKPROPAGATED
    if name in LEFT and not latex.startswith((r"\mathrm{MSE}", r"\nabla")):
        return f"{LEFT[name]} = {latex}"  # a table of losses has their right-hand sides
    return latex


def layer_latex(equation: Equation, of: Architecture) -> str:
    """The formula with this layer's number for l: δ^(1) = (W^(2))ᵀ δ^(2) ⊙ f′(z^(1))."""
    l, latex = equation.layer, _decayed(slide_latex(equation), equation, of)
    for symbol, number in (("(l+1)", l + 1), ("(l-1)", l - 1), ("(l)", l), ("(L)", of.depth)):
        latex = latex.replace(symbol, f"({number})")
    return latex


def _decayed(latex: str, equation: Equation, of: Architecture) -> str:
    """A rule's LaTeX with the effect of weight decay and `maximize` inserted.

    The tables of rules write g for the gradient; with a weight decay it is g + λp, or, where decay is
    decoupled, the parameter shrinks by itself; when the loss is maximised it is −g.
    """
    if "_next" not in equation.makes:
        return latex
    chosen = of.optimizer_of(re.sub(r"_next$|^.*_(?=[a-zA-Z]+\d+_next)", "", equation.makes))
    if chosen.plain:
        return latex
    left, arrow, right = latex.partition(r"\leftarrow")
    options, makes_p = chosen.options, not re.match(r"[A-Za-z]+_(?!next)", equation.makes)
    decay = "w" if "lambd" in options else r"\lambda"
    decays = bool(options.get("weight_decay")) and not re.search(r"\\lambda(?![_A-Za-z])|\bw\b", right)
    decays = decays or ("lambd" in options and bool(options["weight_decay"]))
    apart = bool(options.get("decoupled_weight_decay")) or not chosen.elementwise
    g = "-g" if options.get("maximize") else "g"
    if decays and apart and makes_p:
        right = f"{right} ".replace(" p ", r" (1 - \eta \lambda) p ", 1).rstrip()
    elif decays and not apart:
        g = f"{g} + {decay} p"
    if g != "g":
        right = _LETTER_G.sub(lambda _: f"({g})", right)
    return left + arrow + right


_LETTER_G = re.compile(r"(?<![A-Za-z\\])g(?![A-Za-z_])")


def f_latex(equation: Equation, of: Architecture) -> str | None:
    """The LaTeX of f or f′ in this layer, if the formula contains it."""
    f = of.activations[equation.layer - 1]
    if equation.quantity == "delta" and f.jacobian is not None:
        return rf"\frac{{\partial a_i}}{{\partial z_j}} = {f.latex_derivative}"
    if equation.quantity == "a":
        return f"f(z) = {f.latex}"
    if equation.quantity == "delta":
        return f"f'(z) = {f.latex_derivative}"
    return None


def right_side(latex: str) -> str:
    """The part after the first = or ←; the whole text if there is neither."""
    return re.split(r"=|\\leftarrow\b", latex, maxsplit=1)[-1].strip()


def name_latex(tensor: str, index: tuple[int, ...] = ()) -> str:
    """A tensor's name, with an element's place: ``name_latex("delta2", (1, 0))``."""
    match = re.fullmatch(r"(?:([A-Za-z]+)_)?([A-Za-z]+?)(\d*)(_next)?", tensor)
    if match is None:
        return r"\mathrm{" + re.sub(r"[^A-Za-z0-9]", " ", tensor) + "}"
    state, letters, layer, after = match.groups()
    letters = {"loss": "L"}.get(letters, letters)
    d = "d" if letters[0] == "d" and letters not in GREEK and len(letters) > 1 else ""
    letter = letters.removeprefix(d)
    letter = rf"\{letter}" if letter in GREEK else letter
    place = f"_{{{','.join(str(i) for i in index)}}}" if index else ""
    upper = f"^{{({layer})}}" if layer else ""
    prime = r"\,\text{new}" if after else ""
    if state:
        return f"{state}_{{{d}{letter}{upper}}}{place and rf'[{place[2:-1]}]'}{prime}"
    return f"{d}{letter}{upper}{place}{prime}"


def written_at(tensor: str, index: tuple[int | None, ...] = ()) -> str:
    """A tensor's name and an element's place in characters: `δ⁽²⁾[1,0]`; None is a whole row or column."""
    place = ",".join(":" if i is None else str(i) for i in index)
    name, arrow, _ = written(tensor).partition(" ←")
    return name + (f"[{place}]" if index else "") + arrow
