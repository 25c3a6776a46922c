"""The calculation of one number: its formula, its inputs, and the formula with the numbers inserted.

The formula is an `Equation`'s own LaTeX. The deck's activations, losses and update rules get numbers for
the symbols in it. Any other formula, and one with sums in it, is written out by its own function, run on
numbers that remember how they were computed (`parity.explain.expression`), so a new operation needs no
code here. Where that would be too long to read, only the formula and its inputs are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.explain.expression import Index
from parity.explain.notation import f_latex, layer_latex, right_side, symbols
from parity.explain.reach import Place, Reached, reached
from parity.explain.substitution import Sheet
from parity.explain.written import written
from parity.render.latex_text import plain
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Constants, Equation, kind
from reference.formula import GRAPH_SLIDE
from reference.model import Model
from reference.operations.losses import Loss
from reference.trace import split

MAX_GIVEN = 6
"""Maximum number of listed numbers of an input."""
OPTIONS = {
    "negative_slope": r"\beta", "alpha": r"\alpha", "lambd": r"\lambda", "beta": r"\beta",
    "threshold": r"\theta", "value": "v", "min_val": "m", "max_val": "M", "delta": r"\delta",
    "margin": "m", "momentum": r"\mu", "dampening": r"\tau", "weight_decay": r"\lambda",
    "beta1": r"\beta_1", "beta2": r"\beta_2", "eps": r"\epsilon", "rho": r"\rho",
    "lr_decay": r"\lambda_\eta", "t0": "t_0", "d": "d",
}  # fmt: skip
"""The letters of PyTorch's options in formulas."""
_SUM = re.compile(
    r"(-?)(\\frac\{1\}\{n\}\s*)?\\sum(?:_\{[^}]*\}|_[a-z])?(?:\^\{[^}]*\}|\^[a-zA-Z])?\s*(.*)"
)


@dataclass(frozen=True)
class Given:
    """An input: its name, the part that the number was computed from, its first numbers, and how many more.

    `symbol` is its letter in the formula, where the formula does not use its name.
    """

    name: str
    place: Place
    numbers: tuple[float, ...]
    more: int = 0
    symbol: str = ""


@dataclass(frozen=True)
class Work:
    """The formula and its f as LaTeX; the right-hand side with numbers, as LaTeX and as text.

    `latex` and `text` are empty if no numbers could be inserted; `given` always lists the inputs.
    """

    formula: str
    f: str | None
    latex: str
    text: str
    given: tuple[Given, ...]

    @property
    def formula_text(self) -> str:
        return plain(self.formula)


def work(
    equation: Equation, values: Mapping[str, Array], index: Index, constants: Constants, of: Model
) -> Work:
    """The calculation of one element. Raises KeyError for an input that is missing from `values`."""
    inputs = [np.asarray(values[name]) for name in equation.inputs]
    sheet = Sheet()
    numbers = _numbers(sheet, equation, inputs, index, constants, of)
    if numbers is not None:
        found = Reached.at_the_same_place(inputs, index)
    else:
        with np.errstate(all="ignore"):
            found = reached(equation, inputs, index, constants)
        numbers = "" if found.number is None else written(found.number, sheet)
    return Work(
        layer_latex(equation, of),
        f_latex(equation, of),
        sheet.latex(numbers),
        sheet.text(numbers),
        tuple(
            _listed(name, array, place, [*found.elements(at).values()], symbol)
            for at, (name, array, place, symbol) in enumerate(
                zip(equation.inputs, inputs, found.places, symbols(equation), strict=True)
            )
            if place is not None
        ),
    )


def _numbers(
    sheet: Sheet,
    equation: Equation,
    inputs: list[Array],
    index: Index,
    constants: Constants,
    of: Model,
) -> str | None:
    """The deck's formula with numbers for its symbols; None for any other, and for one with sums."""
    name, quantity = equation.formula.name, equation.quantity
    if equation.formula.slide == GRAPH_SLIDE or not isinstance(of, Architecture) or kind(equation) in SUMS:
        return None
    f = of.activations[equation.layer - 1]
    if quantity == "a":
        return _elementwise(sheet, f.latex, _letters(equation, inputs, index) | _options(f))
    if quantity == "delta":
        letters = _letters(equation, inputs, index) | _options(f)
        if f.jacobian is not None:
            return None
        slope = _elementwise(sheet, f.latex_derivative, letters)
        return rf"{sheet.put(letters['s'])} \cdot \left({slope}\right)" if slope else None
    if name == "loss":
        return None if of.loss.counts else _loss(sheet, of.loss, inputs, constants)
    if name == "loss_gradient":
        if of.loss.counts or inputs[0].shape != inputs[1].shape:
            return None
        known = _pair(_at(inputs[0], index), _at(inputs[1], index)) | {"n": constants["n"]}
        return _elementwise(sheet, of.loss.latex_gradient, known | _options(of.loss))
    if name in ("weight_update", "bias_update") and equation.constants == ("lr",) and len(inputs) == 2:
        p, g = (sheet.put(_at(array, index)) for array in inputs)
        return rf"{p} - {sheet.put(constants['lr'])} \cdot {g}"
    known = _unbiased(_letters(equation, inputs, index) | _constants(constants))
    return _elementwise(sheet, right_side(layer_latex(equation, of)), known)


