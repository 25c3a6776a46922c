"""What the core says to a person: the key of a text and the facts that go into it.

A complaint about a tensor, the description of a case, why a subject gave no answer: each is a text of
the catalogue's table `said`. Whoever shows it asks for it in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping

from parity.render.texts import LANGUAGES, catalogue

TABLE = "said"


class Message(str):
    """``Message("missing", name="W1") == "W1 is missing"``: a `str`, in English, for programs that read it.

    Facts are texts, or messages of their own. Raises KeyError for a key that the catalogue lacks, or a
    fact that its text asks for and that is not given.
    """

    key: str
    facts: Mapping[str, str]

    def __new__(cls, key: str, /, **facts: object) -> Message:
        held = {name: fact if isinstance(fact, Message) else str(fact) for name, fact in facts.items()}
        self = super().__new__(cls, catalogue(LANGUAGES[0])[f"{TABLE}.{key}"].format(**held))
        self.key, self.facts = key, held
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], Mapping[str, str]]:
        """How it is copied."""
        return (self.key,), self.facts

    @classmethod
    def of(cls, parts: Mapping[str, object]) -> Message:
        """What `parts` took apart. Raises KeyError where that is none."""
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
        """The facts, those that are messages in a language."""
        return {name: said(fact, lang) for name, fact in self.facts.items()}


def said(text: str, lang: str) -> str:
    """A message in a language; any other text, such as what a program printed, as it is."""
    return text.said(lang) if isinstance(text, Message) else text
