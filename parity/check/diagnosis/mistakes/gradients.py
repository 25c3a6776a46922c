"""Mistakes in slide 6's gradients: dW = δ aᵀ and db = Σ δ."""

from __future__ import annotations

from collections.abc import Iterator

from parity.check.diagnosis.anatomy import Operand, Operands, summed_over
from parity.check.diagnosis.hypothesis import Situation
from parity.check.diagnosis.mistake import (
    Exchange,
    Mistake,
    at,
    earlier,
    instead,
    kept,
    put,
    put_earlier,
    swap,
    tensor,
)
from parity.check.diagnosis.mistakes.forward import first_term, last_term


def _transposed(situation: Situation) -> Operands:
    return {"left": kept(situation, "right").T, "right": kept(situation, "left").T}


def _wrong_axis(situation: Situation) -> Operands:
    return {"left": kept(situation, "left").T, "right": kept(situation, "right").T}


def _other_a(name: str, shift: int) -> Exchange:
    return lambda situation: {"right": tensor(situation, name, shift).T}


def _earlier_a(situation: Situation) -> Operands:
    return {"right": earlier(situation, "a", -1).T}


def weight_gradient() -> Iterator[Mistake]:
    """The gradient of W: δ aᵀ."""
    kind = "weight_gradient"
    yield Mistake("transposed", kind, "left", _transposed, facts=instead("a δᵀ", "δ aᵀ"))
    yield Mistake("swapped-operands", kind, "left", swap, facts=instead("aᵀ δ", "δ aᵀ"))
    yield Mistake("sum-over-wrong-axis", kind, "left", _wrong_axis, facts=instead("δᵀ a", "δ aᵀ"))
    yield Mistake("last-sample-only", kind, "left", last_term, "last_sample")
    yield Mistake("last-sample-only", kind, "left", first_term, "first_sample")
    yield Mistake("missing-derivative", kind, "left", put("left", "s"), facts=instead("∂L/∂a(l)", "δ(l)"))
    yield Mistake("uses-z-for-a", kind, "right", _other_a("z", -1), facts=instead("z(l−1)", "a(l−1)"))
    yield Mistake("stale-value", kind, "right", _earlier_a, "stale", {"meant": "a(l−1)"})
    yield Mistake("stale-value", kind, "left", put_earlier("left", "delta"), "stale", {"meant": "δ(l)"})
    yield Mistake("stale-value", kind, "whole", _earlier_both, "stale", {"meant": "dW(l)"})
    for shift in (0, -2):
        facts = instead(at("a", shift), "a(l−1)")
        yield Mistake("wrong-layer", kind, "right", _other_a("a", shift), facts=facts)
    for shift in (-1, 1):
        facts = instead(at("δ", shift), "δ(l)")
        yield Mistake("wrong-layer", kind, "left", put("left", "delta", shift), facts=facts)


def _earlier_both(situation: Situation) -> Operands:
    return {"left": earlier(situation, "delta"), **_earlier_a(situation)}


def _axis(text: str, axis: int | None) -> Exchange:
    return lambda situation: {"axis": summed_over(text, situation.operands["axis"], axis)}


def _one_sample(which: int, text: str) -> Exchange:
    def exchange(situation: Situation) -> Operands:
        delta = kept(situation, "delta")
        column = delta.value[:, which:] if which else delta.value[:, :1]
        return {"delta": Operand(f"{delta.text}{text}", column)}

    return exchange


def bias_gradient() -> Iterator[Mistake]:
    """The gradient of b: Σ_batch δ."""
    kind = "bias_gradient"
    for text, axis in (("units", 0), ("units,batch", None)):
        facts = instead(f"Σ_{text} δ", "Σ_batch δ")
        yield Mistake("sum-over-wrong-axis", kind, "axis", _axis(text, axis), facts=facts)
    yield Mistake("not-accumulated", kind, "axis", _axis("", -1), "left_out", {"meant": "Σ_batch"})
    yield Mistake("last-sample-only", kind, "delta", _one_sample(-1, "[:,−1]"), "last_sample")
    yield Mistake("last-sample-only", kind, "delta", _one_sample(0, "[:,0]"), "first_sample")
    yield Mistake("missing-derivative", kind, "delta", put("delta", "s"), facts=instead("∂L/∂a(l)", "δ(l)"))
    yield Mistake("stale-value", kind, "delta", put_earlier("delta", "delta"), "stale", {"meant": "δ(l)"})
    for shift in (-1, 1):
        facts = instead(at("δ", shift), "δ(l)")
        yield Mistake("wrong-layer", kind, "delta", put("delta", "delta", shift), facts=facts)


MISTAKES: tuple[Mistake, ...] = (*weight_gradient(), *bias_gradient())
