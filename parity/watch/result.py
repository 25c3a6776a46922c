"""What watching found: the schema `parity-watch/1`, and the exit code that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from pydantic import Field

from parity.lockstep.result import (
    EXIT_FAULT,
    EXIT_MATCH,
    EXIT_MISMATCH,
    EXIT_NOTHING,
    Fact,
    Found,
    ResultPart,
    Said,
)

if TYPE_CHECKING:
    from rich.console import Console

Told: TypeAlias = Literal["match", "mismatch", "undecided"]
Whole: TypeAlias = Literal["match", "mismatch", "undecided", "incomplete"]


class WatchedRow(ResultPart):
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
    resolution: float = Field(description="the least relative change that would have been told")
    undecided: int
    vacuous: bool = Field(description="true when no number could have told a wrong formula")


class LikelyMistake(ResultPart):
    """A mistake that explains what was seen."""

    mistake: str
    detail: Said
    step: int
    source: str = ""


class WrongOperation(ResultPart):
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

    @property
    def on_rank(self) -> WrongOnRank | None:
        """The same with its rank, where there are several."""
        return None


class WrongOnRank(WrongOperation):
    """A tensor of one of several ranks, and the mistake that makes it, where that is known."""

    rank: int
    diagnosis: LikelyMistake | None = None

    @property
    def on_rank(self) -> WrongOnRank:
        return self


class RankResult(ResultPart):
    """What another rank found of its own steps."""

    rank: int
    verdict: Whole
    steps: int
    numbers_compared: int
    first_divergence: WrongOnRank | None
    reason: Said | None = None

    @classmethod
    def of(cls, rank: int, result: WatchResult) -> Self:
        """What it says of itself to rank 0."""
        first = result.first_divergence
        return cls(
            rank=rank,
            verdict=result.verdict,
            steps=result.steps,
            numbers_compared=result.numbers_compared,
            first_divergence=None if first is None else WrongOnRank(**first.model_dump(), rank=rank),
            reason=result.reason,
        )


class NotCertified(ResultPart):
    """An operation that nothing is said of."""

    operation: Said
    kind: Literal["opaque", "unsupported", "altered", "failed"] = Field(
        description="failed: our own formula raised, which is our fault"
    )
    module: str
    source: str
    count: int


class Coverage(ResultPart):
    """How much of what ran is certified."""

    certified: int
    seen: int
    not_certified: list[NotCertified]


class WatchResult(Found):
    """What watching found."""

    schema_name: Literal["parity-watch/1"] = Field(default="parity-watch/1", alias="schema")
    verdict: Whole
    steps: int
    operations: int = Field(description="calls seen")
    numbers_compared: int
    undecided: int
    coverage: Coverage
    rows: list[WatchedRow]
    first_divergence: WrongOnRank | WrongOperation | None
    wrong: list[WrongOnRank | WrongOperation]
    contract: dict[str, Fact]
    environment: dict[str, Fact]
    accepted: list[str] = Field([], description="what was not certified and need not be")
    reason: Said | None = Field(None, description="why watching ended before its last step")
    probed: int = Field(
        0,
        description="runs of compiled code of which a program with probes is certified too",
    )
    notes: list[LikelyMistake] = Field([], description="what is no mismatch and may be a mistake")
    ranks: list[RankResult] = Field([], description="on rank 0 of several, what the others found")
    sample: float = Field(1.0, description="the share of the tensors that was certified")

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a mismatch, 4 a formula of ours failed, 5 not all is decided and certified."""
        if self.verdict != "mismatch" and any(
            left.kind == "failed" for left in self.coverage.not_certified
        ):
            return EXIT_FAULT
        return {"match": EXIT_MATCH, "mismatch": EXIT_MISMATCH}.get(self.verdict, EXIT_NOTHING)

    def _repr_html_(self) -> str:
        """HTML for notebooks: the verdict and the table by module."""
        from parity.watch.text import html_watched

        return html_watched(self)

    def show(self, out: Console, lang: str = "en") -> None:
        """The table by module, the counts, what is not certified, and the first wrong operation."""
        from parity.watch.text import show_watched

        show_watched(self, out, lang)
