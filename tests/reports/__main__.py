"""`python -m tests.reports`: make the committed reports again.

Pages are made from the recordings in `reports/recordings`, so they are the same bytes on every
machine. `--fresh` makes the recordings again first, by training with PyTorch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from parity.errors import UsageError
from tests.reports.exhibits import EXHIBITS, record, render


def main(arguments: list[str]) -> int:
    """0 when all reports were written, 2 for a question that is wrong."""
    folders = [argument for argument in arguments if not argument.startswith("-")]
    unknown = [argument for argument in arguments if argument.startswith("-") and argument != "--fresh"]
    if unknown or len(folders) > 1:
        sys.stderr.write("tests.reports: usage: python -m tests.reports [--fresh] [reports]\n")
        return 2
    folder = Path(folders[0] if folders else "reports")
    try:
        if "--fresh" in arguments:
            for exhibit in EXHIBITS:
                record(exhibit, folder)
        render(folder)
    except UsageError as error:
        sys.stderr.write(f"tests.reports: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
