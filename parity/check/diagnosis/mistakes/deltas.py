"""Mistakes on the way back: δ = s ⊙ f′(z), and s = Wᵀ δ of the layer above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from parity.bounds import Bounded
from parity.check.diagnosis.anatomy import Operand, Operands, curve, layer_function, slope
from parity.check.diagnosis.hypothesis import Situation
from parity.check.diagnosis.mistake import (
    DoesNotApplyError,
    Exchange,
    Mistake,
    at,
    earlier,
    instead,
    kept,
    leave_out,
    put,
    put_earlier,
    swap,
    tensor,
)
from parity.check.diagnosis.mistakes.forward import first_term, last_term
from reference.operations.activations import CLASSIC, Activation

Guess = Callable[[Bounded], Bounded]

GUESSES_OF_A: Mapping[str, Guess] = {
    "a": lambda a: a,
    "1 − a": lambda a: 1 - a,
    "1 + a": lambda a: 1 + a,
    "a²": lambda a: np.square(a),
    "1 − a²": lambda a: 1 - a * a,
    "1 + a²": lambda a: 1 + a * a,
    "a(1 + a)": lambda a: a * (1 + a),
    "a(1 − a)": lambda a: a * (1 - a),
    "a²(1 − a)": lambda a: a * a * (1 - a),
    "a(1 − a)²": lambda a: a * (1 - a) * (1 - a),
    "a(1 − a²)": lambda a: a * (1 - a * a),
    "(1 − a)²": lambda a: np.square(1 - a),
    "[a ≤ 0]": lambda a: 1 - np.greater(a, 0),  # type: ignore[call-overload]
    "1 − tanh(a)": lambda a: 1 - np.tanh(a),
}
"""What people write for f′ from a, of whatever activation."""

GUESSES_OF_Z: Mapping[str, Guess] = {
    "z": lambda z: z,
    "1 − z": lambda z: 1 - z,
    "[z > 0]": lambda z: np.greater(z, 0),  # type: ignore[call-overload]
    "[z ≤ 0]": lambda z: 1 - np.greater(z, 0),  # type: ignore[call-overload]
    "e^−z": lambda z: np.exp(-z),
    "tanh(z)": lambda z: np.tanh(z),
    "1 − tanh(z)": lambda z: 1 - np.tanh(z),
}
"""And from z."""


def _guess(text: str, name: str, guess: Guess) -> Exchange:
    def exchange(situation: Situation) -> Operands:
        return {"slope": Operand(f"({text})", guess(tensor(situation, name).value))}

    return exchange


def _of_other(g: Activation) -> Exchange:
    """g′(z) for f′(z)."""

    def exchange(situation: Situation) -> Operands:
        if layer_function(situation.scenario, situation.layer).name == g.name:
            raise DoesNotApplyError
        z = tensor(situation, "z")
        return {"slope": Operand(f"{g.name}′({z.text})", slope(g, z.value, curve(g, z.value)))}

    return exchange


def _at_activation(situation: Situation) -> Operands:
    f = layer_function(situation.scenario, situation.layer)
    a = tensor(situation, "a")
    return {"slope": Operand(f"f′({a.text})", slope(f, a.value, curve(f, a.value)))}


def _z_for_a(situation: Situation) -> Operands:
    """The derivative's formula in a, fed with z: z(1 − z) for a(1 − a)."""
    f = layer_function(situation.scenario, situation.layer)
    z = tensor(situation, "z")
    return {"slope": Operand(f"f′[a := {z.text}]", slope(f, z.value, z.value))}


def _of_layer(shift: int, *, function_too: bool) -> Exchange:
    """f′ at another layer's z, by this layer's activation or by that one's."""

    def exchange(situation: Situation) -> Operands:
        z, a = tensor(situation, "z", shift), tensor(situation, "a", shift)
        f = layer_function(situation.scenario, situation.layer + (shift if function_too else 0))
        value = slope(f, z.value, a.value if function_too else curve(f, z.value))
        return {"slope": Operand(f"f′({z.text})", value)}

    return exchange


