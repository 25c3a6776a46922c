"""Where the time of a certified step of a watched model goes: by formula, without what is inside of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from parity.bench.profile import REST, Part
from parity.bench.watched import watching
from parity.certify.measure import Measured, Within
from parity.certify.plan.program import Program
from parity.render.texts.message import Message
from parity.watch import checks, products, updates
from reference.formula import Formula

STEPS = 4


class _Spent:
    """The time of one formula, what numpy's calls in its plan take of it, and how many numbers it made."""

    def __init__(self) -> None:
        self.seconds = self.calls = self.numbers = 0.0


def profile(name: str) -> list[Part]:
    """The parts of a certified step of a model, the largest first: processor time."""
    spent: dict[str, _Spent] = defaultdict(_Spent)
    with watching(name) as step, _timed(spent):
        for _ in range(STEPS):
            step()
        spent.clear()
        start = time.process_time()
        for _ in range(STEPS):
            step()
        total = (time.process_time() - start) / STEPS
    parts = [
        Part(
            name,
            _shown(what, one.numbers / STEPS),
            one.seconds / STEPS * 1e6,
            one.seconds / STEPS / total,
            one.calls / STEPS * 1e6,
        )
        for what, one in spent.items()
    ]
    rest = total - sum(one.seconds for one in spent.values()) / STEPS
    parts.append(Part(name, REST, rest * 1e6, rest / total))
    return sorted(parts, key=lambda part: -part.microseconds)


def _shown(what: str, numbers: float) -> Message:
    return Message("bench_numbers", what=what, millions=f"{numbers / 1e6:.2f}")


@contextmanager
def _timed(spent: dict[str, _Spent]) -> Iterator[None]:
    inside = _Spent()  # of the formula that is being judged

    def timed(judge: Callable[..., Measured], named: Callable[..., str]) -> Callable[..., Measured]:
        def call(*args: object, **options: object) -> Measured:
            inside.calls = 0.0
            start = time.process_time()
            found = judge(*args, **options)
            one = spent[named(*args)]
            one.seconds += time.process_time() - start
            one.calls += inside.calls
            one.numbers += found.numbers
            return found

        return call

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            start = time.process_time()
            found = function(*args)
            inside.calls += time.process_time() - start
            return found

        return call

    def formula(found: Formula, *rest: object) -> str:
        return found.name

    judges: list[tuple[object, str, Callable[..., str]]] = [
        (checks, "judge", formula),
        (products, "judge", formula),
        (checks, "summed", lambda *args: Message("bench_sums")),
        (updates, "held", lambda *args: Message("bench_optimizer")),
    ]
    with ExitStack() as stack:
        for owner, judge, named in judges:
            stack.enter_context(patch.object(owner, judge, timed(getattr(owner, judge), named)))
        for kind, method in ((Program, "run"), (Within, "measured")):
            stack.enter_context(patch.object(kind, method, counted(getattr(kind, method))))
        yield
