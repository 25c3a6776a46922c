"""What a test compared, as facts that travel: in user_properties, to JUnit's XML and xdist's controller.

Imported when pytest starts: the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

PROPERTY = "parity"


@dataclass(frozen=True)
class RootCause:
    """A formula that is wrong in itself: where, and the mistake's name where one is known.

    `file` and `line` are where it is likely computed, if that is known.
    """

    formula: str
    layers: tuple[int, ...]
    slide: int
    side: str
    mistake: str = ""
    detail: str = ""
    file: str = ""
    line: int = 0

    def title(self, say: Mapping[str, str]) -> str:
        """`hidden_delta, layer 1: no-transpose`, in the language of a catalogue."""
        layers = ", ".join(map(str, self.layers))
        where = say["ci.layers" if len(self.layers) > 1 else "ci.layer"].format(layers=layers)
        text = f"{self.formula}, {where}" if layers else self.formula
        named = "+".join(say.get(f"mistake_name.{one}", one) for one in self.mistake.split("+"))
        return f"{text}: {named}" if self.mistake else text


@dataclass(frozen=True)
class Compared:
    """One comparison: of what kind, of whom, and what came of it. Paths start from pytest's rootdir."""

    kind: str
    subject: str
    verdict: str
    numbers: int = 0
    undecided: int = 0
    roots: tuple[RootCause, ...] = ()
    reason: str = ""
    reproduce: str = ""
    file: str = ""
    line: int = 0
    golden: str = ""
    updated: tuple[str, ...] = ()
    report: str = ""

    @property
    def decided(self) -> int:
        """How many numbers were held against a bound that could tell."""
        return self.numbers - self.undecided

    def to_json(self) -> str:
        """Compact, without what is empty."""
        facts = {k: v for k, v in asdict(self).items() if v or k == "numbers"}
        for root in facts.get("roots", ()):
            for place in ("file", "line"):
                if not root[place]:
                    del root[place]
        return json.dumps(facts, ensure_ascii=False)


def from_properties(properties: Iterable[tuple[str, object]]) -> list[Compared]:
    """The comparisons among a report's user_properties, in order."""
    found = [_compared(str(value)) for name, value in properties if name == PROPERTY]
    return [compared for compared in found if compared]


def _compared(text: str) -> Compared | None:
    """None for a property of somebody else who likes the name."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or "kind" not in found:
        return None
    roots = tuple(RootCause(**{**root, "layers": tuple(root["layers"])}) for root in found.pop("roots", ()))
    updated = tuple(found.pop("updated", ()))
    known = {f.name for f in fields(Compared)}
    return Compared(**{k: v for k, v in found.items() if k in known}, roots=roots, updated=updated)
