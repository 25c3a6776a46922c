"""The terminal text of a run: the table by formula and side, the counts, the first divergence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from markupsafe import Markup
from rich.table import Table

from parity.config.case import described
from parity.errors import UsageError
from parity.render.console import fitted
from parity.render.graph import svg
from parity.render.graph.drawing import drawing
from parity.render.notebook import picture
from parity.render.numbers import code, prose, written
from parity.render.texts import catalogue
from parity.render.texts.formulas import formula_label
from parity.render.texts.message import said
from reference.formula import GRAPH_SLIDE
from reference.trace import tensor_name

if TYPE_CHECKING:
    from rich.console import Console

    from parity.lockstep.result import Divergence, FormulaRow, Result, SideBySideRow, WrongFormula

STYLES = {"match": "green", "other-form": "cyan", "different-formula": "bold red", "undecided": "yellow"}


def show_result(result: Result, out: Console, lang: str) -> None:
    """Print the table by formula and side, the counts, and the details of a mismatch."""
    say = catalogue(lang)
    sides = [say.get(f"run.{side}", side) for side in dict.fromkeys(row.side for row in result.formulas)]
    dropped = [say["run.slide"], say["run.sides"], *sides[:-1]]
    out.print(fitted(_formula_table(result, say), out, dropped))
    out.print(say["run.share"])
    for side, (first, last) in result.loss.items():
        facts = {"first": short(first, say), "last": short(last, say), "side": _side(side, say)}
        out.print(say["run.loss"].format(**facts))
    for side, share in result.accuracy.items():
        trained_on = result.accuracy_in_training.get(side)
        facts = {"value": written(f"{share:.1%}", say), "side": _side(side, say)}
        key = "run.accuracy" if trained_on is not None else "run.accuracy_in_training"
        out.print(say[key].format(**facts, trained_on=written(f"{trained_on or 0:.1%}", say)))
    if result.witness:
        facts = result.witness.model_dump() | {"ratio": short(result.witness.worst_ratio, say)}
        facts["verdict"] = say[f"run.{result.witness.verdict}"]
        out.print(say["run.witness"].format(**facts))
    share = result.undecided / max(1, result.numbers_compared)
    out.print(
        say["run.counted"].format(
            tensors=written(f"{result.tensors_compared:,}", say),
            numbers=written(f"{result.numbers_compared:,}", say),
            undecided=written(f"{result.undecided:,}", say),
            share=written(f"{share:.3%}", say),
        )
    )
    vacuous = [vacuous_name(row, say) for row in result.formulas if row.vacuous]
    if vacuous:
        out.print(say["run.vacuous_note"].format(names=", ".join(vacuous)))
    if result.certified != "every step":
        out.print(say["run.certified"].format(what=said(result.certified, lang)))
    out.print(say["run.contract"].format(**_contract(result, say)))
    for advice in result.advice:
        text = say["run.advice"].format(advice=said(advice, lang))
        out.print(text, style="yellow", markup=False, soft_wrap=True)
    if result.accepted:
        out.print(say["run.accepted"].format(names=", ".join(result.accepted)), style="yellow")
    if result.reason:
        out.print(said(result.reason, lang), markup=False)
    for line in divergence_lines(result.first_divergence, result.wrong_formulas, result.reproduce, say):
        out.print(line, style="bold red", markup=False)
    style = {"match": "bold green", "mismatch": "bold red", "undecided": "bold yellow"}[result.verdict]
    out.print(
        say[f"run.verdict_{result.verdict}"].format(steps=written(f"{result.steps:,}", say)), style=style
    )


class Line(NamedTuple):
    """One formula of one layer, or of one tensor of a graph: each side's row, and the cross-check."""

    slide: int
    formula: str
    layer: int
    tensor: str
    by_side: dict[str, FormulaRow]
    across: SideBySideRow | None


def lines(rows: Sequence[FormulaRow], across: Iterable[SideBySideRow] = ()) -> list[Line]:
    """The rows of all sides, a line for each formula and layer, in the order of the rows."""
    pairs = {(row.quantity, row.layer): row for row in across}
    found: dict[tuple[int, str, int, str], Line] = {}
    of_graph = any(row.slide == GRAPH_SLIDE for row in rows)
    for row in rows:
        tensor = tensor_name(row.quantity, row.layer) if of_graph else ""
        place = (row.slide, row.formula, row.layer, tensor)
        line = found.setdefault(place, Line(*place, {}, pairs.get((row.quantity, row.layer))))
        line.by_side[row.side] = row
    return list(found.values())


def _formula_table(result: Result, say: dict[str, str]) -> Table:
    sides = list(dict.fromkeys(row.side for row in result.formulas))
    table, found = Table(title_justify="left"), lines(result.formulas, result.side_by_side)
    place = "tensor" if any(line.tensor for line in found) else "layer"
    for key, justify in (("slide", "right"), ("formula", "left"), (place, "right")):
        table.add_column(say[f"run.{key}"], justify="right" if justify == "right" else "left")
    for side in sides:
        table.add_column(say.get(f"run.{side}", side))
    if result.side_by_side:
        table.add_column(say["run.sides"])
    for line in found:
        texts = [_cell(line.by_side.get(side), say) for side in sides]
        if result.side_by_side:
            texts.append(_cell(line.across, say))
        table.add_row(
            str(line.slide),
            formula_label(line.formula, say["language.code"]),
            line.tensor or str(line.layer),
            *texts,
        )
    return table


