"""What a person sees in the terminal: progress on stderr, results on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from parity.lockstep.lockstep import Observer, TrainingStep
from parity.lockstep.result import Fact, FormulaRow, Result, SideBySideRow, lines
from parity.lockstep.text import divergence_lines, short
from parity.render.texts import catalogue
from parity.render.texts.message import said

STYLES = {"match": "green", "other-form": "cyan", "different-formula": "bold red", "undecided": "yellow"}
PLAIN = bool(os.environ.get("NO_COLOR") or os.environ.get("CI"))
UPDATES_EVERY = 0.1
"""Seconds between two looks at the progress bar: drawing it must not be what a run spends time on."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; plain when it is no terminal, under NO_COLOR or CI."""
    stream = sys.stderr if stderr else sys.stdout
    plain = PLAIN or not stream.isatty()
    width = None if stream.isatty() else 120
    return Console(
        file=stream, no_color=plain, force_terminal=False if plain else None, highlight=False, width=width
    )


@contextmanager
def progress(lang: str) -> Iterator[Callable[[int], Observer]]:
    """A progress bar with the loss and the worst share of the bound: give it the steps, get an observer."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    plain = PLAIN or not sys.stderr.isatty()
    bar = Progress(*columns, console=console(stderr=True), transient=True, disable=plain)
    with bar:
        drawn, worst = 0.0, 0.0

        def watch(steps: int) -> Observer:
            task = bar.add_task(catalogue(lang)["run.progress"], total=steps, facts="")

            def observe(seen: TrainingStep) -> None:
                nonlocal drawn, worst
                worst = max(worst, seen.worst_ratio)
                now = bar.get_time()
                if not plain and (now - drawn > UPDATES_EVERY or seen.step + 1 == steps):
                    drawn = now
                    losses = [float(t["loss"]) for t in seen.traces.values() if "loss" in t]
                    facts = f"loss {losses[0]:.4g}  bound {worst:.2f}" if losses else ""
                    bar.update(task, completed=seen.step + 1, facts=facts)

            return observe

        yield watch


def show_result(result: Result, lang: str, *, stderr: bool = False) -> None:
    """The table by formula and side, the counts, and what a person needs to know of a mismatch."""
    say, out = catalogue(lang), console(stderr=stderr)
    out.print(_formula_table(result, say))
    out.print(say["run.share"])
    for side, (first, last) in result.loss.items():
        out.print(say["run.loss"].format(first=short(first), last=short(last), side=side))
    for side, share in result.accuracy.items():
        out.print(say["run.accuracy"].format(value=f"{share:.1%}", side=side))
    if result.witness:
        facts = result.witness.model_dump() | {"ratio": short(result.witness.worst_ratio)}
        facts["verdict"] = say[f"run.{result.witness.verdict}"]
        out.print(say["run.witness"].format(**facts))
    share = result.undecided / max(1, result.numbers_compared)
    out.print(
        say["run.counted"].format(
            tensors=f"{result.tensors_compared:,}",
            numbers=f"{result.numbers_compared:,}",
            undecided=f"{result.undecided:,}",
            share=f"{share:.3%}",
        )
    )
    vacuous = [f"{row.formula} {row.layer} ({row.side})" for row in result.formulas if row.vacuous]
    if vacuous:
        out.print(say["run.vacuous_note"].format(names=", ".join(vacuous)))
    if result.certified != "every step":
        out.print(say["run.certified"].format(what=said(result.certified, lang)))
    out.print(say["run.contract"].format(**result.contract))
    if result.accepted:
        out.print(say["run.accepted"].format(names=", ".join(result.accepted)), style="yellow")
    if result.reason:
        out.print(said(result.reason, lang), markup=False)
    for line in divergence_lines(result.first_divergence, result.wrong_formulas, result.reproduce, say):
        out.print(line, style="bold red", markup=False)
    style = {"match": "bold green", "mismatch": "bold red", "undecided": "bold yellow"}[result.verdict]
    out.print(say[f"run.verdict_{result.verdict}"].format(steps=f"{result.steps:,}"), style=style)


def show_facts(facts: dict[str, Fact], problems: Sequence[str], lang: str = "en") -> None:
    """The environment, line by line, and what is wrong with it."""
    say, out = catalogue(lang), console()
    table = Table(title=say["run.environment"], title_justify="left", show_header=False)
    for name, value in facts.items():
        table.add_row(name, "–" if value is None else str(value))
    out.print(table)
    for problem in problems:
        out.print(f"{say['run.problem']}: {problem}", style="bold red", markup=False)
    if not problems:
        out.print(say["run.fit"], style="green")


def _formula_table(result: Result, say: dict[str, str]) -> Table:
    sides = list(dict.fromkeys(row.side for row in result.formulas))
    table = Table(title_justify="left")
    for key, justify in (("slide", "right"), ("formula", "left"), ("layer", "right")):
        table.add_column(say[f"run.{key}"], justify="right" if justify == "right" else "left")
    for side in sides:
        table.add_column(say.get(f"run.{side}", side))
    if result.side_by_side:
        table.add_column(say["run.sides"])
    for line in lines(result.formulas, result.side_by_side):
        texts = [_cell(line.by_side.get(side), say) for side in sides]
        if result.side_by_side:
            texts.append(_cell(line.across, say))
        table.add_row(str(line.slide), line.formula, str(line.layer), *texts)
    return table


def _cell(row: FormulaRow | SideBySideRow | None, say: dict[str, str]) -> str:
    """A verdict, and the share of the bound that goes with it."""
    if row is None:
        return ""
    if isinstance(row, FormulaRow) and row.vacuous and row.verdict == "undecided":
        return f"[yellow]{say['run.vacuous']}[/]"
    text = f"[{STYLES[row.verdict]}]{say[f'run.{row.verdict}']}[/] {short(row.worst_ratio)}"
    return text + (f" ({say['run.undecided']} {row.undecided:,})" if row.undecided else "")
