"""What watching found: the schema `parity-watch/1`, and the exit code that belongs to it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Fact: TypeAlias = str | int | float | bool | None
Told: TypeAlias = Literal["match", "mismatch", "undecided"]


class _Record(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, ser_json_inf_nan="strings", populate_by_name=True
    )


class WatchedRow(_Record):
    """One tensor of one operation, over all its calls in all steps that were watched."""

    module: str
    operation: str
    check: Literal["forward", "vjp", "sum", "grad", "update"]
    operand: str
    source: str
    calls: int
    numbers: int
    verdict: Told
    worst_ratio: float = Field(description="the largest share of its bound that a number used")
    resolution: float = Field(description="the least relative change of the tensor that would have been told")
    undecided: int
    vacuous: bool = Field(description="true when no number could have told a wrong formula from a right one")


class WrongOperation(_Record):
    """A tensor that its formula cannot have produced: the number that is farthest outside its bound."""

    step: int
    module: str
    operation: str
    check: str
    operand: str
    source: str
    index: list[int]
    observed: float
    expected: float
    error: float
    bound: float
    ratio: float


class NotCertified(_Record):
    """An operation that nothing is said of."""

    operation: str
    kind: Literal["opaque", "unsupported", "altered"]
    module: str
    source: str
    count: int


class Coverage(_Record):
    """How much of what ran is certified."""

    certified: int
    seen: int
    not_certified: list[NotCertified]


class WatchResult(_Record):
    """What watching found."""

    schema_name: Literal["parity-watch/1"] = Field(default="parity-watch/1", alias="schema")
    verdict: Literal["match", "mismatch", "undecided", "incomplete"]
    steps: int
    operations: int = Field(description="calls seen")
    numbers_compared: int
    undecided: int
    coverage: Coverage
    rows: list[WatchedRow]
    first_divergence: WrongOperation | None
    wrong: list[WrongOperation]
    contract: dict[str, Fact]
    environment: dict[str, Fact]
    accepted: list[str] = []
    reason: str | None = Field(None, description="why watching ended before its last step")

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a mismatch, 5 nothing was decided, or something is not certified."""
        return {"match": 0, "mismatch": 1, "undecided": 5, "incomplete": 5}[self.verdict]

    def to_json(self) -> str:
        """The result as JSON; NaN and infinities as strings."""
        return self.model_dump_json(by_alias=True, indent=2)
