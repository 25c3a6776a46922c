"""A tensor's card: what is the same in every step: its formula, both programs' lines, why bits differ."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from parity.explain import f_latex, layer_latex, name_latex, written_at
from parity.explain.text import meaning
from parity.render.latex_text import plain
from parity.render.mathml import mathml
from parity.render.texts import LANGUAGES, catalogue
from parity.report import sources
from parity.report.bilingual import bilingual, formula_title, has, say
from parity.report.stages import stage_of
from reference.architecture import Architecture
from reference.equations import kind
from reference.formula import GRAPH_SLIDE, Equation
from reference.model import Model


@dataclass(frozen=True)
class Card:
    """A tensor's card. `code` is written as on the slide, `source` as it stands in the file.

    `inputs` are what the formula takes, and what each is; `own` has their names in characters.
    """

    tensor: str
    name: Markup
    title: Markup
    slide: int
    stage: str
    formula: Markup
    f: Markup | None
    plain: str
    code: tuple[str, ...]
    source: tuple[tuple[str, tuple[str, ...]], ...]
    torch_line: str
    torch_module: str
    why: Markup
    inputs: tuple[tuple[Markup, Markup], ...]
    own: str


def card(equation: Equation, of: Model) -> Card:
    """The card of the tensor that an equation makes."""
    formula, f = layer_latex(equation, of), f_latex(equation, of)
    return Card(
        equation.makes,
        mathml(name_latex(equation.makes)),
        title_of(equation),
        equation.formula.slide,
        stage_of(equation),
        mathml(formula, block=True),
        mathml(f) if f else None,
        plain(formula),
        sources.as_on_the_slide(equation, of),
        sources.ours(equation, of),
        sources.theirs(equation, of),
        sources.module(equation, of),
        _why(equation, of),
        tuple(
            (mathml(name_latex(name)), told)
            for name in dict.fromkeys(equation.inputs)
            if (told := _meaning(name, equation, of))
        ),
        ", ".join(written_at(name) for name in dict.fromkeys(equation.inputs)),
    )


def title_of(equation: Equation) -> Markup:
    """The name of an equation's formula, in words."""
    return formula_title("s" if kind(equation) == "backpropagated" else equation.formula.name)


def _meaning(name: str, equation: Equation, of: Model) -> Markup:
    """What an input is: in the deck, or where in a torch model it is from."""
    if equation.formula.slide == GRAPH_SLIDE:
        return Markup(escape(of.path(name)))
    return bilingual({lang: Markup(escape(meaning(name, catalogue(lang)))) for lang in LANGUAGES})


def _why(equation: Equation, of: Model) -> Markup:
    """Why the two sides need not have the same bits here, for the kind of arithmetic this formula is."""
    name, quantity = equation.formula.name, equation.quantity
    if equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture):
        return say("why.update" if "_next" in quantity else "why.operation")
    f = of.activations[equation.layer - 1].name
    if name == "loss_gradient":
        return say("why.exact")
    if quantity in ("a", "delta"):
        special = f"why.{'function' if quantity == 'a' else 'form'}_{f}"
        return say(special if has(special) else "why.function" if quantity == "a" else "why.form")
    return say("why.update") if "_next" in quantity else say("why.sum")
