"""What no certificate can call wrong, and yet seldom is what was meant: how losses add up in a gradient.

Every operation of a sum of losses is its formula, whatever is summed. What is told here is what was
seen: means of which the sum was nowhere divided, or of which the numbers do not count the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from parity.watch.check import Hint
from parity.watch.losses import Reduction
from parity.watch.ranks.averages import Losses, main_losses, mean, mean_of_all, shares, weighted
from parity.watch.ranks.round import Round
from parity.watch.unchanged import same


def hints(rounds: Sequence[Round]) -> Iterator[Hint]:
    """Of a round of all ranks, or of one process."""
    losses = main_losses([one.reductions for one in rounds])
    seen = [one for own in losses for one in own]
    if not seen or not all(losses) or not all(one.mean for one in seen):
        return
    parts, shown = _gradient(rounds)
    if not parts:
        return
    found = (
        _not_divided(losses, parts, shown, updated=bool(rounds[0].used)),
        _unequal(losses, parts, shown),
        _twice(losses, parts, shown),
        _same(losses, parts),
    )
    yield from (hint for hint in found if hint is not None)


def _gradient(rounds: Sequence[Round]) -> tuple[list[Recorded], Sequence[Recorded]]:
    """Of the first gradient that is not zero: what each rank found, and what became of it on rank 0."""
    first = rounds[0]
    for name, own in first.own.items():
        shown = [first.used.get(name, own), *first.states.get(name, ())]
        parts = [one.own[name] for one in rounds if name in one.own]
        alike = len(parts) == len(rounds) and len({part.shape for part in parts}) == 1
        if alike and any(part.array.any() for part in parts):
            return parts, shown
    return [], ()


def _not_divided(
    losses: Losses, parts: Sequence[Recorded], shown: Sequence[Recorded], *, updated: bool
) -> Hint | None:
    """Several means in one gradient, each counting 1, and nothing divided them afterwards either."""
    own, n = losses[0], len(parts)
    passes = len(own)
    if passes < 2 or any(one.mass != 1 for one in own):
        return None
    if any(not weighted(parts, [1 / (n * passes)] * n, state).wrong for state in shown):
        return None
    message = Message("hint_not_divided" if updated else "hint_not_divided_yet", passes=passes)
    return Hint("not_divided", message, own[0].place.source)


def _unequal(losses: Losses, parts: Sequence[Recorded], shown: Sequence[Recorded]) -> Hint | None:
    """Means of unequally many numbers that count the same, so that their numbers do not."""
    seen = [one for own in losses for one in own]
    least, most = (pick(seen, key=lambda one: one.weight) for pick in (min, max))
    if least.numbers == most.numbers or least.weight <= 0 or not _differ(least, most):
        return None
    counts = [sum(one.numbers for one in own) for own in losses]
    if len(parts) > 1 and any(not mean_of_all(parts, counts, state).wrong for state in shown):
        return None
    times = f"{most.weight / least.weight:.3g}"
    seen_as = Message("hint_unequal_batches", few=most.numbers, many=least.numbers, times=times)
    return Hint("unequal_batches", seen_as, most.place.source)


def _differ(one: Reduction, other: Reduction) -> bool:
    """Whether what a number counts differs by more than rounding."""
    rounded = one.slack * abs(one.weight) + other.slack * abs(other.weight)
    return abs(one.weight - other.weight) > rounded


def _twice(losses: Losses, parts: Sequence[Recorded], shown: Sequence[Recorded]) -> Hint | None:
    """Losses that the program divided by the number of ranks, of which the ranks took the mean."""
    n = len(parts)
    if n == 1 or any(float(n) not in one.divided for own in losses for one in own):
        return None
    if not shares(losses) or all(mean(parts, state).wrong for state in shown):
        return None
    return Hint("divided_twice", Message("hint_divided_twice", ranks=n), losses[0][0].place.source)


def _same(losses: Losses, parts: Sequence[Recorded]) -> Hint | None:
    """Ranks that found the same gradient, bit for bit: of the same data."""
    if len(parts) == 1 or any(same(part, parts[0].array).wrong for part in parts):
        return None
    return Hint("same_batches", Message("hint_same_batches", ranks=len(parts)), losses[0][0].place.source)
