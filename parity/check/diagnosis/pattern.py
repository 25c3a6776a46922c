"""The pattern of an error that no mistake of the catalogue explains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.bounds import Bounded
from parity.check.diagnosis.hypothesis import Made
from parity.check.diagnosis.judge import Instance, Judge


@dataclass(frozen=True)
class Pattern:
    """Which numbers of a tensor are wrong: `where` is a key of the texts, `place` the row or column."""

    where: str  # "element", "row", "column", "everything" or "some"
    place: int | None
    wrong: int
    of: int


def wrong_numbers(instance: Instance, truth: Bounded) -> npt.NDArray[np.bool_]:
    """Which numbers lie outside their bound; all of them where the shape is another."""
    observed = instance.observed
    if observed.shape != truth.shape:
        return np.ones(observed.shape, dtype=bool)
    judge = truth.arithmetic
    with np.errstate(all="ignore"):
        error = judge.lower(np.abs(judge.lift(observed) - truth.value))
        wrong: npt.NDArray[np.bool_] = ~(error <= np.broadcast_to(truth.carried, truth.shape))
    return wrong


def pattern(court: Judge, instance: Instance) -> Pattern:
    """The pattern of one instance."""
    wrong = wrong_numbers(instance, court.expected(instance))
    count, size = int(wrong.sum()), wrong.size
    if wrong.ndim == 2 and 0 < count < size:
        rows, columns = (np.flatnonzero(wrong.any(axis=axis)) for axis in (1, 0))
        if count == 1:
            return Pattern("element", None, count, size)
        if len(rows) == 1 and count == wrong.shape[1]:
            return Pattern("row", int(rows[0]), count, size)
        if len(columns) == 1 and count == wrong.shape[0]:
            return Pattern("column", int(columns[0]), count, size)
    return Pattern("everything" if count == size else "some", None, count, size)


def one_element(court: Judge, part: Sequence[Instance], accepted: tuple[Made, ...]) -> bool:
    """Whether one number alone is wrong, in every instance at the same place, or always the last.

    One wrong number is a pattern only where it comes back: in several cases, several times in each. An
    instance of a single number says nothing of that.
    """
    cases = Counter(instance.observation.case for instance in part)
    if sum(count > 1 for count in cases.values()) < 2:
        return False
    places: set[tuple[int, ...]] = set()
    last: set[bool] = set()
    for instance in part:
        if instance.finding.complaint:
            return False
        if instance.observed.size < 2:
            continue
        wrong = wrong_numbers(instance, court.expected(instance, accepted))
        if wrong.sum() != 1:
            return False
        places.add(tuple(int(i) for i in np.argwhere(wrong)[0]))
        last.add(bool(wrong.flat[-1]))
    return len(places) == 1 or last == {True}
