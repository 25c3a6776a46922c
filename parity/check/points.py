"""What a submission has earned, formula by formula, out of a sum that is the same for everybody."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from parity.config.config import toml_complaint
from parity.errors import UsageError
from parity.lockstep.result import Result
from parity.render.texts.message import Message, unknown

RUNS = "runs"
"""Not a formula: whether the submission answered every call."""
PATH = ("affine", "activation", "output_delta", "hidden_delta")
GRADIENTS = {"weight_gradient": "weight_update", "bias_gradient": "bias_update"}
FORMULAS = ("affine", "activation", "loss", "output_delta", "hidden_delta", *GRADIENTS, *GRADIENTS.values())
ENTRIES = (RUNS, *FORMULAS)
"""What points are given for, in the order of execution."""
PRECISION = {"lower-precision", "wrong-dtype"}
"""Mistakes in the arithmetic of a formula that is right."""

State: TypeAlias = Literal["right", "precision", "through", "unclear", "wrong", "missing"]
"""Right as shown; right but for its precision; not shown, and right in what follows from it; not shown, and
possibly what is wrong there; wrong; nothing there to judge it by.
"""
EARNED: Mapping[State, bool] = {
    "right": True,
    "precision": True,
    "through": True,
    "unclear": True,
    "wrong": False,
    "missing": False,
}


@dataclass(frozen=True)
class Points:
    """What each entry is worth; without a file, one point each."""

    worth: Mapping[str, float]

    @classmethod
    def read(cls, file: Path | None) -> Points:
        """The table `[points]` of a TOML file; what it leaves out is worth one point.

        Raises UsageError for a file that cannot be read, an unknown name, and what is no number from 0.
        """
        worth = dict.fromkeys(ENTRIES, 1.0)
        if file is None:
            return cls(worth)
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(Message("file_failed", file=file, reason=error)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(Message("not_toml", file=file, reason=toml_complaint(error, file))) from None
        for key in content:
            if key != "points":
                raise unknown(str(file), key, ["points"])
        given = content.get("points")
        if not isinstance(given, dict):
            raise UsageError(Message("points_missing", file=file))
        for name, value in given.items():
            if name not in ENTRIES:
                raise unknown(f"{file}: points", name, ENTRIES)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
                raise UsageError(Message("points_number", file=file, name=name, value=repr(value)))
            worth[name] = float(value)
        if not any(worth.values()):
            raise UsageError(Message("points_worthless", file=file))
        return cls(worth)

    @property
    def total(self) -> float:
        return sum(self.worth.values())

    def earned(self, states: Mapping[str, State]) -> float:
        """The points of a submission."""
        return sum(self.of(name, states) for name in ENTRIES)

    def of(self, name: str, states: Mapping[str, State]) -> float:
        """The points of a submission for one entry."""
        return self.worth[name] if EARNED[states[name]] else 0.0


def states(result: Result | None) -> dict[str, State]:
    """The state of each entry of ENTRIES; of a submission without a verdict (None) all are missing."""
    if result is None:
        return dict.fromkeys(ENTRIES, "missing")
    judged = {row.formula for row in result.formulas}
    found: dict[str, State] = {name: _unshown(name, judged) for name in ENTRIES}
    found |= dict.fromkeys(judged & found.keys(), "right")
    found[RUNS] = "wrong" if result.reason else "right"
    failed = {row.formula for row in result.formulas if row.verdict == "different-formula"}
    accused = {wrong.formula: wrong for wrong in result.wrong_formulas}
    found |= dict.fromkeys(failed & found.keys(), "wrong")
    for name, wrong in accused.items():
        precise = wrong.diagnosis is not None and wrong.diagnosis.mistake in PRECISION
        found[name] = "precision" if precise else "wrong"
        found |= {other: "unclear" for other in wrong.may_be if other not in accused.keys() | judged}
    return found


def _unshown(name: str, judged: set[str]) -> State:
    """Of a formula that is not shown: whether something shown follows from it."""
    if name in PATH:
        after = {*PATH[PATH.index(name) + 1 :], *GRADIENTS, *GRADIENTS.values()}
    else:
        after = {GRADIENTS[name]} if name in GRADIENTS else set()
    return "through" if after & judged else "missing"
