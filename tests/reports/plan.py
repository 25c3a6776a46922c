"""The plan against the plain path, on random networks over the whole vocabulary.

`python -m tests.reports.plan NETWORKS FILE.jsonl` adds networks to the file until there are so many,
one line each, and writes `reports/plan.md` from it. It may be stopped and continued at any time.
"""

from __future__ import annotations

import json
import os
import sys

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from collections.abc import Mapping, Sequence  # noqa: E402 - after the threads are set
from contextlib import nullcontext  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from parity.campaign.drawn.entries import ENTRIES  # noqa: E402
from parity.campaign.drawn.networks import REGIMES  # noqa: E402
from parity.campaign.drawn.vocabulary import case as drawn  # noqa: E402
from parity.certify.plan.tape import UnplannableError  # noqa: E402
from reference.clipping import CLIPPINGS  # noqa: E402
from tests.certify.plan.both import CHANGES, BothPaths, as_of_large_networks, changed  # noqa: E402

PAGE = Path(__file__).parents[2] / "reports" / "plan.md"
DTYPES = ("float32", "float64")
CLIPPED = 4
"""One network in so many clips its gradients."""

CHANGED = 4
"""Changes tried of each step that the plan accepts."""


def network(number: int) -> dict[str, object]:
    """What both paths say of one random network, its steps, and its steps with a number changed."""
    random = np.random.default_rng([15, number])
    entry = ENTRIES[number % len(ENTRIES)]
    regime = list(REGIMES)[number // len(ENTRIES) % len(REGIMES)]
    dtype = DTYPES[number // len(ENTRIES) // len(REGIMES) % 2]
    case = drawn(entry, int(random.integers(9)), dtype, regime, int(random.integers(2**31)))
    case = replace(case, findings=())
    if number % CLIPPED == 0:
        method = str(random.choice(list(CLIPPINGS)))
        options = {"max_norm": 0.5} if method == "norm" else {"clip_value": 1e-2}
        clipping = CLIPPINGS[method].configured(**options)
        case = replace(case, architecture=replace(case.architecture, clipping=clipping))
    found: dict[str, object] = {"name": entry.name, "kind": entry.kind, "dtype": dtype, "regime": regime}
    blocked = bool(random.integers(2))
    return {**found, "blocked": blocked, **_compared(BothPaths(case), random, blocked=blocked)}


def _compared(both: BothPaths, random: np.random.Generator, *, blocked: bool) -> dict[str, object]:
    steps = accepted = tried = let_through = 0
    wrong: list[str] = []
    for step, (known, traces) in enumerate(both.steps()):
        if step == 0:
            continue
        steps += 1
        sides = tuple(traces.values())
        shares = both.plan.shares(sides, known) if both.plan else None
        if shares is None:
            try:
                with as_of_large_networks() if blocked else nullcontext():
                    both.record(known, traces)
            except UnplannableError:
                break
            shares = both.plan.shares(sides, known)
        if shares is None:
            continue
        accepted += 1
        wrong += both.disagreements(shares, known, traces)
        for _ in range(CHANGED):
            side, name = str(random.choice(list(traces))), str(random.choice(list(sides[0])))
            change = str(random.choice(CHANGES))
            spoilt = changed(both, known, traces, side, name, change, random)
            shares = both.plan.shares(tuple(spoilt.values()), known)
            tried += 1
            if shares is not None:
                let_through += 1
                told = both.disagreements(shares, known, spoilt)
                wrong += [f"{side} {name} {change}: {line}" for line in told]
    return {
        "steps": steps,
        "accepted": accepted,
        "changes": tried,
        "let_through": let_through,
        "wrong": wrong,
    }


def page(rows: Sequence[Mapping[str, object]]) -> str:
    """The page, from one row for each network."""

    def total(key: str, chosen: Sequence[Mapping[str, object]]) -> int:
        return sum(int(str(row[key])) for row in chosen)

    wrong = [line for row in rows for line in row["wrong"]]  # type: ignore[attr-defined]
    lines = [
        "# The plan against the plain path",
        "",
        f"{len(rows):,} random networks over every activation, loss and optimizer with their options,",
        f"one in {CLIPPED} with clipping, in {len(REGIMES)} regimes and both formats. Of every step that a",
        "plan accepts, the plain path must say the same of every tensor. Of each accepted step,",
        f"{CHANGED} mechanical changes of a recorded tensor ({', '.join(CHANGES)})",
        "are given to the plan, and what it still accepts to the plain path. A number within rounding of",
        "the right one is right: both accept such a change. Half of the plans are made as for large",
        "networks, in blocks and, in float64, with products in slices.",
        "Written by `python -m tests.reports.plan`.",
        "",
        f"**{len(wrong)} disagreements.**",
        *(f"* {line}" for line in wrong[:50]),
        "",
        "| regime | format | networks | steps | accepted by the plan | changes | accepted by both |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for regime in REGIMES:
        for dtype in DTYPES:
            chosen = [row for row in rows if (row["regime"], row["dtype"]) == (regime, dtype)]
            cells = [f"{total(key, chosen):,}" for key in ("steps", "accepted", "changes", "let_through")]
            lines.append(f"| {regime} | {dtype} | {len(chosen):,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(networks: int, path: Path) -> None:
    """Add networks to the file, and write the page from all of it."""
    done = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    with path.open("a", encoding="utf-8") as file:
        for number in range(len(done), networks):
            file.write(json.dumps(network(number)) + "\n")
            file.flush()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
