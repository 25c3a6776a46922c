"""`parity WORDS…` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it raises ImportError, as where it is not installed
from parity.__main__ import _run
code = _run(sys.argv[1:])
imported = [name for name, module in sys.modules.items() if name.startswith("torch") and module]
sys.exit(99 if imported else code)
"""


def parity(
    *words: str | Path, folder: Path = ROOT, root: Path = ROOT, torch: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run it in `folder`, with the package of `root`; without `torch`, whoever imports it ends in 99."""
    program = ["-m", "parity"] if torch else ["-c", WITHOUT_TORCH]
    return subprocess.run(
        [sys.executable, *program, *map(str, words)],
        env=dict(os.environ, PYTHONPATH=str(root), **variables),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
