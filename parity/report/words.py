"""What the page says, in every language at once: the reader's switch shows one and hides the other.

A text is plain; the values put into it are escaped unless they are markup already. So a file name or
a traceback stays what it is, a text.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from parity.report.numbers import percent, prose
from parity.texts import LANGUAGES, catalogue


class Share(float):
    """A number to be written as a percentage."""


def say(key: str, /, **values: object) -> Markup:
    """The text of a key in both languages: `<span lang="en">…</span><span lang="es">…</span>`.

    Numbers are written as the language writes them. Where both languages say the same, it is said once.
    """
    texts = {lang: one(key, lang, **values) for lang in LANGUAGES}
    if len(set(texts.values())) == 1:
        return texts[LANGUAGES[0]]
    return Markup("").join(
        Markup('<span lang="{}">{}</span>').format(lang, text) for lang, text in texts.items()
    )


def one(key: str, lang: str, /, **values: object) -> Markup:
    """The text of a key in one language."""
    return Markup(escape(catalogue(lang)[key])).format(
        **{name: _written(value, lang) for name, value in values.items()}
    )


def has(key: str) -> bool:
    """Whether the catalogues have a text for a key."""
    return key in catalogue(LANGUAGES[0])


def _written(value: object, lang: str) -> object:
    if isinstance(value, Share):
        return percent(value, lang)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return prose(value, lang)
    return value
