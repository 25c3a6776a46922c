"""The result of a comparison of two saved runs: the schema `parity-diff/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from parity.golden.diff_text import html_diff, show_diff
from parity.lockstep.result import Divergence, Fact, FormulaRow, Found, ResultPart, WrongFormula

if TYPE_CHECKING:
    from rich.console import Console


class FirstBits(ResultPart):
    """The first number, in the order of execution, of which the two runs have other bits."""

    step: int
    side: str
    quantity: str
    layer: int | None
    index: list[int]
    a: float
    b: float
    ulps: int | None
    given: bool = Field(description="it is an input of the run, not made by a formula")


class DiffRow(ResultPart):
    """One tensor of a side in both runs, over all steps."""

    side: str
    quantity: str
    layer: int | None
    numbers: int
    differing: int = Field(description="numbers whose bits are not the same")
    ulps: int | None = Field(description="floats between the two farthest apart, where both are finite")
    max_abs: float = Field(description="largest difference")


class ChangedFact(ResultPart):
    """A fact on which a side's last bits depend, and that is not the same in both environments."""

    side: str
    fact: str
    a: Fact
    b: Fact


class Diff(Found):
    """The comparison of two saved runs. Sides of formulas are named `A/torch`, `B/torch`."""

    schema_name: Literal["parity-diff/1"] = Field(default="parity-diff/1", alias="schema")
    a: str
    b: str
    verdict: Literal["match", "mismatch", "undecided"]
    sides: list[str]
    steps: int = Field(description="steps that both runs have")
    only_a: int = Field(description="steps that the second run has not")
    only_b: int = Field(description="steps that the first run has not")
    tensors_compared: int
    numbers_compared: int
    undecided: int
    bits_compared: int
    differing: int
    first_difference: FirstBits | None = Field(description="the first other bits, rounding or not")
    first_divergence: Divergence | None = Field(description="the first number that rounding cannot explain")
    formulas: list[FormulaRow]
    tensors: list[DiffRow]
    wrong_formulas: list[WrongFormula]
    causes: list[ChangedFact]
    contract: dict[str, Fact]
    environment_a: dict[str, Fact]
    environment_b: dict[str, Fact]

    def show(self, out: Console, lang: str = "en") -> None:
        """Print where the runs differ first, in bits and beyond rounding, and by how much each tensor."""
        show_diff(self, out, lang)

    def _repr_html_(self) -> str:
        """HTML for notebooks: where they differ first, and the tensors that differ."""
        return html_diff(self)
