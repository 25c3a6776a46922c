"""Constants, read off the numbers: an interval from each, intersected; then the shortest number in it.

No constant is ever fitted. Where a formula with a constant c in it is affine in c, or its reciprocal
is, each observed number says what c would have to be, within what rounding can do to it; intervals that
do not meet refute the reading. What is left is known to many digits, and is named by the shortest
decimal, by a quotient of small integers, or by such a number times terms of the case (η, n, batch, …)
that make it one number in all cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.readings.site import Site
from parity.check.diagnosis.readings.tree import Path, Tree, node, put, tree
from reference.arrays import Array

ROUNDINGS = 512
"""Of a formula of these sizes, more than it has; the interval is a sieve, the proof comes after it."""

COUNTED = ("η", "n", "batch", "outputs", "units", "inputs", "‖it‖", "L", "l")
TERMS: tuple[tuple[str, dict[str, int]], ...] = (
    ("", {}),
    *((name, {name: 1}) for name in COUNTED),
    *((f"1/{name}", {name: -1}) for name in COUNTED),
    *((f"η·{name}", {"η": 1, name: 1}) for name in ("n", "batch", "outputs", "‖it‖")),
    *((f"η/{name}", {"η": 1, name: -1}) for name in ("n", "batch", "outputs", "‖it‖")),
    ("η²", {"η": 2}),
    ("n²", {"n": 2}),
    ("1/n²", {"n": -2}),
    ("1/batch²", {"batch": -2}),
)
"""What a constant may be a multiple of, by its text: powers of the case's terms."""

DENOMINATORS, NUMERATORS, DIGITS = 12, 64, 4


@dataclass(frozen=True)
class Interval:
    """Where a constant lies, and how many numbers said so."""

    low: float
    high: float
    support: int

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def scaled(self, by: float) -> Interval:
        if self.support == 0:
            return self
        ends = sorted((self.low * by, self.high * by))
        wide = 4 * np.finfo(float).eps * max(map(abs, ends))
        return Interval(ends[0] - wide, ends[1] + wide, self.support)

    def meet(self, other: Interval) -> Interval:
        return Interval(max(self.low, other.low), min(self.high, other.high), self.support + other.support)

    @property
    def empty(self) -> bool:
        return not self.low <= self.high


ANYWHERE = Interval(-np.inf, np.inf, 0)
"""Of a place that has nothing to say."""


@dataclass(frozen=True)
class Constant:
    """A number times terms of the case: `text` as it is said, `tree` as it is computed."""

    text: str
    tree: Tree
    known: bool  # by a short name; else by its digits, or from one case only


def interval(place: Site, whole: Tree, path: Path) -> Interval | None:
    """Where the constant at the end of the way must lie for this place; None where there is none."""
    try:
        at = [place.floats(put(whole, path, node(number))) for number in ("0.0", "1.0", "2.0")]
    except DoesNotApplyError:
        return None
    observed = place.observed.astype(np.float64)
    if any(np.shape(value) != observed.shape for value in at):
        return None
    told = np.isfinite(observed) & np.isfinite(at[0]) & np.isfinite(at[1]) & np.isfinite(at[2])
    if not told.any():
        return ANYWHERE
    observed, at, vague = observed[told], [value[told] for value in at], _vague(place)[told]
    u = place.scenario.judge.u
    with np.errstate(all="ignore"):
        if _affine(at, u):
            return _solved(observed, at[0], at[1], vague)
        counts = ~((observed == 0) & (at[0] == 0) & (at[1] == 0))  # of nothing, there is no reciprocal
        turned = [1 / value[counts] for value in at]
        if counts.any() and _affine(turned, u):
            return _solved(1 / observed[counts], turned[0], turned[1], vague[counts])
    return None


def _affine(at: Sequence[Array], u: float) -> bool:
    first, second = at[1] - at[0], at[2] - at[1]
    size = sum(np.abs(value) for value in at)
    return bool(np.isfinite(size).all() and (np.abs(second - first) <= ROUNDINGS * u * size).all())


