"""`--parity-report`: each comparison's result in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from parity.errors import UsageError
from parity.pytest_plugin.context import Context
from parity.render.files import write_text


class Found(Protocol):
    """A result of any kind."""

    def to_json(self) -> str: ...


def keep(place: Context, kind: str, number: int, found: Found) -> Path | None:
    """Write `result.json`, if a report was asked for; the path of the folder."""
    folder = place.report_folder(kind, number)
    if folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--parity-report {folder}: {error.strerror}") from None
        write_text(str(folder / "result.json"), found.to_json())
    return folder
