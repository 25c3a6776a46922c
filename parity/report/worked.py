"""One number worked out: the formula with the numbers of this step put in, term by term."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.report.numbers import code
from parity.report.numbers import latex as number
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Constants, Equation
from reference.trace import Trace

MAX_TERMS = 4
"""Terms of a sum that are written out before "… (k more)"."""


@dataclass(frozen=True)
class Worked:
    """The right-hand side with numbers in it, for MathML and as plain text."""

    latex: str
    text: str


def worked(
    equation: Equation, trace: Trace, index: tuple[int, ...], constants: Constants, of: Architecture
) -> Worked | None:
    """The numbers of one element; None for a formula that is not the deck's or inputs not shown."""
    if any(name not in trace for name in equation.inputs):
        return None
    inputs = [trace[name] for name in equation.inputs]
    name, quantity = equation.formula.name, equation.quantity
    if quantity == "z":
        W, a, b = inputs
        i, j = index
        return _plus(_products(W[i], a[:, j]), b[i, 0])
    if quantity == "a":
        return _of_z(of.activations[equation.layer - 1].latex, {"z": float(inputs[0][index])})
    if name in ("loss", "loss_gradient") and of.loss.name == "mse":
        y_hat, y = inputs
        return (
            _loss(y_hat, y, constants["n"])
            if name == "loss"
            else _gradient(y_hat, y, index, constants["n"])
        )
    if quantity == "s" and name == "hidden_delta":
        W, delta = inputs
        i, j = index
        return _products(W[:, i], delta[:, j])
    if quantity == "delta" and len(inputs) == 3:
        s, z_, a_ = (float(array[index]) for array in inputs)
        slope = _of_z(of.activations[equation.layer - 1].latex_derivative, {"z": z_, "a": a_})
        return Worked(
            rf"{_bracket(s)} \cdot \left( {slope.latex} \right)", f"{_bracketed(s)} · ({slope.text})"
        )
    if quantity == "dW":
        delta, a = inputs
        i, j = index
        return _products(delta[i], a[j])
    if quantity == "db":
        return _sum([(number(float(v)), code(float(v))) for v in inputs[0][index[0]]])
    if name in ("weight_update", "bias_update") and equation.constants == ("lr",) and len(inputs) == 2:
        p, g, lr = float(inputs[0][index]), float(inputs[1][index]), constants["lr"]
        return Worked(
            rf"{number(p)} - {number(lr)} \cdot {_bracket(g)}", f"{code(p)} - {code(lr)} · {_bracketed(g)}"
        )
    return None


def _products(left: Array, right: Array) -> Worked:
    """Σ left · right."""
    return _sum(
        [
            (rf"{_bracket(float(p))} \cdot {_bracket(float(q))}", f"{_bracketed(p)} · {_bracketed(q)}")
            for p, q in zip(left, right, strict=True)
        ]
    )


def _sum(terms: Sequence[tuple[str, str]]) -> Worked:
    """Terms with plus signs; a long sum shows its first ones and its last."""
    if len(terms) > MAX_TERMS + 1:
        left_out = len(terms) - MAX_TERMS
        terms = [*terms[: MAX_TERMS - 1], (rf"\cdots_{{+{left_out}}}", f"… (+{left_out})"), terms[-1]]
    return Worked(" + ".join(latex for latex, _ in terms), " + ".join(text for _, text in terms))


def _plus(total: Worked, last: np.generic | float) -> Worked:
    return Worked(f"{total.latex} + {_bracket(float(last))}", f"{total.text} + {_bracketed(last)}")


def _of_z(latex: str, values: dict[str, float]) -> Worked:
    """A formula of z (and a) with numbers for its letters."""
    text = latex
    for letter, value in values.items():
        alone = rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])"
        latex = re.sub(alone, lambda _, v=value: _bracket(v), latex)  # type: ignore[misc]
        text = re.sub(alone, lambda _, v=value: _bracketed(v), text)  # type: ignore[misc]
    return Worked(latex, plain(text))


def _loss(y_hat: Array, y: Array, n: float) -> Worked:
    terms = [
        (rf"({number(float(t))} - {_bracket(float(p))})^2", f"({code(float(t))} - {_bracketed(p)})²")
        for t, p in zip(y.T.ravel(), y_hat.T.ravel(), strict=True)
    ]
    total = _sum(terms)
    return Worked(rf"\frac{{1}}{{{n:g}}} \left( {total.latex} \right)", f"1/{n:g} · ({total.text})")


def _gradient(y_hat: Array, y: Array, index: tuple[int, ...], n: float) -> Worked:
    p, t = float(y_hat[index]), float(y[index])
    return Worked(
        rf"\frac{{2}}{{{n:g}}} \left( {number(p)} - {_bracket(t)} \right)",
        f"2/{n:g} · ({code(p)} - {_bracketed(t)})",
    )


def _bracket(value: float) -> str:
    return f"({number(value)})" if value < 0 or "times" in number(value) else number(value)


def _bracketed(value: np.generic | float) -> str:
    return f"({code(float(value))})" if float(value) < 0 else code(float(value))


SIGNS = (
    (r"\frac{1}{n}\sum_{i=1}^{n}", "(1/n) Σ"),
    (r"\frac{2}{n}", "(2/n)"),
    (r"\mathrm{MSE}", "MSE"),
    (r"\hat{y}", "ŷ"),
    (r"\delta", "δ"),
    (r"\eta", "η"),
    (r"\odot", "⊙"),
    (r"\cdot", "·"),
    (r"\leftarrow", "←"),
    (r"\nabla_", "∇_"),
    (r"\partial", "∂"),
    (r"\times", "×"),
    (r"\max", "max"),
    (r"\tanh", "tanh"),
    (r"\left", ""),
    (r"\right", ""),
    (r"\,", " "),
)


def plain(latex: str) -> str:
    """LaTeX as a line of plain text: the formula's twin for those who cannot see MathML."""
    text = (
        re.sub(r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", _fraction, latex)
        if r"\frac{1}{n}\sum" not in latex and r"\frac{2}{n}" not in latex
        else latex
    )
    for sign, character in SIGNS:
        text = text.replace(sign, character)
    text = re.sub(r"\^T\b", "ᵀ", text)
    text = re.sub(r"\^\{(\([^{}]*\))\}", r"^\1", text)
    text = re.sub(r"[_^]\{([^{}]*)\}", lambda m: m.group(0)[0] + m.group(1), text)
    text = text.replace("{", "").replace("}", "").replace("\\", "")
    return " ".join(text.split())


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match.groups()
    simple = re.fullmatch(r"[\w.]+", bottom)
    if r"\partial" in top:
        return f"{top}/{bottom}"
    return f"{top}/{bottom}" if simple else f"{top}/({bottom})"
