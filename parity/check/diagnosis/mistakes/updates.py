"""Mistakes in slide 6's update: W ← W − η dW, and the same for b."""

from __future__ import annotations

from collections.abc import Iterator

from parity.check.diagnosis.anatomy import Operands
from parity.check.diagnosis.hypothesis import Situation
from parity.check.diagnosis.mistake import (
    Mistake,
    at,
    instead,
    kept,
    leave_out,
    put,
    put_earlier,
    turn,
)


def _reversed(situation: Situation) -> Operands:
    return {"reversed": kept(situation, "old")}


def _not_updated(situation: Situation) -> Operands:
    return {"nothing": kept(situation, "old")}


def _updates(kind: str, old: str) -> Iterator[Mistake]:
    gradient = f"d{old}"
    yield Mistake("missing-learning-rate", kind, "lr", leave_out("lr"), "left_out", {"meant": "η"})
    facts = instead(f"η {gradient} − {old}", f"{old} − η {gradient}")
    yield Mistake("swapped-operands", kind, "reversed", _reversed, facts=facts)
    yield Mistake("not-accumulated", kind, "old", leave_out("old"), "left_out", {"meant": f"{old}(l)"})
    yield Mistake("not-updated", kind, "nothing", _not_updated, "not_updated", {"meant": f"{old}(l)"})
    for part, name in (("gradient", gradient), ("old", old)):
        meant = at(name, 0)
        yield Mistake("stale-value", kind, part, put_earlier(part, name), "stale", {"meant": meant})
        for shift in (-1, 1):
            facts = instead(at(name, shift), meant)
            yield Mistake("wrong-layer", kind, part, put(part, name, shift), facts=facts)


def _transposed() -> Mistake:
    return Mistake(
        "transposed",
        "weight_update",
        "gradient",
        turn("gradient"),
        facts=instead("dW(l)ᵀ", "dW(l)"),
    )


MISTAKES: tuple[Mistake, ...] = (
    *_updates("weight_update", "W"),
    _transposed(),
    *_updates("bias_update", "b"),
)
