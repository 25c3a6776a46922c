"""What a campaign asks, and what it is told: `CampaignCase`, `CampaignAnswer` and `Alarm`."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from parity.config.config import toml_complaint
from parity.errors import UsageError
from parity.render.texts.message import Message

Kind: TypeAlias = Literal["activations", "losses", "optimizers", "operations", "networks", "watch"]
Side: TypeAlias = Literal["reference", "pytorch", "verifier"]
Verdict: TypeAlias = Literal["match", "mismatch", "undecided"]
Value: TypeAlias = bool | int | float | str | list["Value"]
"""What an option of a case may be, as TOML has it."""

KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS = ("float32", "float64", "float16", "bfloat16")
LARGEST = 2**24
"""Of each of a shape's numbers: what nobody's memory holds is no case."""

TYPES: Mapping[str, type] = {
    "kind": str,
    "name": str,
    "format": str,
    "regime": str,
    "shape": list,
    "seed": int,
    "options": dict,
}
"""Every key of a case's TOML."""

WITHIN: Mapping[str, tuple[str, ...]] = {"kind": KINDS, "format": FORMATS}


@dataclass(frozen=True)
class CampaignCase:
    """One thing to try: `name` of a `kind`, in a number format, on numbers of a regime, of a shape.

    The seed draws every number; the same case asks the same question on every machine.
    """

    kind: Kind
    name: str
    format: str
    regime: str
    shape: tuple[int, ...] = ()
    options: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0

    def to_toml(self) -> str:
        """The canonical text: all keys, in their order; options in alphabetical order."""
        facts = {**{name: getattr(self, name) for name in TYPES}, "shape": list(self.shape)}
        options = facts.pop("options")
        lines = [f"{key} = {_toml(value)}" for key, value in facts.items()]
        lines += ["[options]", *(f"{json.dumps(key)} = {_toml(options[key])}" for key in sorted(options))]
        return "\n".join(lines) + "\n"

    @property
    def digest(self) -> str:
        """The name of the case: the first 16 hexadecimal digits of the SHA-256 of its text."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()[:16]

    @classmethod
    def read(cls, source: str | Path) -> CampaignCase:
        """The case of a TOML text, or of a file that holds one. Raises UsageError."""
        where, text = "case", source
        if isinstance(source, Path):
            where = str(source)
            try:
                text = source.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(Message("file_failed", file=where, reason=error)) from None
        try:
            table = tomllib.loads(str(text))
        except RecursionError as error:
            raise UsageError(Message("not_toml", file=where, reason=error)) from None
        except tomllib.TOMLDecodeError as error:
            reason = toml_complaint(error, source) if isinstance(source, Path) else error
            raise UsageError(Message("not_toml", file=where, reason=reason)) from None
        for key in table.keys() ^ TYPES.keys():
            raise UsageError(
                Message("case_unknown" if key in table else "case_missing", case=where, key=key)
            )
        for key, kind in TYPES.items():
            value = table[key]
            if (
                type(value) is not kind
                or value not in WITHIN.get(key, (value,))
                or not _sensible(key, value)
            ):
                raise UsageError(Message("case_value", case=where, key=key, value=_short(value)))
        return cls(**{**table, "shape": tuple(table["shape"])})


@dataclass(frozen=True)
class Alarm:
    """A number outside its bound, or an error of ours (side `verifier`: a message alone)."""

    side: Side
    formula: str
    operation: str
    tensor: str
    index: tuple[int, ...] | None
    found: float | None
    expected: float | None
    bound: float | None
    message: str
    finding: str | None


@dataclass(frozen=True)
class CampaignAnswer:
    """What came of a case. `worst_share` is the largest share of its bound that a number used.

    `skipped` says why nothing could be asked, where that is so.
    """

    digest: str
    kind: Kind
    name: str
    format: str
    regime: str
    verdict: Verdict
    numbers: int
    undecided: int
    worst_share: float
    worst_where: str
    alarms: tuple[Alarm, ...]
    seconds: float
    skipped: str | None

    def to_json(self) -> str:
        """One line; its inverse is `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CampaignAnswer:
        """The answer that `to_json` wrote. Raises ValueError, KeyError or TypeError for another text."""
        facts = json.loads(text)
        alarms = (
            Alarm(**{**alarm, "index": None if alarm["index"] is None else tuple(alarm["index"])})
            for alarm in facts.pop("alarms")
        )
        return cls(**facts, alarms=tuple(alarms))


def _sensible(key: str, value: object) -> bool:
    """Whether a value of the right type can be drawn at all."""
    if isinstance(value, list) and key == "shape":
        return all(type(n) is int and 0 <= n <= LARGEST for n in value)
    if isinstance(value, dict):
        return all(isinstance(option, (bool, int, float, str, list)) for option in value.values())
    return key != "seed" or (isinstance(value, int) and value >= 0)


def _toml(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # nan, inf, -inf
    return json.dumps(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
