"""The terminal text of the comparison of two saved runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from parity.golden.text import STYLES, written_ulps
from parity.lockstep.text import divergence_lines, short
from parity.render.console import fitted
from parity.render.notebook import html_of, paragraphs
from parity.render.numbers import written
from parity.render.texts import catalogue
from reference.trace import tensor_name

if TYPE_CHECKING:
    from rich.console import Console

    from parity.golden.diff_result import Diff, FirstBits

GIVEN = "given"
"""In the place of a formula: the runs were given other numbers."""


def show_diff(diff: Diff, out: Console, lang: str) -> None:
    """Where the runs first differ in bits, how much each tensor, why, and whether rounding explains it."""
    say = catalogue(lang)
    for line in _counts(diff, say):
        out.print(line, markup=False, soft_wrap=True)
    if diff.tensors:
        dropped = [say[f"golden.{key}"] for key in ("largest", "ulp")]
        out.print(fitted(_table(diff, say), out, dropped))
    for side in diff.sides if diff.differing else []:
        changed = [
            f"{one.fact}: {_fact(one.a)} → {_fact(one.b)}" for one in diff.causes if one.side == side
        ]
        key = "diff.causes" if changed else "diff.no_cause"
        line = say[key].format(side=say.get(f"run.{side}", side), causes="; ".join(changed))
        out.print(line, markup=False, soft_wrap=True)
    first = diff.first_divergence
    given = first is not None and first.formula == GIVEN
    for line in [] if given else divergence_lines(first, diff.wrong_formulas, None, say):
        out.print(line, style="bold red", markup=False, soft_wrap=True)
    key = "given" if given else diff.verdict
    out.print(say[f"diff.verdict_{key}"], style=STYLES[diff.verdict], soft_wrap=True)


def html_diff(diff: Diff, lang: str = "en") -> str:
    """Where the runs first differ, the verdict, and the tensors that differ, as HTML for notebooks."""
    say = catalogue(lang)
    first = diff.first_divergence
    given = first is not None and first.formula == GIVEN
    told = [] if given else divergence_lines(first, diff.wrong_formulas, None, say)
    key = "given" if given else diff.verdict
    shown = paragraphs([*_counts(diff, say), *told, say[f"diff.verdict_{key}"]])
    return shown + html_of(_table(diff, say)) if diff.tensors else shown


def _counts(diff: Diff, say: Mapping[str, str]) -> Iterator[str]:
    yield say["diff.headline"].format(a=diff.a, b=diff.b)
    counts = {"steps": diff.steps, "numbers": diff.bits_compared, "differing": diff.differing}
    counts |= {"certified": diff.numbers_compared, "undecided": diff.undecided}
    yield say["diff.counted"].format(**{name: written(f"{n:,}", say) for name, n in counts.items()})
    if diff.only_a or diff.only_b:
        yield say["diff.only"].format(a=diff.only_a, b=diff.only_b)
    first = diff.first_difference
    yield say["diff.same_bits"] if first is None else _first(first, say)


def _first(first: FirstBits, say: Mapping[str, str]) -> str:
    place = f"[{','.join(map(str, first.index))}]" if first.index else ""
    return say["diff.first_given" if first.given else "diff.first_bits"].format(
        where=tensor_name(first.quantity, first.layer) + place,
        side=say.get(f"run.{first.side}", first.side),
        step=first.step,
        a=short(first.a, say, 17),
        b=short(first.b, say, 17),
        ulps=written_ulps(first.ulps, say),
    )


def _table(diff: Diff, say: Mapping[str, str]) -> Table:
    table = Table()
    for key in ("tensor", "side", "differ", "ulp", "largest"):
        table.add_column(say[f"golden.{key}"], justify="left" if key in ("tensor", "side") else "right")
    for row in diff.tensors:
        table.add_row(
            tensor_name(row.quantity, row.layer),
            say.get(f"run.{row.side}", row.side),
            written(f"{row.differing:,} / {row.numbers:,}", say),
            written_ulps(row.ulps, say),
            short(row.max_abs, say),
        )
    return table


def _fact(value: object) -> str:
    return "–" if value is None else str(value)
