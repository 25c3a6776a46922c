"""The catalogue of all texts shown to users, in English and Spanish with equal keys."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from parity.errors import UsageError

LANGUAGES = ("en", "es")


@cache
def catalogue(lang: str) -> dict[str, str]:
    """The texts of a language by dotted key. Raises UsageError for an unknown language."""
    if lang not in LANGUAGES:
        raise UsageError(f"--lang {lang}: known: {', '.join(LANGUAGES)}")
    source = resources.files(__name__).joinpath(f"{lang}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(source)
    return {f"{table}.{key}": text for table, entries in tables.items() for key, text in entries.items()}
