"""The smallest case that still raises an alarm of one cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from parity.campaign.case import Alarm, CampaignCase, Value
from parity.campaign.drawn.samples import AS_GIVEN
from parity.campaign.judging import again
from parity.campaign.layered import LADDER

TRIES = 150
"""Cases that are judged at most to make one smaller."""

SEEDS = 4
"""Small seeds that are tried, and the first samples of an operator."""

PLAINEST: Mapping[str, Value] = {
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "sgd",
    "clipping": "none",
    "steps": 1,
    "layers": 1,
    "sample": 0,
}
"""The plainest value of each option that says what is run. Other options are PyTorch's, with defaults."""

PLAIN_ACTIVATION = "identity"
ORDINARY = "ordinary"


def shrunk(case: CampaignCase, alarm: Alarm, tries: int = TRIES) -> CampaignCase:
    """The case with fewer layers, units, samples and options, and a smaller seed, as long as it fails.

    A case fails in the same way if an alarm has the side, the formula, the operation and the finding of
    this one; the layer may be another. The result is the case itself where nothing smaller fails so.
    """
    left, seen = tries, {case.digest}
    while True:
        for smaller in _smaller(case):
            if smaller.digest in seen:
                continue
            if not left:
                return case
            left -= 1
            seen.add(smaller.digest)
            if again(smaller, alarm) is not None:
                case = smaller
                break
        else:
            return case


def _smaller(case: CampaignCase) -> Iterator[CampaignCase]:
    """Candidates, those first that take most away."""
    if case.kind == "networks":
        yield from _without_a_layer(case)
    elif len(case.shape) > 3:
        yield from (
            replace(case, shape=_without(case.shape, place)) for place in range(len(case.shape) - 1)
        )
    for divisor in (16, 4, 2):
        for place, n in enumerate(case.shape):
            if n > 1:
                yield replace(case, shape=_at(case.shape, place, max(1, n // divisor)))
    for place, n in enumerate(case.shape):
        if n > 1:
            yield replace(case, shape=_at(case.shape, place, n - 1))
    yield from _with_plainer_options(case)
    plain = AS_GIVEN if case.kind == "operations" else ORDINARY
    if case.regime not in (plain, LADDER):
        yield replace(case, regime=plain)
        if case.regime != ORDINARY and case.kind == "operations":
            yield replace(case, regime=ORDINARY)
    yield from (replace(case, seed=seed) for seed in range(min(case.seed, SEEDS)))


def _without_a_layer(case: CampaignCase) -> Iterator[CampaignCase]:
    names = case.options.get("activations")
    if isinstance(names, list) and len(names) > 1:
        for place in range(len(names)):
            kept: list[Value] = [name for other, name in enumerate(names) if other != place]
            for end in (place, place + 1):
                shape = _without(case.shape, end)
                yield replace(case, shape=shape, options={**case.options, "activations": kept})


def _with_plainer_options(case: CampaignCase) -> Iterator[CampaignCase]:
    for name, value in case.options.items():
        if name == "activations" and isinstance(value, list):
            for place, function in enumerate(value):
                if function != PLAIN_ACTIVATION:
                    plainer = [*value[:place], PLAIN_ACTIVATION, *value[place + 1 :]]
                    yield replace(case, options={**case.options, name: plainer})
        elif name not in PLAINEST:
            yield replace(case, options={key: it for key, it in case.options.items() if key != name})
        elif value != PLAINEST[name]:
            yield replace(case, options={**case.options, name: PLAINEST[name]})
            if isinstance(value, int):
                yield from (
                    replace(case, options={**case.options, name: n}) for n in range(1, min(value, SEEDS))
                )


def _without(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*shape[:place], *shape[place + 1 :])


def _at(shape: tuple[int, ...], place: int, n: int) -> tuple[int, ...]:
    return (*shape[:place], n, *shape[place + 1 :])
