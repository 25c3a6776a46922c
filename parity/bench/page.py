"""The report of a benchmark: a table, JSON, and each contestant's peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

from parity.bench.measure import PRODUCTS, SIZES, bench_case, contestant
from parity.bench.memory import peak_mib
from parity.bench.others import absent
from parity.bench.profile import Part, call_microseconds, reasons
from parity.bench.rows import BenchRow
from parity.bench.vocabulary import summary
from parity.lockstep.result import Fact
from parity.render.console import console
from parity.render.numbers import local, written
from parity.render.texts import catalogue
from parity.render.texts.message import said

MEASURED = ("engine", "torch", "lockstep", "certified")
STEPS = 5
COLUMNS = ("size", "ratio", "median", "min", "max", "reach", "step")
MACHINE = (
    "processor",
    "cores",
    "blas",
    "blas_kernel",
    "blas_kernel_chosen_by",
    "blas_threads",
    "numpy",
    "torch",
)


LEAST_SHARE = 0.005
"""Of a step, for a part to have a line."""


@dataclass(frozen=True)
class Report:
    """The results of one benchmark."""

    rows: Sequence[BenchRow]
    memory: dict[str, dict[str, float]]
    facts: dict[str, Fact]
    command: str
    parts: Sequence[Part] = ()
    watching: bool = False

    def to_json(self) -> str:
        """The report as JSON, `parity-bench/1`."""
        content = {
            "schema": "parity-bench/1",
            "rows": [row.to_json() for row in self.rows if row.what != PRODUCTS],
            "products": [row.to_json() for row in self.rows if row.what == PRODUCTS],
            "peak_memory_mib": self.memory,
            "absent": absent(),
            "environment": self.facts,
        }
        if self.parts:
            content["profile"] = [part.to_json() for part in self.parts]
        return json.dumps(content, indent=2)

    def to_markdown(self, lang: str = "en") -> str:
        """The page to commit: how it was made, the table, the machine."""
        say = catalogue(lang)
        kind = "watching" if self.watching else "plain"
        heads = " | ".join(say[f"bench.{column}"] for column in COLUMNS)
        lines = [
            f"# {say[f'bench.title_{kind}']}",
            "",
            say["bench.made"].format(command=self.command),
            "",
            *say[f"bench.about_{kind}"].splitlines(),
            "",
            f"| {heads} |",
            "|---|---|--:|--:|--:|--:|--:|",
            *(f"| {' | '.join(cells(row, say))} |" for row in self.rows),
            "",
            *(f"* {line}" for line in self.notes(lang)),
            *(self._profile(lang) if self.parts else ()),
        ]
        return "\n".join(lines)

    def _profile(self, lang: str) -> list[str]:
        """Where a certified step's time goes, size by size, and why a figure was not reached."""
        say, missed = catalogue(lang), reasons(self.rows, self.parts)
        kind = "watching" if self.watching else "plain"
        call = written(f"{call_microseconds():.2f}", say)
        about = say[f"bench.profile_{kind}"].format(call=call)
        lines = ["", f"## {say['bench.where']}", "", *about.splitlines(), ""]
        for size in dict.fromkeys(part.size for part in self.parts):
            here = [part for part in self.parts if part.size == size]
            lines += _table(size, [part for part in here if part.share >= LEAST_SHARE], say)
            lines.append("")
        heading = say["bench.missed" if missed else "bench.all_reached"]
        return [*lines, heading, "", *(f"* {local(said(reason, lang), say)}" for reason in missed)]

    def notes(self, lang: str = "en") -> list[str]:
        """Memory, absent peers, machine."""
        say = catalogue(lang)
        named = [row for row in self.rows if row.name]
        lines = [local(said(every.told, lang), say) for every in summary(named)]
        kind = "watching" if self.watching else "plain"
        for size, peak in self.memory.items():
            shown = ", ".join(f"{name} {mib:.0f}" for name, mib in peak.items())
            lines.append(say[f"bench.memory_{kind}"].format(size=size, peaks=shown))
        if not self.watching:
            lines += [
                say["bench.absent"].format(peer=peer, reason=said(reason, lang))
                for peer, reason in absent().items()
            ]
        return [*lines, "; ".join(f"{name} {self.facts.get(name)}" for name in MACHINE)]

    def show(self, lang: str = "en", *, stderr: bool) -> None:
        """Print the table and the notes."""
        say, out = catalogue(lang), console(stderr=stderr)
        table = Table(title_justify="left")
        for column in COLUMNS:
            justify: Literal["left", "right"] = "left" if column in ("size", "ratio") else "right"
            table.add_column(say[f"bench.{column}"], justify=justify)
        for row in self.rows:
            reached = row.reach is None or row.median <= row.reach
            table.add_row(*cells(row, say), style="green" if reached else "yellow")
        out.print(table)
        for line in self.notes(lang):
            out.print(line, markup=False)
        for part in self.parts:
            share = f"{part.microseconds:9.0f} µs {100 * part.share:4.0f} %"
            out.print(f"{part.size:8}{share}  {local(said(part.what, lang), say)}", markup=False)


def _table(size: str, parts: Sequence[Part], say: Mapping[str, str]) -> Iterator[str]:
    """The parts of a step, and what numpy's calls take of them where that was measured."""
    counted = any(part.calls is not None for part in parts)
    calls = f" {say['bench.calls']} |" if counted else ""
    yield f"| {size} | µs | {say['bench.share']} |{calls}"
    yield f"|---|--:|--:|{'--:|' if counted else ''}"
    for part in parts:
        inside = "" if part.calls is None else f"{part.calls:.0f}"
        last = f" {inside} |" if counted else ""
        what = local(said(part.what, say["language.code"]), say)
        yield f"| {what} | {part.microseconds:.0f} | {100 * part.share:.0f} % |{last}"


def cells(row: BenchRow, say: Mapping[str, str]) -> tuple[str, ...]:
    """A row of the table."""
    numbers = (written(f"{value:.2f}", say) for value in (row.median, row.min, row.max))
    reach = "–" if row.reach is None else written(f"{row.reach:g}", say)
    facts = {"what": row.what, "name": row.name, "dtype": row.dtype}
    what = say["bench.ratio_of"].format(**facts) if row.name else row.what
    return row.size, what, *numbers, reach, f"{row.microseconds:.0f}"


def peaks(size: str, dtype: str, activation: str) -> dict[str, float]:
    """Peak resident memory in MiB, each contestant in a process of its own."""
    found = {}
    for name in MEASURED:
        words = [sys.executable, "-m", "parity.bench.page", size, dtype, activation, name]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found[name] = float(done.stdout)
    return found


def _peak(size: str, dtype: str, activation: str, name: str) -> float:
    """Run a few steps of one contestant and measure this process's peak memory."""
    step = contestant(name, bench_case(SIZES[size], dtype, activation))
    for _ in range(STEPS):
        step()
    return peak_mib()


if __name__ == "__main__":
    sys.stdout.write(f"{_peak(*sys.argv[1:5]):.1f}\n")
