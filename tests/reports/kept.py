"""Results of a long report, a file each: a run that was ended goes on, unless the code has changed."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

ROOT = Path(__file__).parents[2]

Case = TypeVar("Case")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Kept(Generic[Case, Found]):
    """A function of a case that keeps in `folder` what it found."""

    function: Callable[[Case], Found]
    folder: Path

    def __call__(self, case: Case) -> Found:
        file = self.folder / hashlib.sha256(repr(case).encode()).hexdigest()[:24]
        if file.exists():
            kept: Found = pickle.loads(file.read_bytes())
            return kept
        found = self.function(case)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(found))
        part.replace(file)
        return found


def folder_of(name: str, *code: str) -> Path:
    """Where the results of `name` are kept while the files of `code` stay as they are."""
    digest = hashlib.sha256()
    for path in map(ROOT.joinpath, code):
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.read_bytes())
    return ROOT / "build" / name / digest.hexdigest()[:16]