def _earlier_slope(situation: Situation) -> Operands:
    f = layer_function(situation.scenario, situation.layer)
    z, a = earlier(situation, "z"), earlier(situation, "a")
    return {"slope": Operand(f"f′({z.text})", slope(f, z.value, a.value))}


def _twice(situation: Situation) -> Operands:
    if layer_function(situation.scenario, situation.layer).jacobian:
        raise DoesNotApplyError  # it has no f′
    f_prime = kept(situation, "slope")
    return {"slope": Operand(f"{f_prime.text}²", f_prime.value * f_prime.value)}


def slopes(kind: str) -> Iterator[Mistake]:
    """f′(z)."""
    part = "slope"
    yield Mistake("missing-derivative", kind, part, leave_out(part), "left_out", {"meant": "f′(z(l))"})
    yield Mistake(
        "derivative-at-activation", kind, part, _at_activation, facts=instead("f′(a(l))", "f′(z(l))")
    )
    yield Mistake("uses-z-for-a", kind, part, _z_for_a, facts=instead("z(l)", "a(l)"))
    yield Mistake("stale-value", kind, part, _earlier_slope, "stale", {"meant": "f′(z(l))"})
    for g in CLASSIC:
        if g.name != "identity":  # whose f′ is 1: that is to leave it out
            facts = instead(f"{g.name}′(z)", "f′(z)")
            yield Mistake("wrong-derivative", kind, part, _of_other(g), facts=facts)
    yield Mistake("wrong-derivative", kind, part, _twice, facts=instead("f′(z)²", "f′(z)"))
    for guesses, name in ((GUESSES_OF_A, "a"), (GUESSES_OF_Z, "z")):
        for text, guess in guesses.items():
            exchange = _guess(text, name, guess)
            yield Mistake("wrong-derivative", kind, part, exchange, facts=instead(text, "f′(z)"))
    for shift in (-1, 1):
        for function_too in (False, True):
            exchange = _of_layer(shift, function_too=function_too)
            facts = instead(f"f′({at('z', shift)})", "f′(z(l))")
            yield Mistake("wrong-layer", kind, part, exchange, facts=facts)


def _other_W(name: str, shift: int) -> Exchange:
    return lambda situation: {"left": tensor(situation, name, shift).T}


def _not_transposed(situation: Situation) -> Operands:
    return {"left": tensor(situation, "W", 1)}


def _earlier_W(situation: Situation) -> Operands:
    return {"left": earlier(situation, "W", 1).T}


def backpropagated() -> Iterator[Mistake]:
    """S = Wᵀ δ."""
    kind = "backpropagated"
    meant = "W(l+1)ᵀ"
    yield Mistake(
        "updated-weights", kind, "left", _other_W("W_next", 1), facts=instead("W_next(l+1)ᵀ", meant)
    )
    yield Mistake("not-transposed", kind, "left", _not_transposed, facts=instead("W(l+1)", meant))
    yield Mistake("stale-value", kind, "left", _earlier_W, "stale", {"meant": "W(l+1)"})
    for shift in (0, 2):
        facts = instead(f"{at('W', shift)}ᵀ", meant)
        yield Mistake("wrong-layer", kind, "left", _other_W("W", shift), facts=facts)
    yield Mistake("wrong-layer", kind, "right", put("right", "delta", 2), facts=instead("δ(l+2)", "δ(l+1)"))
    yield Mistake(
        "stale-value", kind, "right", put_earlier("right", "delta", 1), "stale", {"meant": "δ(l+1)"}
    )
    yield Mistake(
        "missing-derivative", kind, "right", put("right", "s", 1), facts=instead("∂L/∂a(l+1)", "δ(l+1)")
    )
    yield Mistake("swapped-operands", kind, "left", swap, facts=instead("δ Wᵀ", "Wᵀ δ"))
    yield Mistake("not-accumulated", kind, "left", last_term, "last_term")
    yield Mistake("not-accumulated", kind, "left", first_term, "first_term")


MISTAKES: tuple[Mistake, ...] = (*slopes("output_delta"), *slopes("hidden_delta"), *backpropagated())
