"""Options and arguments of operations as JSON values, and back."""

from __future__ import annotations

import math
from typing import TypeAlias

from pydantic import JsonValue

Plain: TypeAlias = "bool | int | float | complex | str | tuple[Plain, ...] | None"
"""A value without tensors."""


def plain(value: Plain) -> JsonValue:
    """The value as JSON: a tuple is a list; what JSON has no number for is `{"float": "inf"}`."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, complex):
        return {"complex": [plain(value.real), plain(value.imag)]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def value_of(written: JsonValue) -> Plain:
    """The inverse of `plain`. Raises ValueError for anything else."""
    if isinstance(written, list):
        return tuple(value_of(part) for part in written)
    if not isinstance(written, dict):
        return written
    ((kind, value),) = written.items() or ((None, None),)
    if kind == "float" and isinstance(value, str):
        return float(value)
    if kind == "complex" and isinstance(value, list) and len(value) == 2:
        real, imaginary = (value_of(part) for part in value)
        if isinstance(real, int | float) and isinstance(imaginary, int | float):
            return complex(real, imaginary)
    raise ValueError(f"{str(written)[:60]!r} is no value")
