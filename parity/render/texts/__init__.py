"""The catalogue of all texts shown to users, in English and Spanish with equal keys."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from parity.errors import UsageError

LANGUAGES = ("en", "es")
PARTS = ("", "errors.", "help.")
"""The catalogue's files: what is shown, what is refused, what `--help` says."""


@cache
def catalogue(lang: str) -> dict[str, str]:
    """The texts of a language by dotted key. Raises UsageError for an unknown language."""
    if lang not in LANGUAGES:
        raise UsageError(f"--lang {lang}: {' | '.join(LANGUAGES)}")
    found: dict[str, str] = {}
    for part in PARTS:
        source = resources.files(__name__).joinpath(f"{part}{lang}.toml").read_text(encoding="utf-8")
        for table, entries in tomllib.loads(source).items():
            found |= {f"{table}.{key}": text for key, text in entries.items()}
    return found
