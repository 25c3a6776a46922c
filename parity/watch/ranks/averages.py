"""The gradient that an optimizer takes, held to the mean of the ranks' own, and what else it may be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias

from parity.certify.measure import Measured
from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from parity.watch.check import Mistaken
from parity.watch.judging import held
from parity.watch.losses import LossPlace, Reduction
from parity.watch.unchanged import same
from reference.arrays import total

Form: TypeAlias = Callable[..., Any]
Losses: TypeAlias = Sequence[Sequence[Reduction]]


def mean(parts: Sequence[Recorded], observed: Recorded) -> Measured:
    """(g_0 + … + g_{N−1}) / N, in any order: the sum divided, or each term, or each times a rounded 1/N."""
    n = len(parts)
    if n == 1:
        return same(observed, parts[0].array)
    return held(_means(n), parts, observed, constants={"n": n, "inverse": 1 / n})


def _means(n: int) -> tuple[Form, ...]:
    def of_sum(*given: Any) -> Any:
        return total(*given[:n]) / given[n].n

    def of_parts(*given: Any) -> Any:
        return total(*(part / given[n].n for part in given[:n]))

    def of_inverse(*given: Any) -> Any:
        return total(*(part * given[n].inverse for part in given[:n]))

    return of_sum, of_parts, of_inverse


def weighted(parts: Sequence[Recorded], weights: Sequence[float], observed: Recorded) -> Measured:
    """Σ c_r g_r, in any order, each c_r rounded to the format of the g_r."""
    named = {f"c{place}": weight for place, weight in enumerate(weights)}

    def form(*given: Any) -> Any:
        constants: SimpleNamespace = given[-1]
        return total(*(g * getattr(constants, c) for g, c in zip(given[:-1], named, strict=True)))

    return held((form,), parts, observed, constants=named)


def mean_of_all(parts: Sequence[Recorded], counts: Sequence[int], observed: Recorded) -> Measured:
    """Σ n_r g_r / Σ n_r: the mean of all samples, of which the ranks have unequally many."""
    return weighted(parts, [count / sum(counts) for count in counts], observed)


def added(parts: Sequence[Recorded], observed: Recorded) -> Measured:
    """g_0 + … + g_{N−1}, in any order."""
    return held((total,), parts, observed)


@dataclass(frozen=True)
class Averaged:
    """How a gradient compares with the mean; `mistake` is what it is instead, where that is known."""

    measured: Measured
    mistake: Mistaken | None = None


def averaged(
    parts: Sequence[Recorded], states: Sequence[Recorded], losses: Losses, rank: int | None
) -> Averaged:
    """The gradient that a rank used, `states[0]`, or what it was before: clipping comes after the mean.

    `losses` says what each rank's gradient is one of. Of unequal batches the mean of all samples is as
    good; another multiple is, where it makes one mean of losses that were scaled. `rank` is None where all
    ranks used the same.
    """
    used, n = states[0], len(parts)
    found = mean(parts, used)
    if not found.wrong or n == 1:
        return Averaged(found)
    main = main_losses(losses)
    counts = [sum(one.numbers for one in own) for own in main]
    if all(own and all(one.mean for one in own) for own in main) and len(set(counts)) > 1:
        of_all = mean_of_all(parts, counts, used)
        if not of_all.wrong:
            return Averaged(of_all)
    twice = weighted(parts, [1 / n**2] * n, used)
    if not twice.wrong:
        if shares(main, 1 / n**2):
            return Averaged(twice)
        return Averaged(found, Mistaken("divided_twice", Message("ranks_divided_twice", ranks=n)))
    tries = [(added, used), *((mean, one) for one in states[1:]), *((added, one) for one in states[1:])]
    for may_be, state in tries:  # what was a sum may have been divided before it was clipped
        whole = may_be(parts, state)
        if not whole.wrong and (may_be is mean or shares(main)):
            return Averaged(whole)
        if not whole.wrong:
            seen = Message("ranks_sum" if state is used else "ranks_was_sum", ranks=n)
            return Averaged(found, Mistaken("sum", seen))
    return Averaged(found, _otherwise(parts, used, states, rank))


def _otherwise(
    parts: Sequence[Recorded], used: Recorded, states: Sequence[Recorded], rank: int | None
) -> Mistaken | None:
    """What a gradient is that is neither mean nor sum."""
    n = len(parts)
    if rank is not None and any(not same(state, parts[rank].array).wrong for state in states):
        return Mistaken("not_synchronised", Message("ranks_not_synchronised", ranks=n, rank=rank))
    for other, part in enumerate(parts):
        if not same(used, part.array).wrong:
            return Mistaken("of_one_rank", Message("ranks_of_one", ranks=n, other=other))
    for other in range(n):
        for weight in (1 / n, 1 / (n - 1)):
            if not weighted(parts, [0.0 if r == other else weight for r in range(n)], used).wrong:
                return Mistaken("rank_left_out", Message("ranks_left_out", ranks=n, other=other))
    return None


def main_losses(losses: Losses) -> Losses:
    """Of each rank the reductions at the one place of its program that counts most."""
    masses: Counter[LossPlace] = Counter()
    for one in (one for own in losses for one in own):
        masses[one.place] += one.mass  # type: ignore[assignment]
    place = max(masses, key=lambda place: masses[place], default=None)
    return [[one for one in own if one.place == place] for own in losses]


def shares(losses: Losses, factor: float = 1.0) -> bool:
    """Whether a multiple of the sum of the ranks' losses is what is wanted: one mean, or a plain sum.

    Their masses times the factor come to 1 within their rounding, or every number counts 1.
    """
    flat = [one for own in losses for one in own]
    if not all(losses):
        return False
    if factor == 1 and all(not one.mean and one.weight == 1 for one in flat):
        return True
    whole = factor * math.fsum(one.mass for one in flat)
    return abs(whole - 1) <= factor * math.fsum(one.mass * one.slack for one in flat)
