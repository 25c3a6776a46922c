"""`python -m tests.reports.deviations`: run every finding's script and write reports/findings.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from parity.pytorch.deviations import DEVIATIONS, Deviation
from parity.render.files import write_text

TITLES = {
    "numbers": "In PyTorch's numbers",
    "operations": "In operations that watched programs run",
    "compiled": "In what `torch.compile` makes",
    "documentation": "In PyTorch's documentation",
}
HEAD = """# Findings

Where PyTorch's numbers do not satisfy its own formula, beyond what rounding explains; found by certificates
over random networks and over special values (±0, subnormals, thresholds and their neighbours, the largest
numbers, ±∞). None is hidden by a wider bound: a run that meets one says `mismatch` on the torch side, and
`parity run --accept NAME` admits what PyTorch computes instead, and says so in its result. `parity watch`
says `mismatch` too, or `undecided` where it is an intermediate result that overflows. Written by
`python -m tests.reports.deviations`, which runs each script (torch {version}, CPU).
"""


def observed(finding: Deviation) -> str:
    """What a finding's script prints. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-c", finding.script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def page() -> str:
    """The whole page, with every script run now."""
    from importlib.metadata import version

    parts = [HEAD.format(version=version("torch").partition("+")[0])]
    for kind, title in TITLES.items():
        parts.append(f"\n## {title}\n")
        for finding in DEVIATIONS.values():
            if finding.kind == kind:
                parts.append(entry(finding))
    return "".join(parts)


def entry(finding: Deviation) -> str:
    """A finding's section, with its script run now."""
    return (
        f"\n### `{finding.name}`\n\n{finding.where}.\n\n"
        f"| documented | computed |\n|---|---|\n| {finding.documented} | {finding.computed} |\n\n"
        f"```python\n{finding.script}```\n\n```\n{observed(finding)}\n```\n"
    )


if __name__ == "__main__":
    write_text(str(Path(__file__).parents[2] / "reports" / "findings.md"), page())
