"""The result of a replay: the schema `parity-replay/1` and its exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from markupsafe import escape
from pydantic import Field, JsonValue

from parity.lockstep.result import (
    EXIT_NOTHING,
    Divergence,
    Fact,
    FormulaRow,
    Found,
    Result,
    ResultPart,
    SideBySideRow,
    WrongFormula,
)
from parity.lockstep.text import html_table
from parity.render.outcome import Outcome, Pages
from parity.watch.result import WatchResult, WrongOperation

if TYPE_CHECKING:
    from rich.console import Console


class AgainstRow(SideBySideRow):
    """One tensor of a current side compared with the golden's, over all steps."""

    side: str
    differing: int = Field(description="numbers whose bits are not the golden's")
    ulps: int | None = Field(description="floats between the two farthest apart, where both are finite")


class BitDifference(ResultPart):
    """The first number, in the order of execution, whose bits differ from the golden's."""

    step: int
    side: str
    quantity: str
    layer: int | None = Field(description="null for an operation of a watched script")
    index: list[int]
    golden: float
    here: float
    ulps: int | None


class Cause(ResultPart):
    """A changed fact on which a side's last bits depend."""

    side: str
    fact: str
    then: Fact
    now: Fact


class Replay(Found):
    """The result of replaying a golden.

    Sides are `golden/reference`, `golden/torch` (recorded) and `reference`, `torch` (current).
    """

    schema_name: Literal["parity-replay/1"] = Field(default="parity-replay/1", alias="schema")
    golden: str
    digest: str
    verdict: Literal["match", "mismatch", "undecided", "incomplete"]
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
    torch_side: Literal["twin", "calls"] | None = Field(
        None, description="what stood for PyTorch today: a model like it, or the recorded calls, run again"
    )
    operations: WatchResult | None = Field(
        None, description="of a watched script's golden: its recorded operations, certified again"
    )
    operations_again: WatchResult | None = Field(
        None, description="of a watched script's golden: its forward operations, run again by today's torch"
    )

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a mismatch, 5 nothing was decided, or something is not certified."""
        return EXIT_NOTHING if self.verdict == "incomplete" else super().exit_code

    @property
    def first_wrong(self) -> tuple[str, WrongOperation, int] | None:
        """Of a watched script's golden: the side of the first wrong operation, it, and their number."""
        sides = (("golden/torch", self.operations), ("torch", self.operations_again))
        for side, found in sides:
            if found is not None and found.first_divergence is not None:
                return side, found.first_divergence, len(found.wrong)
        return None

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the verdict, the numbers with different bits and their causes, and what is wrong."""
        from parity.golden.text import show_replay

        show_replay(self, out, lang)

    def _repr_html_(self) -> str:
        """HTML for notebooks: the verdict and the table."""
        return html_table(self)


@dataclass(frozen=True)
class Replays(Outcome):
    """The results of replaying several goldens, the worst being the verdict; why others were not read."""

    replays: tuple[Replay, ...]
    unreadable: tuple[str, ...] = ()
    _pages: Pages | None = field(default=None, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """The worst: `mismatch` before `incomplete`, `undecided` and `match`."""
        found = {replay.verdict for replay in self.replays}
        order = ("mismatch", "incomplete", "undecided")
        return next((verdict for verdict in order if verdict in found), "match")

    def show(self, out: Console, lang: str = "en") -> None:
        """Print each golden's result, and how many of several hold."""
        from parity.golden.text import show_total

        for replay in self.replays:
            replay.show(out, lang)
        show_total(self.replays, out, lang, self.unreadable)
        for reason in self.unreadable:
            out.print(reason, style="bold red", markup=False, soft_wrap=True)

    def to_json(self) -> str:
        """All replays: `parity-replays/1`."""
        found = [json.loads(replay.to_json()) for replay in self.replays]
        left = {"unreadable": list(self.unreadable)} if self.unreadable else {}
        content = {"schema": "parity-replays/1", "replays": found, **left}
        return json.dumps(content, indent=2, ensure_ascii=False)

    def _repr_html_(self) -> str:
        return "".join(f"<h4>{escape(one.golden)}</h4>{one._repr_html_()}" for one in self.replays)


Became: TypeAlias = Literal["recorded", "updated", "unchanged", "refused"]


@dataclass(frozen=True)
class RecordedGolden(Outcome):
    """The outcome for a golden: recorded, updated, unchanged, or refused because the run does not hold.

    `result` is the run, or the watched script, that was recorded or refused; `replay` the replay of the
    existing golden; `changed` the keys of its config that the new config changes.
    """

    path: Path
    outcome: Became
    digest: str | None = None
    result: Result | WatchResult | None = None
    replay: Replay | None = None
    changed: tuple[str, ...] = ()
    _pages: Pages | None = field(default=None, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """`match`, or the verdict of the refused run."""
        return self.result.verdict if self.outcome == "refused" and self.result else "match"

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the outcome and the reasons."""
        from parity.golden.text import show_recorded

        show_recorded(self, out, lang)

    def to_json(self) -> str:
        """The golden's name and digest, the outcome, and the run's result if there is one, as JSON."""
        facts = {"golden": str(self.path), "outcome": self.outcome, "digest": self.digest}
        run = json.loads(self.result.to_json()) if self.result else None
        return json.dumps(facts | {"changed": self.changed, "result": run}, indent=2, ensure_ascii=False)

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the refused run."""
        return self.result.exit_code if self.outcome == "refused" and self.result else 0
