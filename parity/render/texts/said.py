"""What the core says in English, into results that programs read, said again in another language.

A complaint about a tensor, the description of a case, why a subject gave no answer: each is a
sentence of the catalogue's table `said`, recognised by its English pattern. What nobody knows (a
traceback, a program's own words) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from parity.render.texts import LANGUAGES, catalogue

TABLE = "said."
NESTED = ("failure", "case", "hint")
"""Holes that are filled with sentences of their own."""


def understood(text: str) -> tuple[str, dict[str, str]] | None:
    """The key of a sentence and what its holes were filled with; None for one that nobody knows."""
    for key, pattern in _patterns():
        match = pattern.fullmatch(text.strip())
        if match:
            return key, match.groupdict()
    return None


def said(text: str, lang: str) -> str:
    """The sentence in a language."""
    found = understood(text)
    if found is None:
        return text
    key, facts = found
    return catalogue(lang)[key].format(**translated(facts, lang))


def translated(facts: Mapping[str, str], lang: str) -> dict[str, str]:
    """The fillings, those that are sentences in the language too."""
    return {name: said(value, lang) if name in NESTED else value for name, value in facts.items()}


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The catalogue's English sentences as patterns, a group for each hole."""
    english = catalogue(LANGUAGES[0])
    return tuple(
        (key, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(text)), re.DOTALL))
        for key, text in english.items()
        if key.startswith(TABLE)
    )
