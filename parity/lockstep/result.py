"""The result of a run: the schema `parity-result/1` and its exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    SerializationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from parity.render.outcome import Outcome, Pages
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from rich.console import Console

Fact: TypeAlias = str | int | float | bool | None
Verdict: TypeAlias = Literal["match", "other-form", "different-formula", "undecided"]

EXIT_MATCH, EXIT_MISMATCH, EXIT_QUESTION, EXIT_ENVIRONMENT, EXIT_FAULT, EXIT_NOTHING = range(6)


def _read(value: object, plain: ValidatorFunctionWrapHandler) -> str:
    if isinstance(value, Message):
        return value
    return Message.of(value) if isinstance(value, dict) else plain(value)


def _written(value: str, info: SerializationInfo) -> object:
    return value.parts() if isinstance(value, Message) and info.context == KEEP_MESSAGES else str(value)


Said: TypeAlias = Annotated[str, WrapValidator(_read), PlainSerializer(_written)]
"""A text for display: a `Message`, or plain text. JSON has it in English, or, with `KEEP_MESSAGES`, as key
and facts, so that it can be translated later."""

KEEP_MESSAGES = {"messages": "as parts"}
"""Context of `model_dump_json` that writes messages as key and facts."""


class ResultPart(BaseModel):
    """A part of a result: strict, frozen, NaN and infinities as strings."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, ser_json_inf_nan="strings", populate_by_name=True
    )


class Found(Outcome, ResultPart):
    """A result that can be written as JSON, with a `verdict` and the `exit_code` of its command."""

    _pages: Pages | None = PrivateAttr(default=None)

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a mismatch, 5 nothing was decided."""
        return {"match": EXIT_MATCH, "mismatch": EXIT_MISMATCH, "undecided": EXIT_NOTHING}[self.verdict]

    def with_pages(self, write: Callable[[Path, str], object]) -> Self:
        """The same result with a page that `report` writes too."""
        copy = self.model_copy()
        copy._pages = Pages(write)
        return copy

    def to_json(self) -> str:
        """The result as JSON; NaN and infinities as strings."""
        return self.model_dump_json(by_alias=True, indent=2)


class Divergence(ResultPart):
    """The first number, in the order of execution, that its formula cannot have produced."""

    step: int
    side: str
    formula: str
    slide: int
    layer: int
    quantity: str
    index: list[int] | None = None
    observed: float | None = None
    expected: float | None = None
    error: float | None = None
    bound: float | None = None
    ratio: float | None = None
    gate: Literal["certificate", "side-by-side"] = "certificate"
    complaint: Said | None = Field(
        None, description="set when no number could be compared: missing, shape, dtype"
    )
    case: Said | None = Field(None, description="of a subject: the smallest case that fails")


class FormulaRow(ResultPart):
    """One formula of one layer on one side, over all steps."""

    formula: str
    quantity: str = Field("", description="the tensor that the formula makes")
    slide: int
    layer: int
    side: str
    verdict: Verdict
    worst_ratio: float = Field(
        description="the largest share of its bound that a number used; where a step was accepted "
        "cheaply, an upper bound of it"
    )
    numbers: int
    undecided: int
    vacuous: bool = Field(description="true when no step could have told a wrong formula from a right one")
    form: str | None = Field(
        None,
        description="of an other-form: accumulated, in-parts, finer-format, or several; null for others",
    )


class SideBySideRow(ResultPart):
    """One tensor of both sides compared with their common bound, over all steps."""

    quantity: str
    layer: int
    verdict: Verdict
    max_abs: float = Field(description="largest difference between the two sides")
    worst_ratio: float
    numbers: int
    undecided: int


class Diagnosis(ResultPart):
    """The mistake that reproduces the wrong numbers."""

    mistake: str
    detail: str


class WrongFormula(ResultPart):
    """A formula that is itself wrong, not one that only inherited a wrong tensor."""

    formula: str
    layers: list[int]
    slide: int
    side: str
    diagnosis: Diagnosis | None = None
    note: str | None = Field(None, description="the error's pattern, where no mistake could be named")
    evidence: str | None = Field(None, description="how finely what was shown can place it")
    line: int | None = Field(None, description="of a subject in Python: the line that likely computes it")
    may_be: list[str] = Field(
        [], description="where nothing is named and tensors are hidden: the formulas that may be wrong"
    )


class Witness(ResultPart):
    """The third witness: derivatives of the loss by finite differences, without the chain rule."""

    elements: int
    of: int
    worst_ratio: float
    verdict: Verdict


class BranchReached(ResultPart):
    """One branch of an activation, and how many z of all cases took it."""

    activation: str
    branch: str
    numbers: int


class CasesReached(ResultPart):
    """What the cases of a check reached; `not_reached` says in words what they did not."""

    branches: list[BranchReached] = Field(description="of activations that have more than one")
    batches: list[int]
    depths: list[int]
    outputs: list[int]
    calls_in_a_row: int
    largest_gradient: float
    smallest_gradient_norm: float
    largest_weight: float
    targets: tuple[float, float] = Field(description="the smallest and the largest")
    not_reached: list[Said]


class Result(Found):
    """The result of a run."""

    schema_name: Literal["parity-result/1"] = Field(default="parity-result/1", alias="schema")
    verdict: Literal["match", "mismatch", "undecided"]
    steps: int
    certified: Said = Field("every step", description="which steps the two gates were asked about")
    tensors_compared: int
    numbers_compared: int
    undecided: int = 0
    first_divergence: Divergence | None
    formulas: list[FormulaRow]
    side_by_side: list[SideBySideRow]
    wrong_formulas: list[WrongFormula]
    loss: dict[str, list[float]] = Field({}, description="by side: the first step's and the last's")
    accuracy: dict[str, float] = Field({}, description="by side: share of the held-back data")
    accuracy_in_training: dict[str, float] = Field({}, description="by side: share of the other data")
    witness: Witness | None = None
    accepted: list[str] = Field([], description="findings in PyTorch's numbers that do not count")
    reason: Said | None = Field(None, description="why a run ended before its last step")
    not_shown: list[str] = Field([], description="formulas whose tensor the subject does not show")
    coverage: CasesReached | None = Field(None, description="of a subject: what the cases reached")
    advice: list[Said] = Field([], description="what holds and deserves a second look all the same")
    reproduce: str | None = Field(None, description="the command that shows the first divergence")
    contract: dict[str, Fact]
    environment: dict[str, Fact]
    config: dict[str, JsonValue] = {}

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the table by formula and side, the counts, and the details of a mismatch."""
        from parity.lockstep.text import show_result

        show_result(self, out, lang)

    def _repr_html_(self) -> str:
        """HTML for notebooks: the verdict, the table, and the network's graph where it is a layered one."""
        from parity.lockstep.text import html_graph, html_table

        return html_table(self) + html_graph(self)
