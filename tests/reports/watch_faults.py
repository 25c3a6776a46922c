"""`python -m tests.reports.watch_faults`: faults planted into real execution, all of them.

Writes `reports/watch-faults.md`: the vector-Jacobian product of every kind of node of every model of
the zoo times 1 + 1e-5, and the wrong formulas of `tests/watch/structural.py`.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path

from tests.pytorch.recorder.models import MODELS
from tests.watch.faults import LITTLE, gradients, kernel, kinds, steps
from tests.watch.structural import STRUCTURAL


def products() -> tuple[Counter[str], list[str]]:
    """Each node's product, a little too large: how many are told, and each that is not told alone."""
    count: Counter[str] = Counter()
    notes: list[str] = []
    for model in MODELS:
        clean, _ = steps(model)
        resolution = {(row.operation, row.check): row.resolution for row in clean.rows}
        for node in kinds(model):
            place = _place(model, node)
            if place is None:
                count["no formula"] += 1
                continue
            found, ran = steps(model, gradients(node, LITTLE))
            accused = {(wrong.operation, wrong.check) for wrong in found.wrong}
            count["planted"] += bool(ran)
            count["told"] += bool(accused)
            count["told alone"] += accused == {place}
            if accused - {place}:
                notes.append(f"{model}, {node}: {sorted(accused - {place})} accused beside it")
            if not accused:
                seen = resolution.get(place, 0.0)
                below = "below" if seen > LITTLE - 1 else "ABOVE"
                notes.append(f"{model}, {node}: not told; {below} the printed resolution, {seen:.2g}")
    return count, notes


def _place(model: str, node: str) -> tuple[str, str] | None:
    """The row that is wrong where a node's product is half as large again."""
    found, _ = steps(model, gradients(node, 1.5))
    accused = {(wrong.operation, wrong.check) for wrong in found.wrong}
    return accused.pop() if len(accused) == 1 else None


def structural() -> tuple[Counter[str], list[str]]:
    """The same of the wrong formulas."""
    count: Counter[str] = Counter()
    rows: list[str] = []
    for fault in STRUCTURAL:
        found, _ = steps(fault.model, kernel(fault.kernel, fault.wrong, back=fault.check == "vjp"))
        accused = {(wrong.operation, wrong.check) for wrong in found.wrong}
        alone = accused == {(fault.row, fault.check)}
        count["planted"] += 1
        count["told"] += bool(accused)
        count["told alone"] += alone
        worst = max((wrong.ratio for wrong in found.wrong), default=0.0)
        where = "alone" if alone else str(sorted(accused))
        rows.append(f"| {fault.name} | {fault.model} | `{fault.kernel}` | {worst:.3g} | {where} |")
    return count, rows


def main() -> int:
    """Plant all of them."""
    warnings.simplefilter("ignore")
    little, notes = products()
    formulas, rows = structural()
    lines = [
        "# Faults planted in real execution",
        "",
        "Kernels and gradients of PyTorch are replaced while the zoo's models run; what follows computes",
        "on with the wrong numbers. Made by `python -m tests.reports.watch_faults`.",
        "",
        "| fault | planted | told | in its own row, alone |",
        "|---|--:|--:|--:|",
        "| a node's product × (1 + 1e-5) | "
        f"{little['planted']} | {little['told']} | {little['told alone']} |",
        f"| a wrong formula | {formulas['planted']} | {formulas['told']} | {formulas['told alone']} |",
        "",
        f"{little['no formula']} kinds of nodes have no row of their own: what is unsupported, and what",
        "only hands on where it came from.",
        "",
        *(f"- {note}" for note in notes),
        "",
        "| wrong formula | model | kernel | times its bound | accused |",
        "|---|---|---|--:|---|",
        *rows,
    ]
    (Path("reports") / "watch-faults.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
