"""The terminal of a running command: progress on stderr; and the environment, line by line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from parity.lockstep.lockstep import Enough, Observer, TrainingStep
from parity.lockstep.result import Fact
from parity.render.console import PLAIN, console
from parity.render.texts import catalogue
from parity.render.texts.message import Message

UPDATES_EVERY = 0.1
"""Seconds between two looks at the progress bar: drawing it must not be what a run spends time on."""


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


class Interrupted:
    """An observer that ends a lockstep after the step in which Ctrl-C was pressed."""

    was = False

    def __call__(self, seen: TrainingStep) -> None:
        if self.was:
            raise Enough(Message("interrupted", steps=seen.step + 1))


@contextmanager
def ending_at_ctrl_c() -> Iterator[Interrupted]:
    """Context in which Ctrl-C ends the lockstep after the step at hand, and a second Ctrl-C the program."""
    interrupted = Interrupted()
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        if interrupted.was:
            raise KeyboardInterrupt
        interrupted.was = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def show_facts(facts: dict[str, Fact], problems: Sequence[Message], lang: str) -> None:
    """The environment, line by line, and what is wrong with it."""
    say, out = catalogue(lang), console()
    table = Table(title=say["run.environment"], title_justify="left", show_header=False)
    for name, value in facts.items():
        table.add_row(name, say.get(f"run.is_{str(value).lower()}", "–" if value is None else str(value)))
    out.print(table)
    for problem in problems:
        told = f"{say['run.problem']}: {problem.said(lang)}"
        out.print(told, style="bold red", markup=False, soft_wrap=True)
    if not problems:
        out.print(say["run.fit"], style="green")
