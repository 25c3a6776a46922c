"""What a benchmark says: a table, JSON, and how much memory each contestant took at its peak."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from parity.bench import SIZES, Row, bench_case, contestant
from parity.console import console
from parity.peers import absent
from parity.result import Fact

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


@dataclass(frozen=True)
class Report:
    """Everything one benchmark found."""

    rows: Sequence[Row]
    memory: dict[str, dict[str, float]]
    facts: dict[str, Fact]
    command: str

    def to_json(self) -> str:
        """`parity-bench/1`."""
        content = {
            "schema": "parity-bench/1",
            "rows": [row.to_json() for row in self.rows],
            "peak_memory_mib": self.memory,
            "absent": absent(),
            "environment": self.facts,
        }
        return json.dumps(content, indent=2)

    def to_markdown(self) -> str:
        """The page to commit: how it was made, the table, the machine."""
        lines = [
            "# Benchmark",
            "",
            f"Made by `{self.command}`. Ratios of step times within interleaved rounds of one process,",
            "one thread each: the median over rounds. *plain* is torch's step and the engine's in turn;",
            "*lockstep* records and links both; *certified* asks both gates about every number of both.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---|---|--:|--:|--:|--:|--:|",
            *(f"| {' | '.join(cells(row))} |" for row in self.rows),
            "",
            *(f"* {line}" for line in self.notes()),
        ]
        return "\n".join(lines)

    def notes(self) -> list[str]:
        """Memory, absent peers, machine."""
        lines = []
        for size, peak in self.memory.items():
            shown = ", ".join(f"{name} {mib:.0f}" for name, mib in peak.items())
            lines.append(f"peak memory of {size} in MiB, imports included: {shown}")
        lines += [f"absent: {peer} ({reason})" for peer, reason in absent().items()]
        return [*lines, "; ".join(f"{name} {self.facts.get(name)}" for name in MACHINE)]

    def show(self, *, stderr: bool) -> None:
        """Print the table, and what else there is to know."""
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


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table."""
    numbers = (f"{value:.2f}" for value in (row.median, row.min, row.max))
    reach = "–" if row.reach is None else f"{row.reach:g}"
    return row.size, row.what, *numbers, reach, f"{row.microseconds:.0f}"


def peaks(size: str, dtype: str, activation: str) -> dict[str, float]:
    """Peak resident memory in MiB, each contestant in a process of its own."""
    found = {}
    for name in MEASURED:
        words = [sys.executable, "-m", "parity.bench_report", size, dtype, activation, name]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found[name] = float(done.stdout)
    return found


def _peak(size: str, dtype: str, activation: str, name: str) -> float:
    """A few steps of one contestant, and what this process took for them."""
    import resource

    step = contestant(name, bench_case(SIZES[size], dtype, activation))
    for _ in range(STEPS):
        step()
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # Linux counts in KiB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.stdout.write(f"{_peak(*sys.argv[1:5]):.1f}\n")
