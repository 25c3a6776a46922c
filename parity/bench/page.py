"""The report of a benchmark: a table, JSON, and each contestant's peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from parity.bench.measure import PRODUCTS, SIZES, BenchRow, bench_case, contestant
from parity.bench.others import absent
from parity.bench.profile import Part, call_microseconds, reasons
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
            "# Benchmark",
            "",
            f"Made by `{self.command}`. Ratios of step times within interleaved rounds of one process,",
            "one thread each: the median over rounds. *plain* is torch's step and the engine's in turn;",
            "*lockstep* records and links both; *certified* asks both gates about every number of both.",
            "*products* are the engine's matrix products alone, which no engine in numpy goes below.",
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
        lines = ["", "## Where the time goes", "", *PROFILE.format(call_microseconds()).splitlines(), ""]
        for size in dict.fromkeys(part.size for part in self.parts):
            lines += [f"| {size} | µs | share |", "|---|--:|--:|"]
            lines += [
                f"| {part.what} | {part.microseconds:.0f} | {100 * part.share:.0f} % |"
                for part in self.parts
                if part.size == size
            ]
            lines.append("")
        heading = "Above the figure to reach:" if missed else "Every figure was reached."
        return [*lines, heading, "", *(f"* {reason}" for reason in missed)]

    def notes(self) -> list[str]:
        """Memory, absent peers, machine."""
        named = [row for row in self.rows if row.name]
        lines = [str(every) for every in summary(named)]
        for size, peak in self.memory.items():
            shown = ", ".join(f"{name} {mib:.0f}" for name, mib in peak.items())
            lines.append(f"peak memory of {size} in MiB, imports included: {shown}")
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
    # Not getrusage on Linux: there a child starts with its parent's peak.
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    import resource

    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # others count in KiB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.stdout.write(f"{_peak(*sys.argv[1:5]):.1f}\n")
