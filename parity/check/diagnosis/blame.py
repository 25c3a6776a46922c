"""What is said of a formula that is wrong in itself, before it is put in words."""

from __future__ import annotations

from dataclasses import dataclass

from parity.check.diagnosis.anatomy import kind
from parity.check.diagnosis.hypothesis import Made
from parity.check.diagnosis.judge import Instance
from parity.check.diagnosis.mistake import Mistake
from parity.check.diagnosis.mistakes.factors import KINDS
from parity.check.diagnosis.readings.reading import Reading
from parity.check.diagnosis.readings.site import Tag

FIRST_FACTORS = ("loss_gradient", "backpropagated")
"""They make s, which is the first factor of δ: a sign or constant there is one in δ."""


@dataclass(frozen=True)
class Guess:
    """A way in which the subject may have gone wrong: mistakes, or cheaper arithmetic, or a reading."""

    made: tuple[Made, ...] = ()
    low: bool = False
    name: str = ""  # of a guess that is no exchange of parts: the form is wrong, or one element
    kin: tuple[Made, ...] = ()  # of the same name, for layers where `made` itself does not apply
    reading: Reading | None = None

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        return tuple(m.slip for m in self.made if isinstance(m.slip, Mistake))

    @property
    def names(self) -> tuple[str, ...]:
        """The ids, as the catalogue has them."""
        if self.reading:
            return (self.reading.id,)
        ids = [mistake.id for mistake in self.mistakes] + ["lower-precision"] * self.low
        return tuple(sorted(ids)) or (self.name,)

    def kind(self, otherwise: str) -> str:
        """The kind of equation that it blames."""
        return self.made[0].slip.kind if self.made else otherwise


@dataclass(frozen=True)
class Blame:
    """A formula that is wrong in itself: where it shows, by which mistake, and how sure that is.

    `guesses` are the mistakes that fit, all of the same name, or none; `suspects` the names where
    several fit. `elsewhere` are formulas in which a mistake would look the same, for want of tensors.
    `scope` says where it was made, where the same formula is right in other places.
    """

    kind: str
    instances: tuple[Instance, ...]
    layers: tuple[int, ...]
    guesses: tuple[Guess, ...] = ()
    suspects: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    scope: tuple[Tag, ...] = ()

    @property
    def first(self) -> Instance:
        """Where it shows in the smallest case."""
        return self.instances[0]

    @property
    def position(self) -> int:
        """Its place in the order of execution, in the deepest network: only there are all formulas."""
        deepest = max(i.observation.architecture.depth for i in self.instances)
        return min(i.position for i in self.instances if i.observation.architecture.depth == deepest)

    @property
    def formula(self) -> str:
        """The deck's name for it. Where s was not shown, its making is part of the formula of δ."""
        if self.kind == "loss_gradient" and self.first.kind != "loss_gradient":
            return "output_delta"
        return "hidden_delta" if self.kind == "backpropagated" else self.kind

    @property
    def guess(self) -> Guess | None:
        return self.guesses[0] if self.guesses else None

    @property
    def may_be(self) -> tuple[str, ...]:
        """Where nothing is named and tensors are hidden: every formula in which the mistake may be."""
        if self.guesses or self.first.finding.complaint:
            return ()
        kinds = [kind(equation) for instance in self.instances for equation in instance.hidden]
        # s is nobody's to show: its making belongs to the formula of δ.
        named = {k for k in kinds if k not in FIRST_FACTORS}
        return tuple(k for k in KINDS if k in named | {self.formula}) if named else ()
