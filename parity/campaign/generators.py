"""What a campaign asks: every name in every format and regime, with sizes, options and seeds at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from parity.campaign.case import KINDS, CampaignCase, Kind, Value
from parity.campaign.drawn.entries import ENTRIES, VocabularyEntry
from parity.campaign.drawn.networks import ACTIVATIONS as DECK_ACTIVATIONS
from parity.campaign.drawn.networks import HARD_REGIMES
from parity.campaign.drawn.vocabulary import REDUCTIONS, variant
from parity.campaign.layered import CLIPPED, DECK, LADDER, MIXED, NAMED
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS

DOUBLE_AND_SINGLE = ("float32", "float64")
FLAT_REGIMES = tuple(regime for regime in HARD_REGIMES if regime != "cancelling")
"""Regimes of tensors of any rank: cancelling ones come in pairs of columns."""

TURNS: Mapping[Kind, int] = {"networks": 8, "watch": 4}
"""Cases a round of those kinds that have few names, and everything else in their options."""

LARGE = 0.15
"""The share of layered cases and models that are large: 10⁵ numbers and more."""

WIDE = 0.25
"""The share of the deck's own networks that have some 10⁷ numbers."""


@dataclass(frozen=True)
class _Slot:
    """A name in a format and regime; `draw` makes its shape and options."""

    kind: Kind
    name: str
    format: str
    regime: str
    draw: Callable[[random.Random], tuple[tuple[int, ...], Mapping[str, Value]]]


def cases(only: Collection[str] = KINDS, samples: int = 1, seed: int = 0) -> Iterator[CampaignCase]:
    """`samples` rounds over everything of these kinds, each in an order of its own.

    The kinds are mixed in each round, so a campaign that is cut short is a fair draw of the whole. The
    same arguments give the same cases; another number of samples only makes them more or fewer.
    """
    slots = [slot for kind in KINDS if kind in only for slot in _slots(kind)]
    for turn in range(samples):
        rng = random.Random(f"{seed} {turn}")
        turns = [slot for slot in slots for _ in range(TURNS.get(slot.kind, 1))]
        rng.shuffle(turns)
        for slot in turns:
            shape, options = slot.draw(rng)
            yield CampaignCase(
                slot.kind, slot.name, slot.format, slot.regime, shape, options, rng.randrange(2**32)
            )


def _slots(kind: Kind) -> Iterator[_Slot]:
    if kind == "operations":
        yield from _operators()
    elif kind == "watch":
        yield from _models()
    elif kind == "networks":
        for name, draw in ((DECK, _deck), (MIXED, _mixed)):
            yield from (
                _Slot(kind, name, dtype, regime, draw)
                for dtype in DOUBLE_AND_SINGLE
                for regime in HARD_REGIMES
            )
    else:
        for entry in ENTRIES:
            if NAMED[kind] == entry.kind:
                yield from _vocabulary(kind, entry)


def _vocabulary(kind: Kind, entry: VocabularyEntry) -> Iterator[_Slot]:
    def options(rng: random.Random) -> dict[str, Value]:
        return dict(variant(entry, rng.randrange(60)))  # type: ignore[arg-type] # plain numbers and names

    def network(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
        return _shape(rng), options(rng)

    def alone(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
        return (rng.randint(1, 16), round(2 ** rng.uniform(4, 12))), options(rng)

    for dtype in DOUBLE_AND_SINGLE:
        for regime in HARD_REGIMES:
            yield _Slot(kind, entry.name, dtype, regime, network)
        if kind == "activations":
            yield _Slot(kind, entry.name, dtype, LADDER, alone)


def _shape(rng: random.Random) -> tuple[int, ...]:
    """Layers and batch: most of them of a few units, some of some hundreds."""
    large = rng.random() < LARGE
    depth = rng.randint(1, 4)
    if large:
        return (*(round(2 ** rng.uniform(4, 8)) for _ in range(depth + 1)), round(2 ** rng.uniform(4, 8)))
    return (*(rng.randint(1, 9) for _ in range(depth + 1)), rng.randint(1, 8))


def _wide(rng: random.Random) -> tuple[int, ...]:
    """Layers of some hundreds of units, and as many samples."""
    return tuple(round(2 ** rng.uniform(7, 9)) for _ in range(rng.randint(3, 5)))


def _deck(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
    shape = _wide(rng) if rng.random() < WIDE else _shape(rng)
    names: list[Value] = [rng.choice(DECK_ACTIVATIONS) for _ in shape[2:]]
    return shape, {"activations": names, "steps": rng.randint(1, 5)}


def _mixed(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
    shape = _shape(rng)
    known = [name for name, f in ACTIVATIONS.items() if name != "threshold"]  # it has no defaults
    loss = rng.choice(list(LOSSES))
    if loss == "cross_entropy":
        shape = (*shape[:-2], max(2, shape[-2]), shape[-1])  # of one class there is no index
    names: list[Value] = [rng.choice(known) for _ in shape[2:]]
    return shape, {
        "activations": names,
        "loss": loss,
        "reduction": rng.choice(REDUCTIONS),
        "optimizer": rng.choice(list(OPTIMIZERS)),
        "clipping": rng.choice(("none", "none", *CLIPPED)),
        "steps": rng.randint(1, 5),
    }


def _operators() -> Iterator[_Slot]:
    """PyTorch's operators, on its own samples and on those with other numbers."""
    from parity.campaign.drawn.samples import AS_GIVEN, MOST, operators

    def draw(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
        return (), {"sample": rng.randrange(MOST)}

    try:
        known = operators()
    except ImportError:  # one case, whose answer says why there are no others
        yield _Slot("operations", "opinfo", "float32", AS_GIVEN, draw)
        return
    for name, op in known.items():
        offered = {str(dtype).removeprefix("torch.") for dtype in op.supported_dtypes("cpu")}
        for dtype in DOUBLE_AND_SINGLE:
            if dtype in offered:
                for regime in (AS_GIVEN, *FLAT_REGIMES):
                    yield _Slot("operations", name, dtype, regime, draw)


def _models() -> Iterator[_Slot]:
    from parity.campaign.drawn.models import FAMILIES

    def draw(rng: random.Random) -> tuple[tuple[int, ...], Mapping[str, Value]]:
        large = rng.random() < LARGE
        batch = round(2 ** rng.uniform(4, 7)) if large else rng.randint(1, 6)
        return (batch,), {"layers": rng.randint(1, 9)}

    for name in FAMILIES:
        for dtype in DOUBLE_AND_SINGLE:
            yield from (_Slot("watch", name, dtype, regime, draw) for regime in FLAT_REGIMES)
