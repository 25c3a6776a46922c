"""`python -m tests.reports.lockstep [STEPS]`: two models of today's kinds, trained by PyTorch and by numpy.

A convolutional network on the digits and a transformer on the characters of the sonnets, as
`parity run --model` takes them, in float32 and float64; 200 steps each, both gates after every one.
Writes `reports/lockstep.md`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE = "tests/reports/lockstep_models.py"
RUNS = {
    "Digits": ("digits", "0.005"),
    "digits64": ("digits", "0.005"),
    "Characters": ("sonnets", "0.003"),
    "characters64": ("sonnets", "0.003"),
}
"""By factory: the data, and AdamW's η."""

HEAD = """# Lockstep: a convolutional network and a transformer

PyTorch trains a model of somebody's, and the reference trains the graph that one recorded step of it shows,
from the same bits, in numpy. After every step both gates are asked: every formula of each side on its own
numbers, and all numbers of both sides within one common bound. The models are in
`tests/reports/lockstep_models.py`: two batch norms, three convolutions, a residual and a pooling on the
digits; two layers of causal attention over 16 characters of the sonnets. AdamW, batches of 32, cross
entropy. Made by `python -m tests.reports.lockstep`.
"""

FOOT = """
The **accuracy** is each side's own: the numpy side runs the graph that the model shows in evaluation, with
running statistics, on its own parameters and statistics. A character's classes are the 34 characters that
occur; windows overlap, so what is held back are characters, not poems.

The second gate carries a worst case through the whole step. In float32 it grows by a factor of about ten
for each half of a transformer's layer, and says nothing where it reaches the size of the numbers: those are
undecided, and counted here. In float64 there is room enough. The first gate, which decides whether a
formula holds, does not depend on depth.

Of AdamW's updates some stay undecided where a gradient is smaller than its bound: its sign is then unknown,
and m/√v with it. A bias before a batch norm is such a parameter throughout, since its gradient is zero but
for rounding; AdamW makes steps of ±η of it, each side its own. Whatever follows then begins a step from
parameters that differ by as much, and is undecided. These models have no such bias, as is usual.
"""


def run(factory: str, steps: int) -> dict[str, Any]:
    """The result of `parity run --model` on one of the models."""
    data, lr = RUNS[factory]
    words = ["run", "--model", f"{FILE}:{factory}", "--data", data, "--loss", "cross_entropy"]
    words += ["--optimizer", "adamw", "--lr", lr, "--batch", "32", "--steps", str(steps), "--json", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "parity", *words], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(factory: str, found: dict[str, Any]) -> str:
    """One run as a row of the table."""
    told = {}
    for gate in ("formulas", "side_by_side"):
        numbers = sum(one["numbers"] for one in found[gate])
        told[gate] = f"{numbers:,} | {sum(one['undecided'] for one in found[gate]) / numbers:.3%}"
    losses = "; ".join(f"{first:.4g} → {last:.4g}" for first, last in found["loss"].values())
    shares = " | ".join(
        f"{found['accuracy_in_training'][side]:.1%}, {found['accuracy'][side]:.1%}"
        for side in ("reference", "torch")
    )
    words = [found["verdict"], str(found["steps"]), told["formulas"], told["side_by_side"], losses, shares]
    return f"| `{factory}` | {' | '.join(words)} |"


def page(rows: list[str]) -> str:
    """The whole page."""
    columns = (
        "model", "verdict", "steps", "numbers, first gate", "undecided", "numbers, second gate",
        "undecided", "loss, numpy; PyTorch", "accuracy, numpy: training, held back", "accuracy, PyTorch",
    )  # fmt: skip
    table = [f"| {' | '.join(columns)} |", "|---|---|" + "--:|" * 5 + "---|---|---|", *rows]
    return HEAD + "\n" + "\n".join(table) + "\n" + FOOT


def main(arguments: list[str]) -> int:
    """All models."""
    steps = int((*arguments, "200")[0])
    rows = [row(factory, run(factory, steps)) for factory in RUNS]
    (Path("reports") / "lockstep.md").write_text(page(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
