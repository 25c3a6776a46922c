"""Translatable messages: the key of a text and the facts that are inserted in it.

Messages are complaints about tensors, descriptions of cases, reasons for a missing answer, errors of the
caller. Their texts are in the catalogue's table `said`; the code that shows one translates it to the
reader's language. What is raised below this floor has its English text for a key.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from parity.errors import UsageError
from parity.render.texts import LANGUAGES, catalogue

TABLE = "said"


class Message(str):
    """A message: a `str` with the English text, ``Message("missing", name="W1") == "W1 is missing"``.

    Facts are texts, messages, or errors, which tell their message. Raises KeyError for an unknown key
    or a missing fact.
    """

    key: str
    facts: Mapping[str, str]

    def __new__(cls, key: str, /, **facts: object) -> Message:
        held = {name: _told(fact) for name, fact in facts.items()}
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

    @classmethod
    def about(cls, error: Exception) -> Message:
        """What an error tells: its message, or its text as it is."""
        told = _told(error)
        return told if isinstance(told, cls) else cls("own_words", failure=told)

    @classmethod
    def known(cls, text: str, facts: Mapping[str, object]) -> Message | None:
        """The message whose key is this English text, if there is one with these facts."""
        wanted = f"{TABLE}.{text}"
        try:
            return cls(text, **facts) if wanted in catalogue(LANGUAGES[0]) else None
        except (KeyError, TypeError):
            return None

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


def _told(fact: object) -> str | Message:
    """A fact as it is kept: of an error its message, or what the operating system says."""
    if isinstance(fact, Message) or not isinstance(fact, Exception):
        return fact if isinstance(fact, Message) else str(fact)
    if fact.args and isinstance(fact.args[0], Message):
        return fact.args[0]
    if isinstance(fact, OSError) and fact.errno is not None:
        name = f"errno_{errno.errorcode.get(fact.errno, '')}"
        return Message.known(name, {}) or fact.strerror or str(fact)
    text, facts = getattr(fact, "text", None), getattr(fact, "facts", None)
    known = Message.known(text, facts) if isinstance(text, str) and isinstance(facts, dict) else None
    return known or str(fact)


def unknown(what: str, name: object, known: Iterable[str]) -> UsageError:
    """The error for a name that is none of the known ones: the nearest of them, and all.

    unknown("activation", "tahn", ["relu", "tanh"]) says:
    activation: unknown 'tahn'; did you mean 'tanh'? Known: relu, tanh
    """
    known = list(known)
    small = {one.lower(): one for one in reversed(known)}
    near = get_close_matches(str(name).lower(), small, 1)  # relu is nearer to ReLU than to PReLU
    listed = ", ".join(known)
    if near:
        found = repr(small[near[0]])
        return UsageError(Message("unknown_near", what=what, name=repr(name), near=found, known=listed))
    return UsageError(Message("unknown", what=what, name=repr(name), known=listed))


def joined(messages: Iterable[str]) -> str:
    """Several messages as one, with semicolons between them; no message is an empty text."""
    first, *rest = messages
    for other in rest:
        first = Message("and_also", first=first, other=other)
    return first


def said(text: str, lang: str) -> str:
    """A message in a language; any other text, such as a program's output, unchanged."""
    return text.said(lang) if isinstance(text, Message) else text
