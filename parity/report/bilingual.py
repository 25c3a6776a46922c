"""What the page says, in every language at once: the reader's switch shows one and hides the other.

A text is plain; the values put into it are escaped unless they are markup already. So a file name or
a traceback stays what it is, a text.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

from parity.render.numbers import code, local, percent, prose
from parity.render.texts import LANGUAGES, catalogue
from parity.render.texts.formulas import formula_name
from parity.render.texts.message import TABLE, Message


class Share(float):
    """A number to be written as a percentage."""


class Precise(float):
    """A number to be written with nine digits, as a program shows a float32."""


def say(key: str, /, **values: object) -> Markup:
    """The text of a key in both languages: `<span lang="en">…</span><span lang="es">…</span>`.

    Numbers are written as the language writes them; those of tables and formulas, which stand there
    once, get its decimal sign by the page's script. Where both languages say the same, it is said once.
    """
    return bilingual({lang: one(key, lang, **values) for lang in LANGUAGES})


def one(key: str, lang: str, /, **values: object) -> Markup:
    """The text of a key in one language."""
    return Markup(escape(catalogue(lang)[key])).format(
        **{name: _written(value, lang) for name, value in values.items()}
    )


def say_again(text: str) -> Markup:
    """A message of the core in every language; any other text as a foreign one."""
    if not isinstance(text, Message):
        return Markup("<code>{}</code>").format(text)
    return bilingual(
        {lang: one(f"{TABLE}.{text.key}", lang, **text.facts_said(lang)) for lang in LANGUAGES}
    )


def bilingual(texts: Mapping[str, Markup]) -> Markup:
    """One text in each language; said once where all are the same."""
    if len(set(texts.values())) == 1:
        return texts[LANGUAGES[0]]
    return Markup("").join(
        Markup('<span lang="{}">{}</span>').format(lang, text) for lang, text in texts.items()
    )


def coded(line: str) -> Markup:
    """A line of which what stands between backticks is code."""
    parts = line.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else Markup(escape(part))
        for i, part in enumerate(parts)
    )


def formula_title(name: str) -> Markup:
    """A formula's name in words."""
    return bilingual({lang: Markup(escape(formula_name(name, lang))) for lang in LANGUAGES})


def mistake_title(ids: str) -> Markup:
    """Mistakes by their ids, `all-zero+transposed`; in words where the language is not that of the ids."""
    names = (
        say(f"mistake_name.{one}") if has(f"mistake_name.{one}") else Markup("<code>{}</code>").format(one)
        for one in ids.split("+")
    )
    return Markup(" + ").join(names)


def side_name(name: str) -> Markup:
    """A side in words; `golden/torch` is the golden's."""
    of, _, base = name.rpartition("/")
    if not has(f"page.side_{base}"):
        return Markup(escape(name))
    if of != "golden":
        return say(f"page.side_{base}")
    return bilingual(
        {lang: one("page.side_golden", lang, side=one(f"page.side_{base}", lang)) for lang in LANGUAGES}
    )


def has(key: str) -> bool:
    """Whether the catalogues have a text for a key."""
    return key in catalogue(LANGUAGES[0])


def _written(value: object, lang: str) -> object:
    if isinstance(value, Share):
        return percent(value, lang)
    if isinstance(value, Precise):
        return Markup("<code>{}</code>").format(local(code(value, 9), catalogue(lang)))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return prose(value, lang)
    if isinstance(value, float):
        return Markup("<code>{}</code>").format(local(code(value, 3), catalogue(lang)))
    return value
