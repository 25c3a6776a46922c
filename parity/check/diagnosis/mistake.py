"""A mistake: one part of a formula, exchanged for something that people put there by accident."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from parity.check.diagnosis.anatomy import Operand, Operands
from parity.check.diagnosis.hypothesis import Situation
from parity.check.diagnosis.scenario import Scenario

Exchange: TypeAlias = Callable[[Situation], Operands]


class DoesNotApplyError(Exception):
    """The mistake cannot be made here: there is no such layer, no step before, or the shapes forbid it."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A name from the catalogue, the kind of equation it happens in, and the exchange that it is.

    `part` is what it exchanges; two mistakes about different parts can happen together. `detail` is
    the key of its sentence in `parity.render.texts`, and `facts` what that sentence is filled with.
    """

    id: str
    kind: str
    part: str
    exchange: Exchange
    detail: str = "in_place"
    facts: Mapping[str, str] = field(default_factory=dict)

    def changes(self, situation: Situation) -> Operands:
        """The parts that are different. Raises DoesNotApplyError."""
        return self.exchange(situation)


def tensor(situation: Situation, name: str, shift: int = 0, scenario: Scenario | None = None) -> Operand:
    """The tensor `name` of the layer `shift` above this one; a^(0) is x. Raises DoesNotApplyError."""
    layer, depth = situation.layer + shift, situation.scenario.architecture.depth
    base, _, after = name.partition("_")
    if base == "a" and layer == 0:
        full = "x"
    elif not 1 <= layer <= depth:
        raise DoesNotApplyError
    else:
        full = f"{base}{layer}" + (f"_{after}" if after else "")
    source = scenario or situation.scenario
    operand = source.values[full]
    return operand if scenario is None else Operand(f"{operand.text}(t−1)", operand.value)


def earlier(situation: Situation, name: str, shift: int = 0) -> Operand:
    """The same, of the step before. Raises DoesNotApplyError where there was none."""
    before = situation.scenario.before
    if before is None:
        raise DoesNotApplyError
    return tensor(situation, name, shift, before)


def put(part: str, name: str, shift: int = 0) -> Exchange:
    """Another tensor in the place of a part."""
    return lambda situation: {part: tensor(situation, name, shift)}


def put_earlier(part: str, name: str, shift: int = 0) -> Exchange:
    """A tensor of the step before in the place of a part."""
    return lambda situation: {part: earlier(situation, name, shift)}


def leave_out(part: str) -> Exchange:
    """Nothing in the place of a part."""
    return lambda situation: {part: None}


def turn(part: str) -> Exchange:
    """A part, transposed."""
    return lambda situation: {part: kept(situation, part).T}


def swap(situation: Situation) -> Operands:
    """The factors of a product in the other order."""
    return {"left": kept(situation, "right"), "right": kept(situation, "left")}


def kept(situation: Situation, part: str) -> Operand:
    """A part as it stands. Raises DoesNotApplyError where it was left out."""
    operand = situation.operands.get(part)
    if operand is None:
        raise DoesNotApplyError
    return operand


def instead(used: str, meant: str) -> dict[str, str]:
    """What `detail = "in_place"` says."""
    return {"used": used, "meant": meant}


def at(name: str, shift: int) -> str:
    """A tensor's name with its layer as the deck writes it: `a(l−1)`."""
    return f"{name}(l{shift:+d})".replace("-", "−") if shift else f"{name}(l)"
