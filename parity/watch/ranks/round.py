"""What a rank did from one update to the next, as the other ranks must know it, and as bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.pytorch.recorder.data import Recorded
from parity.watch.losses import LossPlace, Reduction


@dataclass(frozen=True)
class Collective:
    """One operation of torch.distributed: its reduction, and the rank that sends or gets alone."""

    operation: str
    module: str
    source: str
    ranks: tuple[int, ...]
    reduction: str
    root: int | None
    given: tuple[Recorded, ...]
    made: tuple[Recorded, ...]


@dataclass(eq=False)
class Round:
    """From one update to the next. Tensors are by the names of their parameters and buffers."""

    step: int = 0  # index of the one that it ended in
    parameters: dict[str, Recorded] = field(default_factory=dict)  # as the first backward pass found them
    buffers: dict[str, Recorded] = field(default_factory=dict)  # as the first operation found them
    own: dict[str, Recorded] = field(default_factory=dict)  # `.grad` as this rank alone made it
    used: dict[str, Recorded] = field(default_factory=dict)  # `.grad` as an optimizer took it
    states: dict[str, list[Recorded]] = field(default_factory=dict)  # what it was before
    updated: dict[str, Recorded] = field(default_factory=dict)  # parameters after the update
    collectives: list[Collective] = field(default_factory=list)
    reductions: list[Reduction] = field(default_factory=list)
    hooks: tuple[str, ...] = ()  # what makes something else of an average than the mean of all ranks
    over: bool = True  # whether it ended with an update

    def packed(self) -> bytes:
        """All of it as bytes: a file of arrays, and what is no array as JSON."""
        arrays: dict[str, np.ndarray] = {}
        formats: list[str] = []

        def put(tensor: Recorded) -> int:
            arrays[str(len(formats))] = tensor.array
            formats.append(tensor.dtype)
            return len(formats) - 1

        facts = {
            "step": self.step,
            "hooks": self.hooks,
            "over": self.over,
            "reductions": self.reductions,
            "states": {name: [put(one) for one in states] for name, states in self.states.items()},
            "tensors": {kind: {n: put(one) for n, one in getattr(self, kind).items()} for kind in TENSORS},
            "collectives": [
                [
                    one.operation,
                    one.module,
                    one.source,
                    one.ranks,
                    one.reduction,
                    one.root,
                    [put(tensor) for tensor in one.given],
                    [put(tensor) for tensor in one.made],
                ]
                for one in self.collectives
            ],
            "formats": formats,
        }
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def unpacked(cls, packed: bytes) -> Round:
        """The inverse of `packed`."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            tensors = [Recorded.of(arrays[str(i)], dtype) for i, dtype in enumerate(facts["formats"])]
        named: Mapping[str, dict[str, int]] = facts["tensors"]
        return cls(
            step=facts["step"],
            hooks=tuple(facts["hooks"]),
            over=facts["over"],
            states={name: [tensors[i] for i in places] for name, places in facts["states"].items()},
            reductions=[
                Reduction(LossPlace(*place), count, mass, mean, tuple(divided), roundings)
                for place, count, mass, mean, divided, roundings in facts["reductions"]
            ],
            collectives=[
                Collective(
                    operation,
                    module,
                    source,
                    tuple(ranks),
                    reduction,
                    root,
                    tuple(tensors[i] for i in given),
                    tuple(tensors[i] for i in made),
                )
                for operation, module, source, ranks, reduction, root, given, made in facts["collectives"]
            ],
            **{kind: {name: tensors[i] for name, i in named[kind].items()} for kind in TENSORS},
        )


def aligned(rounds: Sequence[Round]) -> None:
    """Give tensors the names that they have on the first rank, where others name them otherwise.

    Modules are named as they run, so a rank that evaluates by itself may have other names. The order of
    an optimizer's parameters, and of the modules in a forward pass, is the same on all.
    """
    first = rounds[0]
    for one in rounds[1:]:
        for kinds in (("updated", "own", "used", "states", "parameters"), ("buffers",)):
            names, others = (list(getattr(which, kinds[0])) for which in (first, one))
            if names == others or len(names) != len(others):
                continue
            called = dict(zip(others, names, strict=True))
            for kind in kinds:
                named: dict[str, object] = getattr(one, kind)
                setattr(one, kind, {called.get(name, name): value for name, value in named.items()})


TENSORS = ("parameters", "buffers", "own", "used", "updated")
"""What a round has of tensors, by name."""
