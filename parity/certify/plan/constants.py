"""Constants of a formula that differ from one replay of its plan to the next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.bounds import Bounded
from parity.bounds.number import EXACT
from parity.certify.plan.node import Values
from parity.certify.plan.recording import RecordingArray
from parity.certify.plan.tape import CallTape

COUNT = "t"
"""The count of steps, a plain number in every optimizer's rules."""


def recorded(tape: CallTape, name: str, number: object) -> object:
    """A constant as a number that records: with its bound, unless it is exact. Others as they are."""
    if isinstance(number, Bounded):
        value = _given(tape, f"value of {name}", number.value)
        bound = EXACT if number.is_exact else _given(tape, f"bound of {name}", number.bound)
        return Bounded(number.arithmetic, value, bound)  # type: ignore[arg-type]
    if name != COUNT:
        return number
    count = _given(tape, f"value of {name}", np.asarray(number, np.float64))
    count.node.number = True
    return count


def take_in(inputs: Mapping[str, Values], name: str, number: object) -> None:
    """Write a constant where a plan reads it, if it does."""
    value, bound = (inputs.get(f"{part} of {name}") for part in ("value", "bound"))
    if value is not None:
        value[...] = number.value if isinstance(number, Bounded) else number
    if bound is not None and isinstance(number, Bounded):
        bound[...] = number.bound


def _given(tape: CallTape, name: str, array: Values) -> RecordingArray:
    return RecordingArray(tape, tape.given(name, np.asarray(array), stacked=False))