SUMS = ("affine", "backpropagated", "weight_gradient", "bias_gradient")
"""The deck's formulas that hide a sum in a product of matrices."""


def _elementwise(sheet: Sheet, latex: str, letters: Mapping[str, float]) -> str | None:
    """The formula with numbers for letters; None for a formula over several elements."""
    latex, letter, meaning = latex.partition(r", \;")  # the definition of a letter keeps its letters
    written = sheet.substituted(latex, letters)
    written += letter + meaning
    return None if re.search(r"_\{?[ijk]\b|\\sum|\\prod|\\overline|RMS", written) else written


def _pair(p: float, t: float) -> dict[str, float]:
    """ŷ, y and r = ŷ − y, by the letters of losses."""
    pair = {r"\hat{y}": p, "y": t, "r": p - t}
    return pair | {f"{letter}_i": number for letter, number in pair.items()}


def _loss(sheet: Sheet, of: Loss, inputs: list[Array], constants: Constants) -> str | None:
    """The loss as a sum over all outputs and samples; None for a loss that is not such a sum."""
    latex, letter, meaning = of.latex.partition(r", \;")
    found = _SUM.fullmatch(latex)
    y_hat, y = inputs
    if found is None or y_hat.shape != y.shape or "\\sum" in found[3]:
        return None
    pairs = zip(map(float, y_hat.T.ravel()), map(float, y.T.ravel()), strict=True)
    own = _options(of)
    terms = [sheet.substituted(found[3], _pair(p, t) | own) for p, t in pairs]
    # A term that is itself a sum needs brackets.
    several = re.search(r"[+-]", re.sub(r"\([^()]*\)|\{[^{}]*\}", "", found[3]))
    total = sheet.total([rf"\left({term}\right)" for term in terms] if several else terms)
    divided = found[2] is not None and constants["n"] != 1
    if not divided and not found[1]:
        return total + letter + meaning
    front = rf"\frac{{1}}{{{constants['n']:g}}} " if divided else ""
    return rf"{found[1]}{front}\left({total}\right)" + letter + meaning


def _letters(equation: Equation, inputs: list[Array], index: Index) -> dict[str, float]:
    """The number of each input by its letter in formulas; a state after the step takes precedence."""
    letters: dict[str, float] = {}
    for name, array in sorted(
        zip(equation.inputs, inputs, strict=True), key=lambda pair: pair[0][-5:] == "_next"
    ):
        if not _fits(array, index):
            continue
        quantity = split(name)[0].removesuffix("_next")
        state, _, parameter = quantity.rpartition("_")
        letter = state or {"W": "p", "b": "p", "dW": "g", "db": "g", "delta": r"\delta"}.get(
            quantity, parameter
        )
        if quantity == "alpha":
            letters["p"] = _at(array, index)
            letter = r"\alpha"
        letters["n_" if state == "n" else letter] = _at(array, index)  # n is slide 3's, too
    return letters


def _options(thing: object) -> dict[str, float]:
    """The options of an activation or a loss by their letters in formulas."""
    options: Mapping[str, object] = getattr(thing, "options", {})
    return {
        OPTIONS[name]: float(value)
        for name, value in options.items()
        if name in OPTIONS and isinstance(value, int | float) and not isinstance(value, bool)
    }


def _constants(constants: Constants) -> dict[str, float]:
    """η, t and the optimizer's constants by their letters in formulas."""
    known: dict[str, float] = {}
    special = {"lr": r"\eta"} | ({"weight_decay": "w"} if "lambd" in constants else {})
    for name, number in constants.items():
        letter = special.get(name, OPTIONS.get(name.rpartition(".")[2], name))
        known[letter] = float(number)
    return known


def _unbiased(known: dict[str, float]) -> dict[str, float]:
    """Bias-corrected averages m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ); u is the state named n."""
    found = dict(known)
    for hat, letters, beta in ((r"\hat{m}", "m", r"\beta_1"), (r"\hat{v}", "Vv", r"\beta_2")):
        average = next((known[letter] for letter in letters if letter in known), None)
        if average is not None and beta in known and 0 < known[beta] < 1:
            found[hat] = average / (1 - known[beta] ** known["t"])
    return found | ({"u": known["n_"]} if "n_" in known else {})


def _listed(name: str, array: Array, place: Place, numbers: Sequence[float], symbol: str) -> Given:
    found = numbers or [float(number) for number in np.ravel(array[place].T)]
    return Given(name, place, tuple(found[:MAX_GIVEN]), max(0, len(found) - MAX_GIVEN), symbol)


def _fits(array: Array, index: Index) -> bool:
    """Whether an input has a number for the index, of its own or for the whole row or column."""
    return array.ndim == len(index) and all(
        i < size or size == 1 for i, size in zip(index, array.shape, strict=True)
    )


def _at(array: Array, index: Index) -> float:
    return float(array[tuple(min(i, size - 1) for i, size in zip(index, array.shape, strict=True))])
