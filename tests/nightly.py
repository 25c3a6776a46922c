"""What of a long matrix the default run keeps; the rest is marked `nightly`, and runs by `.ci/nightly`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import product

import pytest

NIGHTLY = pytest.mark.nightly


def but(kept: Collection[object], values: Iterable[object]) -> list[object]:
    """The values of one parameter as cases: those of `kept` always, the others by night."""
    values = list(values)
    assert set(kept) <= set(values), "what is kept is one of the values"
    return [value if value in kept else pytest.param(value, marks=NIGHTLY) for value in values]


def one_in(k: int, values: Iterable[object]) -> list[object]:
    """Every k-th value of one parameter always, the others by night."""
    values = list(values)
    return but(values[::k], values)


def first_of(rows: Iterable[Sequence[object]]) -> list[object]:
    """The first row of values of several parameters always, the others by night."""
    first, *others = rows
    return [tuple(first), *(pytest.param(*row, marks=NIGHTLY) for row in others)]


def in_turn(first: Iterable[object], *others: Sequence[object]) -> list[object]:
    """All combinations by night; always, one for each value of the first axis, the other axes in turn."""
    cases = []
    for i, value in enumerate(first):
        kept = []
        for axis in others:
            kept.append(axis[i % len(axis)])
            i //= len(axis)
        for rest in product(*others):
            marks = () if list(rest) == kept else NIGHTLY
            cases.append(pytest.param(value, *rest, marks=marks))
    return cases
