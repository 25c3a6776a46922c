"""Mistakes on the way forward: the preactivation, the activation, the loss and its gradient."""

from __future__ import annotations

from collections.abc import Iterator

from parity.check.diagnosis.anatomy import Operand, Operands, applied, layer_function
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
    turn,
)
from reference.operations.activations import CLASSIC, Activation


def last_term(situation: Situation) -> Operands:
    """`=` where `+=` is meant: of a product's sum only the last term is left."""
    left, right = kept(situation, "left"), kept(situation, "right")
    return {
        "left": Operand(f"{left.text}[:,−1]", left.value[:, -1:]),
        "right": Operand(f"{right.text}[−1,:]", right.value[-1:, :]),
    }


def first_term(situation: Situation) -> Operands:
    """A loop that returns after its first round: of a product's sum only the first term is left."""
    left, right = kept(situation, "left"), kept(situation, "right")
    return {
        "left": Operand(f"{left.text}[:,0]", left.value[:, :1]),
        "right": Operand(f"{right.text}[0,:]", right.value[:1, :]),
    }


def _bias_subtracted(situation: Situation) -> Operands:
    bias = kept(situation, "bias")
    return {"bias": Operand(f"(−{bias.text})", -bias.value)}


def affine() -> Iterator[Mistake]:
    """Z = W a + b."""
    kind = "affine"
    yield Mistake("missing-bias", kind, "bias", leave_out("bias"), "left_out", {"meant": "b(l)"})
    yield Mistake("sign-flipped", kind, "bias", _bias_subtracted, facts=instead("−b(l)", "b(l)"))
    yield Mistake("transposed", kind, "left", turn("left"), facts=instead("W(l)ᵀ", "W(l)"))
    yield Mistake("swapped-operands", kind, "left", swap, facts=instead("a W", "W a"))
    yield Mistake("not-accumulated", kind, "left", last_term, "last_term")
    yield Mistake("not-accumulated", kind, "left", first_term, "first_term")
    yield Mistake("uses-z-for-a", kind, "right", put("right", "z", -1), facts=instead("z(l−1)", "a(l−1)"))
    for part, name, shift, others in (
        ("left", "W", 0, (-1, 1)),
        ("right", "a", -1, (-2,)),
        ("bias", "b", 0, (-1, 1)),
    ):
        meant = at(name, shift)
        yield Mistake("stale-value", kind, part, put_earlier(part, name, shift), "stale", {"meant": meant})
        for other in others:
            facts = instead(at(name, other), meant)
            yield Mistake("wrong-layer", kind, part, put(part, name, other), facts=facts)


def _function(f: Activation) -> Exchange:
    """Another activation than the layer's."""

    def exchange(situation: Situation) -> Operands:
        if layer_function(situation.scenario, situation.layer).name == f.name:
            raise DoesNotApplyError
        return {"f": applied(f, tensor(situation, "z"))}

    return exchange


def _of(name: str, shift: int = 0) -> Exchange:
    """The layer's activation of something else than its z."""

    def exchange(situation: Situation) -> Operands:
        f = layer_function(situation.scenario, situation.layer)
        return {"f": applied(f, tensor(situation, name, shift))}

    return exchange


def _of_earlier_z(situation: Situation) -> Operands:
    f = layer_function(situation.scenario, situation.layer)
    return {"f": applied(f, earlier(situation, "z"))}


def _twice(situation: Situation) -> Operands:
    f = layer_function(situation.scenario, situation.layer)
    return {"f": applied(f, kept(situation, "f"))}


def activation() -> Iterator[Mistake]:
    """A = f(z)."""
    kind = "activation"
    for f in CLASSIC:
        if f.name != "identity":  # that is to use z for a
            facts = instead(f"{f.name}(z)", "f(z)")
            yield Mistake("wrong-activation", kind, "f", _function(f), facts=facts)
    yield Mistake("wrong-activation", kind, "f", _twice, facts=instead("f(f(z))", "f(z)"))
    yield Mistake("uses-z-for-a", kind, "f", put("f", "z"), facts=instead("z(l)", "f(z(l))"))
    yield Mistake("stale-value", kind, "f", _of_earlier_z, "stale", {"meant": "z(l)"})
    for shift in (-1, 1):
        facts = instead(at("z", shift), "z(l)")
        yield Mistake("wrong-layer", kind, "f", _of("z", shift), facts=facts)


def _last_sample(situation: Situation) -> Operands:
    """The loss of the last sample, divided by all terms all the same."""
    y_hat, y = kept(situation, "y_hat"), kept(situation, "y")
    return {
        "y_hat": Operand(f"{y_hat.text}[:,−1]", y_hat.value[:, -1:]),
        "y": Operand(f"{y.text}[:,−1]", y.value[:, -1:]),
    }


def _last_sample_mean(situation: Situation) -> Operands:
    """The loss of the last sample, divided by its own terms."""
    n, batch = kept(situation, "n"), situation.scenario.observation.batch
    return {**_last_sample(situation), "n": Operand("(n/batch)", n.value / batch)}


def _earlier_target(situation: Situation) -> Operands:
    before = situation.scenario.before
    if before is None:
        raise DoesNotApplyError
    return {"y": Operand("y(t−1)", before.value("y"))}


def losses() -> Iterator[Mistake]:
    """L and ∇L."""
    for kind in ("loss", "loss_gradient"):
        yield Mistake("uses-z-for-a", kind, "y_hat", put("y_hat", "z"), facts=instead("z(L)", "ŷ = a(L)"))
        yield Mistake("stale-value", kind, "y_hat", put_earlier("y_hat", "a"), "stale", {"meant": "ŷ"})
        yield Mistake("stale-value", kind, "y", _earlier_target, "stale", {"meant": "y"})
    for exchange in (_last_sample, _last_sample_mean):
        yield Mistake("last-sample-only", "loss", "y_hat", exchange, "last_sample")


MISTAKES: tuple[Mistake, ...] = (*affine(), *activation(), *losses())
