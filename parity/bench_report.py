"""What a benchmark says: a table, JSON, and how much memory each contestant took at its peak."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from rich.table import Table

from parity.bench import SIZES, Row, bench_case, contestant
from parity.console import console
from parity.files import write_text
from parity.peers import absent
from parity.result import Fact

MEASURED = ("engine", "torch", "lockstep", "certified")
STEPS = 5


def publish(
    rows: Sequence[Row], facts: dict[str, Fact], path: str | None, dtype: str, activation: str
) -> None:
    """Print the table and write the JSON (`parity-bench/1`)."""
    sizes = list(dict.fromkeys(row.size for row in rows))
    memory = {size: peaks(size, dtype, activation) for size in sizes}
    if path:
        content = {
            "schema": "parity-bench/1",
            "rows": [row.to_json() for row in rows],
            "peak_memory_mib": memory,
            "absent": absent(),
            "environment": facts,
        }
        write_text(path, json.dumps(content, indent=2))
    out = console(stderr=path == "-")
    table = Table(title_justify="left")
    for column in ("size", "ratio", "median", "min", "max", "to reach", "µs a step"):
        table.add_column(column, justify="left" if column in ("size", "ratio") else "right")
    for row in rows:
        style = "green" if row.reach is None or row.median <= row.reach else "yellow"
        numbers = (f"{value:.2f}" for value in (row.median, row.min, row.max))
        reach = "–" if row.reach is None else f"{row.reach:g}"
        table.add_row(row.size, row.what, *numbers, reach, f"{row.microseconds:.0f}", style=style)
    out.print(table)
    for size, peak in memory.items():
        shown = ", ".join(f"{name} {mib:.0f}" for name, mib in peak.items())
        out.print(f"peak memory of {size} in MiB: {shown}")
    for peer, reason in absent().items():
        out.print(f"absent: {peer} ({reason})")
    named = (
        "processor",
        "cores",
        "blas",
        "blas_kernel",
        "blas_kernel_chosen_by",
        "blas_threads",
        "numpy",
        "torch",
    )
    out.print("; ".join(f"{name} {facts.get(name)}" for name in named), markup=False)


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
