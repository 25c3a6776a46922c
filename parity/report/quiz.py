"""Predict, then reveal: one δ to type in before it is shown, and the slip that a wrong answer betrays."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from parity.explain import Inspector, name_latex
from parity.render.mathml import mathml
from parity.render.numbers import code
from parity.report.bilingual import say
from reference.architecture import Architecture
from reference.operations.activations import Activation
from reference.trace import Trace


@dataclass(frozen=True)
class QuizQuestion:
    """A δ to predict: what is given, the answer, and by slip what the slip would make of it."""

    layer: int
    element: Markup
    given: tuple[tuple[Markup, str], ...]
    answer: str
    slips: tuple[tuple[Markup, str], ...]
    for_script: str


def questions(inspector: Inspector, step: int, traces: dict[str, Trace]) -> tuple[QuizQuestion, ...]:
    """The output layer's δ and, where there is one, the last hidden layer's; none where a side hides s."""
    of = inspector.architecture
    if not isinstance(of, Architecture):
        return ()
    depth = of.depth
    trace = next((t for t in traces.values() if all(f"s{l}" in t for l in range(1, depth + 1))), None)
    if trace is None:
        return ()
    return tuple(
        _question(inspector, of, step, trace, layer)
        for layer in range(depth, max(0, depth - 2), -1)
        if _has_a_slope(of.activations[layer - 1])
    )


def _has_a_slope(f: Activation) -> bool:
    """Whether one element of δ can be worked out from s, z and a at its place."""
    return f.jacobian is None and f.learned is None


def _question(inspector: Inspector, of: Architecture, step: int, trace: Trace, layer: int) -> QuizQuestion:
    f = of.activations[layer - 1]
    z, a = (trace[f"{name}{layer}"].astype(np.float64) for name in ("z", "a"))
    s = trace[f"s{layer}"].astype(np.float64)
    slope = np.broadcast_to(np.asarray(f.derivative(z, a, None), dtype=np.float64), s.shape)
    delta = s * slope
    at = tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(delta)), delta.shape))
    answer = float(delta[at])
    wrong: dict[str, float] = {"no_slope": float(s[at]), "sign": -answer}
    wrong["slope_at_a"] = float(s[at]) * float(
        np.broadcast_to(np.asarray(f.derivative(a, f.function(a, None), None)), s.shape)[at]
    )
    if layer == of.depth:
        n = float(inspector.constants(trace, step)["n"])
        if of.loss.name == "mse":
            wrong |= {"no_two_over_n": answer * n / 2, "no_two": answer / 2}
        wrong["no_n"] = answer * n
    else:
        W, above = (trace[f"{name}{layer + 1}"].astype(np.float64) for name in ("W", "delta"))
        if W.shape[0] == W.shape[1]:
            wrong["transpose"] = float((W @ above)[at] * slope[at])
    slips = {slip: value for slip, value in wrong.items() if code(value, 3) != code(answer, 3)}
    given = [("s", float(s[at])), ("z", float(z[at])), ("a", float(a[at]))]
    return QuizQuestion(
        layer,
        mathml(name_latex(f"delta{layer}", at)),
        tuple((mathml(name_latex(f"{letter}{layer}", at)), code(value, 5)) for letter, value in given),
        code(answer, 5),
        tuple((say(f"slip.{slip}"), code(value, 5)) for slip, value in slips.items()),
        json.dumps({"answer": answer, "slips": list(slips.values())}),
    )
