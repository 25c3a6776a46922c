"""The report of a benchmark: a table, JSON, and each contestant's peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from parity.bench.measure import PRODUCTS, SIZES, bench_case, contestant
from parity.bench.memory import peak_mib
from parity.bench.others import absent
from parity.bench.profile import Part, call_microseconds, reasons
from parity.bench.rows import BenchRow
from parity.bench.vocabulary import summary
from parity.lockstep.result import Fact
from parity.render.console import console

MEASURED = ("engine", "torch", "lockstep", "certified")
STEPS = 5
COLUMNS = ("size", "ratio", "median", "min", "max", "to reach", "µs a step")
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


ABOUT = """Ratios of step times within interleaved rounds of one process,
one thread each: the median over rounds. *plain* is torch's step and the engine's in turn;
*lockstep* records and links both; *certified* asks both gates about every number of both.
*products* are the engine's matrix products alone, which no engine in numpy goes below."""

ABOUT_WATCHING = """A training step of a CNN of MNIST's size (batch 32) and of GPT-2 (256 wide,
4 layers, 128 tokens, batch 4), float32, AdamW: watched, as a share of what it takes alone.
*dispatched*: PyTorch's empty dispatch mode, without which nothing can be recorded. *recorded*: nothing is
certified; *certified*: every number; *sample*: tensors drawn anew in each step.
Processor times of interleaved rounds of one process, one thread: the median over rounds.
*memory* is what training adds to the process's peak, each in a process of its own."""

LEAST_SHARE = 0.005
"""Of a step, for a part to have a line."""

PROFILE_OF_WATCHING = """The processor time of a certified step by formula, forward and backward, timers
included, and how much of it is inside numpy's calls on buffers that stay in the cache. *Everything else*
is PyTorch's own step, the recorder and the counting. A product is certified by one in float64 for its
truth and one in float32 for its magnitudes, three times the work of PyTorch's; an elementwise formula by
several calls of numpy for each of its functions, where PyTorch has one kernel for the whole formula.
What a formula takes beyond the last column is Python, copies, and rules without a plan."""

PROFILE = """A step of the certified lockstep, taken apart while it runs: medians of each part's own time in
the quicker half of the steps, timers included. PyTorch, the engine and the checks take turns in the caches,
so each takes longer here than by itself. The checks' matrix products are float64 where they make truths and
float32 where they make magnitudes. A numpy call on four numbers took {:.2f} µs: in the small sizes it is
the number of calls that counts."""


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

    def to_markdown(self) -> str:
        """The page to commit: how it was made, the table, the machine."""
        lines = [
            "# Benchmark of watching" if self.watching else "# Benchmark",
            "",
            f"Made by `{self.command}`.",
            "",
            *(ABOUT_WATCHING if self.watching else ABOUT).splitlines(),
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---|---|--:|--:|--:|--:|--:|",
            *(f"| {' | '.join(cells(row))} |" for row in self.rows),
            "",
            *(f"* {line}" for line in self.notes()),
            *(self._profile() if self.parts else ()),
        ]
        return "\n".join(lines)

    def _profile(self) -> list[str]:
        """Where a certified step's time goes, size by size, and why a figure was not reached."""
        missed = reasons(self.rows, self.parts)
        about = PROFILE_OF_WATCHING if self.watching else PROFILE.format(call_microseconds())
        lines = ["", "## Where the time goes", "", *about.splitlines(), ""]
        for size in dict.fromkeys(part.size for part in self.parts):
            here = [part for part in self.parts if part.size == size]
            lines += _table(size, [part for part in here if part.share >= LEAST_SHARE])
            lines.append("")
        heading = "Above the figure to reach:" if missed else "Every figure was reached."
        return [*lines, heading, "", *(f"* {reason}" for reason in missed)]

    def notes(self) -> list[str]:
        """Memory, absent peers, machine."""
        named = [row for row in self.rows if row.name]
        lines = [str(every) for every in summary(named)]
        for size, peak in self.memory.items():
            shown = ", ".join(f"{name} {mib:.0f}" for name, mib in peak.items())
            counted = "added by training" if self.watching else "imports included"
            lines.append(f"peak memory of {size} in MiB, {counted}: {shown}")
        if not self.watching:
            lines += [f"absent: {peer} ({reason})" for peer, reason in absent().items()]
        return [*lines, "; ".join(f"{name} {self.facts.get(name)}" for name in MACHINE)]

    def show(self, *, stderr: bool) -> None:
        """Print the table and the notes."""
        out = console(stderr=stderr)
        table = Table(title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column in ("size", "ratio") else "right")
        for row in self.rows:
            reached = row.reach is None or row.median <= row.reach
            table.add_row(*cells(row), style="green" if reached else "yellow")
        out.print(table)
        for line in self.notes():
            out.print(line, markup=False)
        for part in self.parts:
            share = f"{part.microseconds:9.0f} µs {100 * part.share:4.0f} %"
            out.print(f"{part.size:8}{share}  {part.what}", markup=False)


def _table(size: str, parts: Sequence[Part]) -> Iterator[str]:
    """The parts of a step, and what numpy's calls take of them where that was measured."""
    counted = any(part.calls is not None for part in parts)
    yield f"| {size} | µs | share |{' numpy on buffers, µs |' if counted else ''}"
    yield f"|---|--:|--:|{'--:|' if counted else ''}"
    for part in parts:
        inside = "" if part.calls is None else f"{part.calls:.0f}"
        last = f" {inside} |" if counted else ""
        yield f"| {part.what} | {part.microseconds:.0f} | {100 * part.share:.0f} % |{last}"


def cells(row: BenchRow) -> tuple[str, ...]:
    """A row of the table."""
    numbers = (f"{value:.2f}" for value in (row.median, row.min, row.max))
    reach = "–" if row.reach is None else f"{row.reach:g}"
    what = f"{row.what} of {row.name}, {row.dtype}" if row.name else row.what
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
