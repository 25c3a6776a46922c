"""A round of all ranks: their gradients' mean, their exchanges, and that they are one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from parity.watch.check import Check, Draw, Found, Kind, Left, Mistaken
from parity.watch.ranks.averages import averaged
from parity.watch.ranks.collectives import held_to_formula
from parity.watch.ranks.round import Round
from parity.watch.short import shortest
from parity.watch.unchanged import MISSHAPEN, same, zeros

AVERAGE, REPLICA = "average", "replica"
"""The operations' names of a mean over the ranks, and of a tensor that all of them have."""


def joined(rounds: Sequence[Round], drawn: Draw, accepted: Set[str]) -> Iterator[Found]:
    """What was found of each parameter, buffer and exchange.

    What is accepted by name is not checked: `average`, `replica`, or the name of a parameter or buffer.
    """
    if len({one.over for one in rounds}) > 1:
        yield [Left(Message("ranks_updates"), "unsupported", "", "")]
        return
    yield from _replicas("forward", [one.buffers for one in rounds], drawn, accepted)
    yield from _replicas("grad", [one.parameters for one in rounds], drawn, accepted)
    several = len(rounds) > 1
    for name in dict.fromkeys(name for one in rounds for name in one.used if several):
        if not accepted & {AVERAGE, name} and drawn(_of_any(name, rounds)):
            yield list(_average(name, rounds))
    yield from _replicas("update", [one.updated for one in rounds], drawn, accepted)
    counts = [len(one.collectives) for one in rounds]
    if len(set(counts)) > 1:
        said = Message("ranks_exchanges", counts=", ".join(map(str, counts)))
        yield [Left(said, "unsupported", "", "")]
    else:
        yield from (
            list(held_to_formula(one)) for one in zip(*(r.collectives for r in rounds), strict=True)
        )


def _replicas(
    kind: Kind, tensors: Sequence[Mapping[str, Recorded]], drawn: Draw, accepted: Set[str]
) -> Iterator[Found]:
    """Tensors that every rank has must be the same on all of them, bit for bit."""
    for name, expected in tensors[0].items():
        own = {rank: one[name] for rank, one in enumerate(tensors) if rank and name in one}
        if own and not accepted & {REPLICA, name} and drawn(expected):
            yield list(_replica(kind, name, expected, own))


def _replica(
    kind: Kind, name: str, expected: Recorded, own: Mapping[int, Recorded]
) -> Iterator[Check | Left]:
    module, _, operand = name.rpartition(".")
    for rank, tensor in own.items():
        if tensor.shape != expected.shape:
            yield Left(Message("ranks_part", what=REPLICA, name=operand), "unsupported", module, "")
            return
        measured = same(tensor, expected.array)
        if kind == "forward":
            mistake = Mistaken("buffers_drift", Message("ranks_drift", rank=rank))
        else:
            mistake = Mistaken("not_synchronised", Message("ranks_differ", rank=rank))
        named = mistake if measured.wrong else None
        yield Check(kind, REPLICA, operand, module, "", measured, rank=rank, mistake=named)


def _of_any(name: str, rounds: Sequence[Round]) -> Recorded:
    return next(one.used[name] for one in rounds if name in one.used)


def _average(name: str, rounds: Sequence[Round]) -> Iterator[Check | Left]:
    """The gradient that each rank's optimizer took is the mean of what all ranks found."""
    module, _, operand = name.rpartition(".")
    like = _of_any(name, rounds)
    found_alone = [one.own.get(name) for one in rounds]
    hooks = rounds[0].hooks
    if all(part is None for part in found_alone):
        yield Left(Message("ranks_none_own", what=AVERAGE, name=operand), "unsupported", module, "")
        return
    # A rank that found none where others did: nothing of its loss depends on the parameter.
    parts = [zeros(like) if part is None else part for part in found_alone]
    if any(part.shape != like.shape for part in parts):
        yield Left(Message("ranks_part", what=AVERAGE, name=operand), "unsupported", module, "")
        return
    if shortest([like]) and len(rounds) > 2:
        few = Message("ranks_format", what=AVERAGE, name=operand, dtype=like.dtype, count=len(rounds))
        yield Left(few, "unsupported", module, "")
        return
    losses = [one.reductions for one in rounds]
    first = rounds[0].used.get(name)
    used_by = {rank: its.used[name] for rank, its in enumerate(rounds) if name in its.used}
    other = {rank for rank, g in used_by.items() if first is None or same(g, first.array).wrong}
    common = len(used_by) == len(rounds) and not other
    for rank, one in enumerate(rounds):
        used = used_by.get(rank)
        if used is None:
            mistake = Mistaken("not_synchronised", Message("ranks_no_gradient", rank=rank))
            yield Check("grad", AVERAGE, operand, module, "", MISSHAPEN, rank=rank, mistake=mistake)
            continue
        if rank and rank not in other:
            continue  # all has been said of these numbers
        states = [used, *one.states.get(name, ())]
        found = averaged(parts, states, losses, None if common else rank)
        if found.measured.wrong and found.mistake is None and hooks:
            what = Message("ranks_hooks", what=AVERAGE, name=operand, hooks=", ".join(hooks))
            yield Left(what, "altered", module, "")
            return
        yield Check("grad", AVERAGE, operand, module, "", found.measured, rank=rank, mistake=found.mistake)
