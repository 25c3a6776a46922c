"""`python -m tests.reports.watch_campaign FIRST LAST [SIZE]`: random models under watch, seed by seed.

Each seed is run in float32 and float64, with one thread and with two, for two steps. Lines of JSON go
to `reports/recordings/watch-campaign.jsonl.xz`; a seed that is there already is not run again. Without
arguments the page `reports/watch-campaign.md` is made of them.
"""

from __future__ import annotations

import json
import lzma
import sys
import warnings
from pathlib import Path

import torch

import parity
from parity.campaign.drawn.models import drawn
from tests.reports.known import finding, told

BOOK = Path("reports") / "recordings" / "watch-campaign.jsonl.xz"
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def once(seed: int, dtype: str, threads: int, size: int) -> dict[str, object]:
    """One run: two steps of the model of a seed."""
    torch.set_num_threads(threads)
    model = drawn(seed, DTYPES[dtype], size)
    x, y = model.batch
    with parity.watch(model.module, optimizer=model.optimizer) as watched:
        for _ in range(2):
            model.optimizer.zero_grad()
            model.loss(model.module(x), y).backward()
            model.optimizer.step()
    result = watched.result
    return {
        "seed": seed,
        "dtype": dtype,
        "threads": threads,
        "size": size,
        "verdict": result.verdict,
        "numbers": result.numbers_compared,
        "undecided": result.undecided,
        "worst": max((row.worst_ratio for row in result.rows if row.worst_ratio <= 1), default=0.0),
        "wrong": sorted({f"{w.operation} {w.check} {w.operand} {w.ratio:.3g}" for w in result.wrong}),
        "left": sorted({left.operation for left in result.coverage.not_certified}),
        "operations": sorted({row.operation for row in result.rows}),
    }


def page(rows: list[dict[str, object]]) -> str:
    """What all runs come to."""
    numbers = sum(int(row["numbers"]) for row in rows)
    undecided = sum(int(row["undecided"]) for row in rows)
    alarms = [row for row in rows if row["wrong"]]
    complete = sum(not row["left"] for row in rows)
    seen = sorted({name for row in rows for name in row["operations"]})
    lines = [
        "# Random models, watched",
        "",
        "Graphs drawn of the table's operations, two steps each.",
        "Made by `python -m tests.reports.watch_campaign`.",
        "",
        f"{len(rows):,} runs, {complete:,} of them complete; {numbers:,} numbers, {undecided:,} undecided "
        f"({undecided / max(numbers, 1):.4%}), {len(alarms)} with an alarm, "
        f"{sum(not all(map(finding, row['wrong'])) for row in alarms)} with one that is no finding.",
        "",
        "| format | threads | runs | complete | numbers | undecided | alarms | worst share |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for key in sorted({(row["dtype"], row["threads"]) for row in rows}):
        these = [row for row in rows if (row["dtype"], row["threads"]) == key]
        lines.append(
            f"| {key[0]} | {key[1]} | {len(these):,} | {sum(not row['left'] for row in these):,} | "
            f"{sum(int(row['numbers']) for row in these):,} | "
            f"{sum(int(row['undecided']) for row in these):,} | "
            f"{sum(bool(row['wrong']) for row in these)} | "
            f"{max(float(row['worst']) for row in these):.4f} |"
        )
    lines += ["", f"Operations that ran: {', '.join(f'`{name}`' for name in seen)}.", ""]
    lines += [
        f"- seed {row['seed']}, {row['dtype']}, {row['threads']} threads: {told(alarm)}"
        for row in alarms
        for alarm in row["wrong"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Seeds from FIRST up to, and without, LAST."""
    warnings.simplefilter("ignore")
    BOOK.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    if BOOK.exists():
        with lzma.open(BOOK, "rt", encoding="utf-8") as book:
            rows = [json.loads(line) for line in book]
    done = {(row["seed"], row["dtype"], row["threads"], row["size"]) for row in rows}
    if not arguments:
        (Path("reports") / "watch-campaign.md").write_text(page(rows), encoding="utf-8")
        return 0
    first, last, size = int(arguments[0]), int(arguments[1]), int((*arguments, "1", "1")[2])
    for seed in range(first, last):
        for dtype in DTYPES:
            threads = 1 + (seed + (dtype == "float64")) % 2
            if (seed, dtype, threads, size) not in done:
                line = json.dumps(once(seed, dtype, threads, size)) + "\n"
                with lzma.open(BOOK, "at", encoding="utf-8") as book:  # whole, whatever happens next
                    book.write(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
