"""Formulas and tensors in LaTeX, as on the slide and with a layer's number inserted."""

from __future__ import annotations

import re

from parity.explain.reach import Place
from parity.render.graph.names import written
from reference.architecture import Architecture
from reference.equations import Equation
from reference.formula import FORMULAS, GRAPH_SLIDE
from reference.model import Model

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


def layer_latex(equation: Equation, of: Model) -> str:
    """The formula with this layer's number for l: δ^(1) = (W^(2))ᵀ δ^(2) ⊙ f′(z^(1)).

    An operation of a graph makes a named tensor of its formula's right-hand side.
    """
    if equation.formula.slide == GRAPH_SLIDE:
        latex = equation.formula.latex
        return f"{name_latex(equation.makes)} = {right_side(latex) if has_left_side(latex) else latex}"
    l, latex = equation.layer, _decayed(slide_latex(equation), equation, of)
    if equation.constants == ("lr",) and not isinstance(of, Architecture):
        parameter, gradient = map(name_latex, equation.inputs)  # the deck's gradient is that of a layer
        return rf"{parameter} \leftarrow {parameter} - \eta {gradient}"
    last = of.depth if isinstance(of, Architecture) else l
    for symbol, number in (("(l+1)", l + 1), ("(l-1)", l - 1), ("(l)", l), ("(L)", last)):
        latex = latex.replace(symbol, f"({number})")
    return latex


def has_left_side(latex: str) -> bool:
    """Whether a formula says itself what it makes: `y = …`, and not a condition such as `[x = y]`."""
    while latex != (latex := re.sub(r"\{[^{}]*\}", "", latex)):
        pass
    return re.match(r"[^=,(\[|]*(=|\\leftarrow)", latex) is not None


def symbols(equation: Equation) -> tuple[str, ...]:
    """Each input's letter in the formula, if the formula is not written with the deck's names."""
    if not equation.symbols or equation.formula.name in FORMULAS:
        return ("",) * len(equation.inputs)
    return tuple(symbol.replace("_next", "") for symbol in equation.symbols)


def _decayed(latex: str, equation: Equation, of: Model) -> str:
    """A rule's LaTeX with the effect of weight decay and `maximize` inserted.

    The tables of rules write g for the gradient; with a weight decay it is g + λp, or, where decay is
    decoupled, the parameter shrinks by itself; when the loss is maximised it is −g.
    """
    if "_next" not in equation.makes:
        return latex
    chosen = of.optimizer_of(equation.node)
    if chosen.plain:
        return latex
    left, arrow, right = latex.partition(r"\leftarrow")
    options, makes_p = chosen.options, equation.makes == f"{equation.node}_next"
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


def f_latex(equation: Equation, of: Model) -> str | None:
    """The LaTeX of f or f′ in this layer, if the formula contains it."""
    if equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture):
        return None
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
    match = re.fullmatch(r"(?:(\w+)_(?!next))?([A-Za-z]+?)(\d*)(_next)?", tensor)
    if match is None:
        return r"\mathrm{" + re.sub(r"[^A-Za-z0-9]", " ", tensor) + "}"
    state, letters, layer, after = match.groups()
    letters = {"loss": "L"}.get(letters, letters)
    rest = {"loss": "L"}.get(letters[1:], letters[1:])
    d = "d" if letters[0] == "d" and (len(rest) == 1 or rest in GREEK) else ""
    letter = rest if d else letters
    letter = rf"\{letter}" if letter in GREEK else letter if len(letter) == 1 else rf"\mathrm{{{letter}}}"
    place = f"_{{{','.join(str(i) for i in index)}}}" if index else ""
    upper = f"^{{({layer})}}" if layer else ""
    arrow = r"\leftarrow" if after else ""  # as `written_at` has it: what the parameter becomes
    if state:
        state = state if len(state) == 1 else rf"\mathrm{{{state.replace('_', ' ')}}}"
        return f"{state}_{{{d}{letter}{upper}}}{place and rf'[{place[2:-1]}]'}{arrow}"
    return f"{d}{letter}{upper}{place}{arrow}"


def written_at(tensor: str, index: Place = ()) -> str:
    """A tensor's name and a part of it in characters: `δ⁽²⁾[1,0]`, `W⁽²⁾[1,:]`, `a⁽³⁾[0,2:5]`."""
    place = ",".join(_range(i) if isinstance(i, slice) else str(i) for i in index)
    name, arrow, _ = written(tensor).partition(" ←")
    return name + (f"[{place}]" if index else "") + arrow


def _range(part: slice) -> str:
    return ":" if part == slice(None) else f"{part.start}:{part.stop}"
