"""What tests one rule: the rule, the truth in 300 bits, and every way in which a program may compute it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mpmath
import numpy as np

from parity.bounds import SLACK, Bounded
from parity.bounds.formats import ULP, Arithmetic, arithmetic
from tests.bounds.operands import KINDS, drawn, inexact, known, mp, to_mp, within


def elementwise(random, dtype, kind, arity):
    return tuple(drawn(random, dtype, kind, (48,)) for _ in range(arity))


def as_they_are(*floats):
    return floats


@dataclass(frozen=True)
class Case:
    """One rule under test.

    `multiple` is stated: no bound, where it is used most, is more than so many times the worst error
    found; 1 would be attained. None is for rules that round nothing, whose results must be the same.
    """

    apply: Callable[..., Bounded]
    truth: Callable
    evaluations: Callable[..., Iterable]
    multiple: float | None
    arity: int = 1
    make: Callable = elementwise
    kinds: tuple[str, ...] = KINDS
    ulp: str | None = None
    absolute: bool = False
    exact_only: bool = False
    domain: Callable = as_they_are
    inside: Callable = as_they_are


@dataclass
class Found:
    """What a search came to: the worst error/bound, of exact and of inexact operands."""

    exact: float = 0.0
    carried: float = 0.0
    numbers: int = 0
    undecided: int = 0
    where: str = ""

    @property
    def worst(self) -> float:
        return max(self.exact, self.carried)


def search(
    case: Case, dtype, seed: int = 0, truth: str | None = None, kinds: tuple[str, ...] | None = None
) -> Found:
    """The worst error in units of the bound, over kinds of operand, their ends, and evaluations."""
    judge, found = arithmetic(dtype, truth), Found()
    random = np.random.default_rng(seed)
    with np.errstate(all="ignore"), judge.precision():
        for kind in kinds or case.kinds:
            floats = case.domain(*case.make(random, dtype, kind, case.arity))
            widths = [known(judge, floats)]
            if not case.exact_only:
                widths.append(tuple(inexact(random, judge, part) for part in floats))
            for numbers in widths:
                _try(case, judge, random, numbers, f"{kind}, {np.dtype(dtype)}", found)
    return found


def _try(
    case: Case, judge: Arithmetic, random, numbers: tuple[Bounded, ...], where: str, found: Found
) -> None:
    result = case.apply(*numbers)
    _check_truth(case, judge, numbers, result, where)
    exact = all(number.is_exact for number in numbers)
    for moved in within(random, numbers, judge.dtype.type):
        floats = case.inside(*moved)
        for evaluated in case.evaluations(random, *floats):
            _measure(judge, result, evaluated, where, found, exact)
        if case.ulp:
            for evaluated in _off_by_ulps(case, judge, case.truth(*map(mp, floats))):
                _measure(judge, result, evaluated, where, found, exact)


def _check_truth(case: Case, judge: Arithmetic, numbers, result: Bounded, where: str) -> None:
    """The value itself is the truth as far as its own arithmetic goes, which is a part of the bound."""
    centre = case.truth(*(_mp_of(number) for number in numbers))
    bound = np.broadcast_to(result.carried, result.shape)
    off = np.asarray(_mp_of(result) - centre).astype(object)
    allowed = bound * (judge.u_truth / judge.unit) * SLACK + judge.eta * (bound > 0)
    decided = np.isfinite(bound) & np.isfinite(result.lowered())
    size = np.abs(np.where(decided, off, to_mp(0.0))).astype(np.float64)
    assert np.all(size <= np.where(decided, allowed, np.inf)), where


def _mp_of(number: Bounded):
    if number.arithmetic.truth == "ball":
        return np.asarray(_of_ball(number.value), dtype=object)
    return mp(number.value)


def _middle(ball):
    """The middle of a ball, to its last bit."""
    if not ball.is_finite():
        return mpmath.mpf(float(ball))
    mantissa, exponent = ball.mid().man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


_of_ball = np.frompyfunc(_middle, 1, 1)


def _off_by_ulps(case: Case, judge: Arithmetic, truth) -> Iterable:
    """The floats furthest from the truth that K ulp admit, on either side."""
    K, bits = ULP[case.ulp][0], round(-np.log2(judge.u))
    lowered = np.asarray(truth).astype(np.float64)
    _, exponent = np.frexp(np.abs(lowered))
    ulp = (
        np.ldexp(1.0, 1 - bits) * np.ones_like(lowered) if case.absolute else np.ldexp(1.0, exponent - bits)
    )
    for side in (-1, 1):
        edge = np.asarray(truth + side * K * to_mp(ulp), dtype=object)
        found = edge.astype(np.float64).astype(judge.dtype)
        beyond = side * np.asarray(to_mp(found) - edge, dtype=object) > 0
        nearer = np.nextafter(found, judge.dtype.type(-side * np.inf))
        found = np.where(beyond.astype(bool), nearer, found)
        usable = np.isfinite(found) & (np.abs(lowered) > np.finfo(judge.dtype).smallest_normal)
        yield np.where(usable, found, lowered.astype(judge.dtype))


def _measure(judge: Arithmetic, result: Bounded, evaluated, where: str, found: Found, exact: bool) -> None:
    evaluated = np.asarray(evaluated)
    assert evaluated.shape == result.shape, (evaluated.shape, result.shape)
    value, bound = result.lowered(), np.broadcast_to(result.carried * SLACK, result.shape)
    error = judge.lower(np.abs(judge.lift(evaluated) - result.value))
    same = (error == 0) | (np.isnan(value) & np.isnan(evaluated)) | (np.isinf(value) & (value == evaluated))
    told = np.isfinite(bound) & (np.isfinite(value) | (bound == 0))
    share = np.where(same, 0.0, error / bound)
    share = np.where(told, np.where(np.isnan(share), np.inf, share), 0.0)
    found.numbers += int(np.count_nonzero(told))
    found.undecided += int(np.count_nonzero(~told))
    most = float(share.max(initial=0.0))
    if most > found.worst:
        found.where = where
    if exact:
        found.exact = max(found.exact, most)
    else:
        found.carried = max(found.carried, most)