def _side(name: str, say: Mapping[str, str]) -> str:
    """A side in words; in English by its name in JSON."""
    return name if say["language.code"] == "en" else say.get(f"run.{name}", name)


def vacuous_name(row: FormulaRow, say: Mapping[str, str]) -> str:
    """Formula, layer and side of a row that could not have failed."""
    return _place(row.formula, str(row.layer), row.side, say)


def _place(formula: str, layers: str, side: str, say: Mapping[str, str]) -> str:
    return f"{formula_label(formula, say['language.code'])} {layers} ({_side(side, say)})"


def _contract(result: Result, say: Mapping[str, str]) -> dict[str, object]:
    """The contract, with its numbers in a language."""
    return {
        name: written(str(fact), say) if isinstance(fact, float) else say.get(f"contract.{fact}", fact)
        for name, fact in result.contract.items()
    }


def _cell(row: FormulaRow | SideBySideRow | None, say: dict[str, str]) -> str:
    """A cell of the table: the verdict and the used share of the bound."""
    if row is None:
        return ""
    if getattr(row, "vacuous", False) and row.verdict == "undecided":
        return f"[yellow]{say['run.vacuous']}[/]"
    text = f"[{STYLES[row.verdict]}]{say[f'run.{row.verdict}']}[/] {short(row.worst_ratio, say)}"
    left = written(f"{row.undecided:,}", say)
    return f"{text} ({say['run.undecided']} {left})" if row.undecided else text


def divergence_lines(
    first: Divergence | None, wrong: Sequence[WrongFormula], reproduce: str | None, say: Mapping[str, str]
) -> Iterator[str]:
    """The lines that describe the first divergence."""
    if first is None:
        return
    named = formula_label(first.formula, say["language.code"])
    yield say["run.first"].format(**first.model_dump() | {"formula": named, "side": _side(first.side, say)})
    if first.complaint:
        yield "  " + said(first.complaint, say["language.code"])
    if first.index is not None:
        index = f"[{','.join(map(str, first.index))}]" if first.index else ""
        numbers = {key: short(getattr(first, key), say, 9) for key in ("observed", "expected")}
        numbers |= {key: short(getattr(first, key), say) for key in ("error", "bound", "ratio")}
        yield "  " + say["run.number"].format(
            quantity=tensor_name(first.quantity, first.layer), index=index, **numbers
        )
    if first.gate == "side-by-side":
        yield "  " + say["run.inherited"]
    names = [_place(w.formula, ",".join(map(str, w.layers)), w.side, say) for w in wrong[1:]]
    if names:
        yield "  " + say["run.also"].format(names="; ".join(names))
    if reproduce:
        yield "  " + say["run.reproduce"].format(command=reproduce)


def short(value: float | None, say: Mapping[str, str], digits: int = 3) -> str:
    """A number to a few digits, in a language; a dash where there is none."""
    return "–" if value is None else written(f"{value:.{digits}g}", say)


class HasRows(Protocol):
    """A result with a row for each formula, layer and side."""

    @property
    def verdict(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def formulas(self) -> Sequence[FormulaRow]: ...

    @property
    def first_divergence(self) -> Divergence | None: ...


def html_table(result: HasRows, lang: str = "en") -> str:
    """Verdict and a row for each formula, layer and side, as HTML that brings no style or script."""
    say, first = catalogue(lang), result.first_divergence
    complaint = first.complaint if first else None
    heads = ("run.slide", "run.formula", "run.layer", "page.side", "page.verdict", "page.share_used")
    return str(
        Markup("<p><b>{}</b></p>{}<table><tr>{}</tr>{}</table>").format(
            say[f"run.verdict_{result.verdict}"].format(steps=prose(result.steps, lang)),
            Markup("<pre>{}</pre>").format(said(complaint, lang)) if complaint else "",
            Markup("").join(Markup('<th scope="col">{}</th>').format(say[head]) for head in heads),
            Markup("").join(_html_row(row, say) for row in result.formulas),
        )
    )


def html_graph(result: Result, lang: str = "en") -> str:
    """The network's computational graph, if the result's config describes one that a picture can hold."""
    layers = str(result.config.get("layers", ""))
    if not layers.replace("-", "").isdecimal():
        return ""
    try:
        known = described(result.config, int(layers.rpartition("-")[2]))
    except UsageError:
        return ""
    drawn = drawing(known.architecture, 1)
    title = catalogue(lang)["graph.title"]
    return "" if svg.too_wide(drawn) else str(picture(svg.standalone(drawn), title))


def _html_row(row: FormulaRow, say: Mapping[str, str]) -> Markup:
    cells = (
        row.slide,
        row.formula,
        row.layer,
        row.side,
        say[f"run.{row.verdict}"],
        code(row.worst_ratio, 3),
    )
    shown = '<tr><td>{}</td><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
    return Markup(shown).format(*cells)
