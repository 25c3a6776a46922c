"""What ranks exchanged through torch.distributed: each one's results, of what all of them gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np

from parity.certify.measure import Values
from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from parity.watch.check import Check, Left
from parity.watch.judging import held
from parity.watch.ranks.round import Collective
from parity.watch.unchanged import MISSHAPEN, same
from reference.arrays import total

CHOSEN: Mapping[str, Callable[[Values, Values], Values]] = {"MAX": np.maximum, "MIN": np.minimum}


def held_to_formula(exchange: Sequence[Collective]) -> Iterator[Check | Left]:
    """One exchange, as each rank saw it: a sum in any order, a choice, or a copy bit for bit."""
    first = exchange[0]
    named = {(one.operation, one.reduction, one.root, one.ranks) for one in exchange}
    if len(named) > 1 or len(first.ranks) != len(exchange):
        key = "op_not_alike" if len(named) > 1 else "op_of_ranks"
        what = Message(key, operation=first.operation, ranks=first.ranks)
        yield Left(what, "unsupported", first.module, first.source)
        return
    for rank, one in enumerate(exchange):
        if first.operation == "reduce_" and rank != first.root:
            continue  # what it is left with means nothing
        for place, made in enumerate(one.made):
            parts = _parts(exchange, place)
            if any(part.shape != made.shape for part in parts):
                measured = MISSHAPEN
            elif len(parts) == 1:
                measured = same(made, parts[0].array)
            elif first.reduction in CHOSEN:
                measured = same(made, reduce(CHOSEN[first.reduction], (part.array for part in parts)))
            elif first.reduction == "SUM":
                measured = held((total,), parts, made)
            else:
                yield Left(
                    f"{first.operation}: {first.reduction}", "unsupported", first.module, first.source
                )
                return
            where = one.operation, "", one.module, one.source
            yield Check("forward", *where, measured, torch=f"c10d.{one.operation}", rank=rank)


def _parts(exchange: Sequence[Collective], place: int) -> list[Recorded]:
    """What a result is made of: of all ranks, or of the one whose numbers all get."""
    first = exchange[0]
    if first.operation == "broadcast_":
        assert first.root is not None
        return [exchange[first.root].given[place]]
    if first.operation == "allgather_":
        return [exchange[place].given[0]]
    if first.operation == "_allgather_base_":
        given = [one.given[0] for one in exchange]
        shape = exchange[0].made[0].shape
        together = np.concatenate([np.ravel(one.array) for one in given]).reshape(shape)
        return [Recorded.of(together, given[0].dtype)]
    return [one.given[place] for one in exchange]
