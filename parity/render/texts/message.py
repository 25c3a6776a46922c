"""Translatable messages: the key of a text and the facts that are inserted in it.

Messages are complaints about tensors, descriptions of cases, reasons for a missing answer. Their texts
are in the catalogue's table `said`; the code that shows one translates it to the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping

from parity.render.texts import LANGUAGES, catalogue

TABLE = "said"


class Message(str):
    """A message: a `str` with the English text, ``Message("missing", name="W1") == "W1 is missing"``.

    Facts are texts or messages. Raises KeyError for an unknown key or a missing fact.
    """

    key: str
    facts: Mapping[str, str]

    def __new__(cls, key: str, /, **facts: object) -> Message:
        held = {name: fact if isinstance(fact, Message) else str(fact) for name, fact in facts.items()}
        self = super().__new__(cls, catalogue(LANGUAGES[0])[f"{TABLE}.{key}"].format(**held))
        self.key, self.facts = key, held
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], Mapping[str, str]]:
        """The arguments for copying and pickling."""
        return (self.key,), self.facts

    @classmethod
    def of(cls, parts: Mapping[str, object]) -> Message:
        """The inverse of `parts`. Raises KeyError if `parts` does not describe a message."""
        facts = dict(parts)
        key = str(facts.pop("message"))
        return cls(
            key, **{n: cls.of(fact) if isinstance(fact, dict) else fact for n, fact in facts.items()}
        )

    def parts(self) -> dict[str, object]:
        """Key and facts, for JSON."""
        facts = {n: fact.parts() if isinstance(fact, Message) else fact for n, fact in self.facts.items()}
        return {"message": self.key, **facts}

    def said(self, lang: str) -> str:
        """The text in a language."""
        return catalogue(lang)[f"{TABLE}.{self.key}"].format(**self.facts_said(lang))

    def facts_said(self, lang: str) -> dict[str, str]:
        """The facts, with messages translated to a language."""
        return {name: said(fact, lang) for name, fact in self.facts.items()}


def said(text: str, lang: str) -> str:
    """A message in a language; any other text, such as a program's output, unchanged."""
    return text.said(lang) if isinstance(text, Message) else text
