"""What a person sees of a kernel: a line for each output and gradient, and the first wrong number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from parity.render.console import fitted
from parity.render.notebook import html_of, paragraphs
from parity.render.numbers import local, written
from parity.render.texts import catalogue
from parity.render.texts.message import said

if TYPE_CHECKING:
    from rich.console import Console

    from parity.kernel.result import KernelDivergence, KernelResult, KernelRow, Part

STYLES = {"match": "green", "mismatch": "bold red", "undecided": "yellow"}


def show_kernel(result: KernelResult, out: Console, lang: str) -> None:
    """The table, what was tried, and the first wrong number."""
    say = catalogue(lang)
    out.print(fitted(_table(result, say), out, [say["kernel.numbers"], say["kernel.resolution"]]))
    out.print(say["kernel.explained"])
    out.print(counted_line(result, lang), markup=False)
    kinds = dict.fromkeys(say[f"kernel.{row.inputs}"] for row in result.rows)
    out.print(say["kernel.tried"].format(kinds="; ".join(kinds)))
    for one in result.not_tried:
        reason = said(one.reason, lang)
        out.print(
            say["kernel.not_tried"].format(kind=say[f"kernel.{one.inputs}"], reason=reason), markup=False
        )
    for line in finding_lines(result, lang):
        out.print(line, style=STYLES[result.verdict], markup=False)


def html_kernel(result: KernelResult, lang: str = "en") -> str:
    """The verdict and the table, as HTML for notebooks."""
    lines = [counted_line(result, lang), *finding_lines(result, lang)]
    return paragraphs(lines) + html_of(_table(result, catalogue(lang)))


def counted_line(result: KernelResult, lang: str) -> str:
    """What was held to what, and how many numbers were compared."""
    say = catalogue(lang)
    counts = {
        "operations": result.operations,
        "numbers": result.numbers_compared,
        "undecided": result.undecided,
    }
    shown = {name: written(f"{count:,}", say) for name, count in counts.items()}
    return say["kernel.counted"].format(candidate=result.candidate, definition=result.definition, **shown)


def finding_lines(result: KernelResult, lang: str) -> list[str]:
    """The first wrong number, or what nothing could be told of, and the verdict."""
    say = catalogue(lang)
    if result.first_divergence:
        lines = [*_first(result.first_divergence, len(result.wrong), say, lang)]
    else:
        lines = [*_untold(result.rows, say, lang)]
    return [*lines, say[f"kernel.verdict_{result.verdict}"]]


def tensor_name(part: Part, name: str, say: Mapping[str, str]) -> str:
    """`output 0`, `gradient of weight`."""
    return say[f"kernel.{part}"].format(name=name)


def _grouped(rows: Sequence[KernelRow]) -> dict[tuple[Part, str], list[KernelRow]]:
    found: dict[tuple[Part, str], list[KernelRow]] = {}
    for row in rows:
        found.setdefault((row.part, row.name), []).append(row)
    return found


def _table(result: KernelResult, say: Mapping[str, str]) -> Table:
    """A line for each tensor, over all kinds of inputs; the resolution is that on the first kind."""
    table = Table()
    for column in ("tensor", "numbers", "share", "resolution", "verdict"):
        right = column in ("numbers", "share", "resolution")
        table.add_column(say[f"kernel.{column}"], justify="right" if right else "left", overflow="fold")
    for (part, name), rows in _grouped(result.rows).items():
        told = {row.verdict for row in rows}
        worst = next(verdict for verdict in ("mismatch", "match", "undecided") if verdict in told)
        table.add_row(
            Text(tensor_name(part, name, say)),
            written(f"{sum(row.numbers for row in rows):,}", say),
            written(f"{max(row.worst_ratio for row in rows):.3g}", say),
            written(f"{rows[0].resolution:.1e}", say),
            f"[{STYLES[worst]}]{say[f'kernel.{worst}']}[/]",
        )
    return table


def _untold(rows: Sequence[KernelRow], say: Mapping[str, str], lang: str) -> Iterator[str]:
    for row in rows:
        if row.inputs == "given" and row.verdict == "undecided":
            reason = say["kernel.vacuous" if row.vacuous else "kernel.overflow"]
            reason = said(row.complaint, lang) if row.complaint else reason
            yield say["kernel.untold"].format(tensor=tensor_name(row.part, row.name, say), reason=reason)


def _first(first: KernelDivergence, wrong: int, say: Mapping[str, str], lang: str) -> Iterator[str]:
    place = f"[{','.join(map(str, first.index))}]" if first.index else ""
    others = say["kernel.others"].format(count=written(f"{wrong:,}", say)) if wrong > 1 else ""
    kind, tensor = say[f"kernel.{first.inputs}"], tensor_name(first.part, first.name, say)
    yield say["kernel.first"].format(tensor=tensor, place=place, kind=kind, others=others)
    if first.complaint:
        yield say["kernel.complaint"].format(complaint=said(first.complaint, lang))
    if first.index is not None:
        shown = {
            name: written(f"{value:.3g}", say)
            for name, value in first.model_dump().items()
            if name in ("error", "bound", "ratio", "resolution")
        }
        shown |= {name: local(str(getattr(first, name)), say) for name in ("observed", "expected")}
        key = "numbers_of_first" if first.bound else "bits_of_first"
        yield say[f"kernel.{key}"].format(**shown)
