"""`python -m tests.reports.opinfo`: PyTorch's own samples of its operators, watched.

Writes `reports/opinfo.md`: of every operator, in float32 and float64, how many samples are certified
forward and backward, which operations they ran that are unsupported, and every alarm.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import torch

import parity
from parity.campaign.drawn.samples import MOST, Operator, forward_and_back, operators, samples
from tests.reports.known import told

DTYPES = (torch.float32, torch.float64)


@dataclass
class Tally:
    """What became of the samples of one operator."""

    certified: int = 0
    unsupported: int = 0
    failed: int = 0  # PyTorch itself refuses the sample
    faults: int = 0  # of our formulas
    nothing: int = 0  # no gradient reaches anything: nothing is a step
    numbers: int = 0
    undecided: int = 0
    names: Counter[str] = field(default_factory=Counter)
    alarms: list[str] = field(default_factory=list)


def watch(op: Operator, dtype: torch.dtype, tally: Tally) -> None:
    """Each sample of an operator, run forward and back with random gradients."""
    for sample in samples(op, dtype):
        outs = False
        try:
            with parity.watch() as watched:
                outs = forward_and_back(op, sample)
        except Exception as error:
            tally.failed += 1
            tally.names[
                f"{type(error).__name__} of PyTorch or of ours: {str(error).splitlines()[0][:80]}"
            ] += 1
            continue
        result = watched.result
        tally.numbers += result.numbers_compared
        tally.undecided += result.undecided
        names = {
            left.operation if left.kind == "failed" else left.operation.partition(",")[0]
            for left in result.coverage.not_certified
        }
        tally.faults += sum(left.kind == "failed" for left in result.coverage.not_certified)
        for wrong in result.wrong[:1]:
            tally.alarms.append(
                f"{wrong.operation} {wrong.check} {wrong.operand} {wrong.index}: {wrong.observed!r}, "
                f"expected {wrong.expected!r}, {wrong.ratio:.3g} of its bound; {sample.summary()[:150]}"
            )
        if result.wrong:
            continue
        if names:
            tally.unsupported += 1
            tally.names.update(names)
        elif not outs:
            tally.nothing += 1
        else:
            tally.certified += 1


def page(found: dict[tuple[str, str], Tally]) -> str:
    """The tally as Markdown."""
    whole = Tally()
    names: Counter[str] = Counter()
    for tally in found.values():
        whole.certified += tally.certified
        whole.unsupported += tally.unsupported
        whole.numbers += tally.numbers
        whole.undecided += tally.undecided
        whole.failed += tally.failed
        whole.faults += tally.faults
        names.update(tally.names)
    alarms = [(key, alarm) for key, tally in found.items() for alarm in tally.alarms]
    lines = [
        "# PyTorch's own samples, watched",
        "",
        f"Up to {MOST} samples of each differentiable operator of `torch.testing._internal`'s OpInfo, with",
        "random upstream gradients, float32 and float64. Made by `python -m tests.reports.opinfo`.",
        "",
        f"{whole.certified:,} samples certified, {whole.unsupported:,} with an unsupported operation, "
        f"{whole.failed:,} that did not run, {whole.faults:,} formulas that failed, "
        f"{len(alarms):,} alarms; {whole.numbers:,} numbers, "
        f"{whole.undecided:,} undecided ({whole.undecided / max(whole.numbers, 1):.3%}).",
        "",
        "## Alarms",
        "",
        *(f"- `{name}`, {dtype}: {told(alarm)}" for (name, dtype), alarm in alarms),
        "",
        "## Operators",
        "",
        "| operator | format | certified | unsupported | did not run | alarms | unsupported |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for (name, dtype), tally in found.items():
        missing = ", ".join(f"`{one}`" for one, _ in tally.names.most_common(3))
        lines.append(
            f"| {name} | {dtype} | {tally.certified} | {tally.unsupported} | {tally.failed} | "
            f"{len(tally.alarms)} | {missing} |"
        )
    lines += ["", "## What is unsupported, most frequent first", ""]
    lines += [f"- `{name}`: {count}" for name, count in names.most_common(80)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """All operators, or those that begin with one of the arguments."""
    warnings.simplefilter("ignore")
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    try:
        known = operators()
    except ImportError as error:
        sys.stderr.write(f"tests.reports.opinfo: PyTorch's samples cannot be imported: {error}\n")
        return 2
    for name, op in known.items():
        if arguments and not op.name.startswith(tuple(arguments)):
            continue
        for dtype in DTYPES:
            if dtype not in op.supported_dtypes("cpu"):
                continue
            tally = found[name, str(dtype).removeprefix("torch.")]
            try:
                watch(op, dtype, tally)
            except Exception as error:
                tally.failed += 1
                tally.names[f"samples: {type(error).__name__}"] += 1
            for alarm in tally.alarms:
                sys.stderr.write(f"{name} {dtype}: {alarm}\n")
    if not arguments:
        (Path("reports") / "opinfo.md").write_text(page(found), encoding="utf-8")
    else:
        sys.stdout.write(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
