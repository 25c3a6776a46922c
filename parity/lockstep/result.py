"""What a run found: the schema `parity-result/1`, and the exit code that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, TypeAlias

from markupsafe import Markup
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    SerializationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from parity.render.numbers import code, prose
from parity.render.texts import catalogue
from parity.render.texts.message import Message

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
"""A text for a person: a `Message`, or somebody's own words. JSON has it in English, or, with
`KEEP_MESSAGES`, as key and facts, so that it can be said in any language again."""

KEEP_MESSAGES = {"messages": "as parts"}
"""The context of `model_dump_json` that keeps messages apart from plain texts."""


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, ser_json_inf_nan="strings", populate_by_name=True
    )


class Divergence(_Model):
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


class FormulaRow(_Model):
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

    def as_html(self, say: Mapping[str, str]) -> Markup:
        """The row of a notebook's table."""
        share = code(self.worst_ratio, 3)
        cells = (self.slide, self.formula, self.layer, self.side, say[f"run.{self.verdict}"], share)
        row = '<tr><td>{}</td><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
        return Markup(row).format(*cells)


class SideBySideRow(_Model):
    """One tensor of both sides against the one bound that admits both, over all steps."""

    quantity: str
    layer: int
    verdict: Verdict
    max_abs: float = Field(description="largest difference between the two sides")
    worst_ratio: float
    numbers: int
    undecided: int


class Line(NamedTuple):
    """One formula of one layer: what was found on each side, and of its tensor across the sides."""

    slide: int
    formula: str
    layer: int
    by_side: dict[str, FormulaRow]
    across: SideBySideRow | None


def lines(rows: Sequence[FormulaRow], across: Iterable[SideBySideRow] = ()) -> list[Line]:
    """The rows of all sides, a line for each formula and layer, in the order of the rows."""
    pairs = {(row.quantity, row.layer): row for row in across}
    found: dict[tuple[int, str, int], Line] = {}
    for row in rows:
        place = (row.slide, row.formula, row.layer)
        line = found.setdefault(place, Line(*place, {}, pairs.get((row.quantity, row.layer))))
        line.by_side[row.side] = row
    return list(found.values())


class Diagnosis(_Model):
    """Which mistake reproduces the wrong numbers."""

    mistake: str
    detail: str


class WrongFormula(_Model):
    """A formula that is wrong in itself, not one that inherited a wrong tensor."""

    formula: str
    layers: list[int]
    slide: int
    side: str
    diagnosis: Diagnosis | None = None
    note: str | None = Field(None, description="the error's pattern, where no mistake could be named")
    evidence: str | None = Field(None, description="how finely what was shown can place it")


class Witness(_Model):
    """The third witness: derivatives of the loss that know no chain rule."""

    elements: int
    of: int
    worst_ratio: float
    verdict: Verdict


class Result(_Model):
    """What a run found."""

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
    witness: Witness | None = None
    accepted: list[str] = Field([], description="findings in PyTorch's numbers that do not count")
    reason: Said | None = Field(None, description="why a run ended before its last step")
    not_shown: list[str] = Field([], description="formulas whose tensor the subject does not show")
    reproduce: str | None = Field(None, description="the command that shows the first divergence")
    contract: dict[str, Fact]
    environment: dict[str, Fact]
    config: dict[str, JsonValue] = {}

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 a mismatch, 5 nothing was decided."""
        codes = {"match": EXIT_MATCH, "mismatch": EXIT_MISMATCH, "undecided": EXIT_NOTHING}
        return codes[self.verdict]

    def _repr_html_(self) -> str:
        """How a notebook shows it: the verdict and a row for each formula, layer and side; no style."""
        say, first = catalogue("en"), self.first_divergence
        verdict = say[f"run.verdict_{self.verdict}"].format(steps=prose(self.steps, "en"))
        complaint = first.complaint if first else None
        heads = ("run.slide", "run.formula", "run.layer", "page.side", "page.verdict", "page.share_used")
        return str(
            Markup("<p><b>{}</b></p>{}<table><tr>{}</tr>{}</table>").format(
                verdict,
                Markup("<pre>{}</pre>").format(complaint) if complaint else "",
                Markup("").join(Markup('<th scope="col">{}</th>').format(say[head]) for head in heads),
                Markup("").join(row.as_html(say) for row in self.formulas),
            )
        )

    def to_json(self) -> str:
        """The result as JSON; NaN and infinities as strings."""
        return self.model_dump_json(by_alias=True, indent=2)