def _vague(place: Site) -> Array:
    """How far rounding may carry each number, relatively: more where f′ all but cancels, as in 1 − a²."""
    truth = place.expected
    bound = np.broadcast_to(truth.carried, truth.shape)
    with np.errstate(all="ignore"):
        relative = np.where(bound == 0, 0.0, bound / truth.magnitude())
    vague: Array = ROUNDINGS * place.scenario.judge.u + 2 * relative
    shape = place.observed.shape
    return vague if vague.shape == shape else np.full(shape, vague.max(initial=0))


def _solved(observed: Array, at_0: Array, at_1: Array, vague: Array) -> Interval | None:
    """c in observed = at_0 + c (at_1 − at_0), number by number, intersected."""
    slope: npt.NDArray[np.float64] = at_1 - at_0
    rest = observed - at_0
    room = vague * (np.abs(observed) + np.abs(at_0) + np.abs(at_1))
    if not (np.isfinite(rest).all() and np.isfinite(slope).all()):
        return None
    telling = np.abs(slope) > vague * (np.abs(at_0) + np.abs(at_1))
    if (np.abs(rest)[~telling] > room[~telling]).any():
        return None
    if not telling.any():
        return ANYWHERE
    c = rest[telling] / slope[telling]
    half = (room[telling] * (1 + np.abs(c))) / np.abs(slope[telling])
    found = Interval(float((c - half).max()), float((c + half).min()), int(telling.sum()))
    return None if found.empty else found


def constants(intervals: Sequence[Interval], places: Sequence[Site]) -> Iterator[Constant]:
    """The names of the constant that lies in all of these intervals, the plainest first."""
    plain: Interval | None = None
    varied = len({(place.terms["n"], place.terms["η"], place.terms["batch"]) for place in places}) > 1
    for text, powers in TERMS:
        together = _together(intervals, places, powers)
        if together is None or together.empty:
            continue
        number = shortest(together)
        factor = [node(name) for name, power in powers.items() if power > 0 for _ in range(power)]
        divisor = [node(name) for name, power in powers.items() if power < 0 for _ in range(-power)]
        if number is not None:
            made = tree(number) if number != "1" or not factor else factor.pop(0)
            for term in factor:
                made = node("*", made, term)
            for term in divisor:
                made = node("/", made, term)
            yield Constant(_said(number, text), made, known=varied or number in ("0", "-1"))
        elif not powers:
            plain = together
        if not powers and number is not None:
            return
    if plain is not None and plain.support >= 16 and len(places) > 1:
        middle = (plain.low + plain.high) / 2
        yield Constant(f"{middle:.6g}".replace("-", "−"), node(repr(middle)), known=False)


def _together(
    intervals: Sequence[Interval], places: Sequence[Site], powers: dict[str, int]
) -> Interval | None:
    found = ANYWHERE
    for one, place in zip(intervals, places, strict=True):
        by = 1.0
        for name, power in powers.items():
            if name not in place.terms:
                return None
            by *= place.terms[name] ** -power
        found = found.meet(one.scaled(by))
    return found


def _said(number: str, text: str) -> str:
    """`2·η`, `3/n`, `η`."""
    number = number.replace("-", "−")
    if not text:
        return number
    if text.startswith("1/") and "/" not in number:
        return number + text[1:]
    return {"1": text, "−1": f"−{text}"}.get(number, f"{number}·{text}")


def shortest(where: Interval) -> str | None:
    """The shortest number in an interval: a quotient of small integers, or a decimal of few digits."""
    middle = (where.low + where.high) / 2
    if not np.isfinite(middle):
        return None
    for denominator in range(1, DENOMINATORS + 1):
        numerator = round(middle * denominator)
        if abs(numerator) <= NUMERATORS and numerator / denominator in where:
            return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"
    for digits in range(1, DIGITS + 1):
        text = f"{middle:.{digits}g}"
        if float(text) in where:
            return text
    return None
