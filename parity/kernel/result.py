"""What holding a kernel to its definition found: the schema `parity-kernel/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from parity.lockstep.result import Fact, Found, ResultPart, Said

if TYPE_CHECKING:
    from rich.console import Console

TrialName: TypeAlias = Literal["given", "one", "strided", "large", "subnormal", "whole"]
Part: TypeAlias = Literal["output", "gradient"]
KernelVerdict: TypeAlias = Literal["match", "mismatch", "undecided"]


class KernelRow(ResultPart):
    """One output, or the gradient of one input or parameter, on inputs of one kind."""

    inputs: TrialName
    part: Part
    name: str
    numbers: int
    verdict: KernelVerdict
    worst_ratio: float = Field(description="the largest share of its bound that a number used")
    resolution: float = Field(description="the least relative change that would have been told")
    undecided: int
    vacuous: bool = Field(description="true when no number could have told a wrong formula")
    complaint: Said | None = Field(
        None, description="set when no number could be compared: missing, shape, dtype"
    )


class KernelDivergence(ResultPart):
    """A tensor that the definition cannot have given: the number that is farthest outside its bound."""

    inputs: TrialName
    part: Part
    name: str
    index: list[int] | None = None
    observed: float | None = None
    expected: float | None = None
    error: float | None = None
    bound: float | None = None
    ratio: float | None = None
    resolution: float | None = None
    complaint: Said | None = None


class LeftOut(ResultPart):
    """Inputs of a kind that were not tried, and why."""

    inputs: TrialName
    reason: Said


class KernelResult(Found):
    """What was found."""

    schema_name: Literal["parity-kernel/1"] = Field(default="parity-kernel/1", alias="schema")
    verdict: KernelVerdict
    candidate: str
    definition: str
    operations: int = Field(description="of the definition's graph")
    numbers_compared: int
    undecided: int
    rows: list[KernelRow]
    not_tried: list[LeftOut]
    first_divergence: KernelDivergence | None
    wrong: list[KernelDivergence]
    seed: int = Field(description="of the random upstream gradients")
    contract: dict[str, Fact]
    environment: dict[str, Fact]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the verdict and the table by output and gradient."""
        from parity.kernel.text import html_kernel

        return html_kernel(self)

    def show(self, out: Console, lang: str = "en") -> None:
        """The table by output and gradient, what was not tried, and the first wrong number."""
        from parity.kernel.text import show_kernel

        show_kernel(self, out, lang)
