"""What a replay found: the schema `parity-replay/1`, and the exit code that belongs to it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from parity.lockstep.result import (
    EXIT_MATCH,
    EXIT_MISMATCH,
    EXIT_NOTHING,
    Divergence,
    Fact,
    FormulaRow,
    SideBySideRow,
    WrongFormula,
)


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, ser_json_inf_nan="strings", populate_by_name=True
    )


class AgainstRow(SideBySideRow):
    """One tensor of today's side against the golden's, over all steps."""

    side: str
    differing: int = Field(description="numbers whose bits are not the golden's")
    ulps: int | None = Field(description="floats between the two farthest apart, where both are finite")


class BitDifference(_Model):
    """The first number, in the order of execution, whose bits are not the golden's."""

    step: int
    side: str
    quantity: str
    layer: int
    index: list[int]
    golden: float
    here: float
    ulps: int | None


class Cause(_Model):
    """A fact that a side's last bits depend on, and that is not what it was."""

    side: str
    fact: str
    then: Fact
    now: Fact


class Replay(_Model):
    """What a golden has come to, here and now.

    Sides are `golden/reference`, `golden/torch` (what was recorded) and `reference`, `torch` (today's).
    """

    schema_name: Literal["parity-replay/1"] = Field(default="parity-replay/1", alias="schema")
    golden: str
    digest: str
    verdict: Literal["match", "mismatch", "undecided"]
    steps: int
    bitwise: bool = Field(description="whether differing bits were asked to count as a mismatch")
    tensors_compared: int
    numbers_compared: int
    undecided: int
    bits_compared: int = Field(description="numbers of today's sides held against the golden's bit by bit")
    differing: int = Field(description="how many of them have other bits")
    first_divergence: Divergence | None
    first_difference: BitDifference | None
    formulas: list[FormulaRow]
    against_golden: list[AgainstRow]
    wrong_formulas: list[WrongFormula]
    causes: list[Cause]
    reproduce: str | None = None
    contract: dict[str, Fact]
    recorded: dict[str, Fact] = Field(description="the environment of the recording")
    environment: dict[str, Fact]
    config: dict[str, JsonValue]

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a regression, 5 nothing was decided."""
        codes = {"match": EXIT_MATCH, "mismatch": EXIT_MISMATCH, "undecided": EXIT_NOTHING}
        return codes[self.verdict]

    def to_json(self) -> str:
        """The replay as JSON; NaN and infinities as strings."""
        return self.model_dump_json(by_alias=True, indent=2)
