"""Where the time of a certified step of a watched model goes: by formula, without what is inside of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from parity.bench.profile import REST, Part
from parity.bench.watched import watching
from parity.certify.measure import Measured
from parity.watch import checks, products, updates
from reference.formula import Formula

STEPS = 4


class _Spent:
    def __init__(self) -> None:
        self.seconds = self.numbers = 0.0


def profile(name: str) -> list[Part]:
    """The parts of a certified step of a model, the largest first: processor time."""
    spent: dict[str, _Spent] = defaultdict(_Spent)
    with watching(name) as step, _timed(spent):
        step()
        spent.clear()
        start = time.process_time()
        for _ in range(STEPS):
            step()
        total = (time.process_time() - start) / STEPS
    times = {_shown(what, one.numbers / STEPS): one.seconds / STEPS for what, one in spent.items()}
    times[REST] = total - sum(times.values())
    parts = [Part(name, what, seconds * 1e6, seconds / total) for what, seconds in times.items()]
    return sorted(parts, key=lambda part: -part.microseconds)


def _shown(what: str, numbers: float) -> str:
    return f"{what}, {numbers / 1e6:.2f} million numbers"


@contextmanager
def _timed(spent: dict[str, _Spent]) -> Iterator[None]:
    def timed(judge: Callable[..., Measured], named: Callable[..., str]) -> Callable[..., Measured]:
        def call(*args: object, **options: object) -> Measured:
            start = time.process_time()
            found = judge(*args, **options)
            one = spent[named(*args)]
            one.seconds += time.process_time() - start
            one.numbers += found.numbers
            return found

        return call

    def formula(found: Formula, *rest: object) -> str:
        return found.name

    judges: list[tuple[object, str, Callable[..., str]]] = [
        (checks, "judge", formula),
        (products, "judge", formula),
        (checks, "summed", lambda *args: "sums of gradients"),
        (updates, "held", lambda *args: "the optimizer"),
    ]
    with ExitStack() as stack:
        for owner, judge, named in judges:
            stack.enter_context(patch.object(owner, judge, timed(getattr(owner, judge), named)))
        yield
