"""Where a test stands: what the fixture needs to know of pytest, and nothing of pytest itself.

Imported when pytest starts: the standard library only.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from parity.report.ci.facts import Compared

GOLDENS = "goldens"
"""The folder beside a test file that holds its golden files."""

GOLDEN_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Context:
    """A test: its id and file, pytest's rootdir, the options, and where its facts go."""

    test: str
    file: Path
    root: Path
    note: Callable[[Compared], None]
    lang: str = "en"
    update: bool = False
    report: Path | None = None

    @property
    def goldens(self) -> Path:
        """The folder of this test file's golden files."""
        return self.file.parent / GOLDENS

    @property
    def command(self) -> str:
        """The command that runs this test again."""
        return shlex.join(["pytest", self.test])

    def relative(self, path: Path | None) -> str:
        """A path as it looks from the rootdir, where it lies under it."""
        if path is None:
            return ""
        full = Path(os.path.abspath(path))
        return full.relative_to(self.root).as_posix() if full.is_relative_to(self.root) else str(full)

    def report_folder(self, kind: str, number: int) -> Path | None:
        """A folder of its own for a comparison: readable, and no two tests share one."""
        if self.report is None:
            return None
        readable = re.sub(r"[^\w.=-]+", "-", self.test).strip("-.")[-80:]
        short = sha256(self.test.encode()).hexdigest()[:8]
        return self.report / f"{readable}-{short}" / f"{number}-{kind}"
