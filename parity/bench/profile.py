"""Profiles the parts of a certified lockstep step.

Each part's time excludes that of the parts within it, and the median over the faster half of the steps
is reported. Matrix products are timed as part of their caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from unittest.mock import patch

import numpy as np

from parity.bench.measure import PRODUCTS, SIZES, bench_case, contestant
from parity.bench.rows import BenchRow
from parity.certify.continuity import Continuity
from parity.certify.filter.certificates import FirstGate
from parity.certify.filter.cross_check import SecondGate
from parity.certify.filter.gradients import Parameters
from parity.certify.filter.inputs import StepInputs
from parity.certify.plan.comparison import Comparison
from parity.certify.plan.plan import StepPlan
from parity.certify.plan.program import Program
from parity.lockstep.lockstep import Reference
from parity.pytorch.twin import Twin
from parity.render.texts.message import Message, joined

SECONDS = 1.5
"""Approximate duration of profiling, in seconds."""

CALL = 4
"""Size of an array so small that the time of a numpy call on it is the overhead of a call."""

PARTS: dict[tuple[type, str], Message] = {
    (Twin, "step"): Message("bench_part_torch"),
    (Reference, "step"): Message("bench_part_engine"),
    (Continuity, "broken"): Message("bench_part_links"),
    (Continuity, "advance"): Message("bench_part_links"),
    (StepPlan, "take_in"): Message("bench_part_taking"),
    (Program, "run"): Message("bench_part_gates"),
    (Comparison, "shares"): Message("bench_part_held"),
    (StepInputs, "gather"): Message("bench_part_taking"),
    (FirstGate, "evaluate"): Message("bench_part_first"),
    (FirstGate, "shares"): Message("bench_part_held_forward"),
    (SecondGate, "evaluate"): Message("bench_part_second"),
    (Parameters, "evaluate"): Message("bench_part_updates"),
}
REST = Message("bench_rest")


@dataclass(frozen=True)
class Part:
    """One part of a step, with its `share` of the step's time and what numpy's `calls` in plans take."""

    size: str
    what: str
    microseconds: float
    share: float
    calls: float | None = None

    def to_json(self) -> dict[str, str | float]:
        """The part as `parity-bench/1` has it."""
        numbers = {"microseconds": self.microseconds, "share": self.share}
        if self.calls is not None:
            numbers["calls"] = self.calls
        return {"size": self.size, "what": self.what, **numbers}


class _Clock:
    """Times the parts of a step, each without the parts within it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open: list[tuple[str, float]] = []  # the parts being timed, and the time of their inner parts

    def timed(self, what: str | None, function: Callable[..., object]) -> Callable[..., object]:
        """The function with its time counted as `what`, or as its caller's matrix products."""

        def call(*args: object, **options: object) -> object:
            outer = self._open[-1][0] if self._open else None
            part = what or (Message("bench_part_products", part=outer) if outer else REST)
            self._open.append((part, 0.0))
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                took = time.perf_counter() - start
                inner = self._open.pop()[1]
                self.spent[part] = self.spent.get(part, 0.0) + took - inner
                if self._open:
                    caller, before = self._open[-1]
                    self._open[-1] = (caller, before + took)

        return call

    def lap(self) -> dict[str, float]:
        """The time by part since the last lap."""
        spent, self.spent = self.spent, {}
        return spent


@contextmanager
def _watched() -> Iterator[_Clock]:
    clock = _Clock()
    with ExitStack() as stack:
        stack.enter_context(patch.object(np, "matmul", clock.timed(None, np.matmul)))
        for (owner, name), what in PARTS.items():
            stack.enter_context(patch.object(owner, name, clock.timed(what, getattr(owner, name))))
        yield clock


def profile(size: str, dtype: str, activation: str) -> list[Part]:
    """The parts of a certified step, largest first, and the overhead of a numpy call."""
    case = bench_case(SIZES[size], dtype, activation)
    with np.errstate(all="ignore"), _watched() as clock:
        step = contestant("certified", case)
        for _ in range(3):
            step()
        laps: list[tuple[float, dict[str, float]]] = []
        clock.lap()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(laps) < 3:
            start = time.perf_counter()
            step()
            laps.append((time.perf_counter() - start, clock.lap()))
    laps = sorted(laps, key=lambda lap: lap[0])[: (len(laps) + 1) // 2]
    whole = median(total for total, _ in laps)
    names = sorted({name for _, lap in laps for name in lap})
    spent = {name: median(lap.get(name, 0.0) for _, lap in laps) for name in names}
    spent[REST] = spent.get(REST, 0.0) + max(0.0, whole - sum(spent.values()))
    parts = [Part(size, what, took * 1e6, took / whole) for what, took in spent.items()]
    return sorted(parts, key=lambda part: -part.microseconds)


def call_microseconds() -> float:
    """The overhead of a numpy call, in microseconds."""
    few, out = np.zeros(CALL, np.float32), np.zeros(CALL, np.float32)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        for _ in range(100):
            np.negative(few, out=out)
        times.append((time.perf_counter() - start) / 100)
    return median(times) * 1e6


def reasons(rows: Sequence[BenchRow], parts: Sequence[Part]) -> list[Message]:
    """For each ratio above its target, the largest parts of its time."""
    found = []
    for row in rows:
        if row.reach is None or row.median <= row.reach:
            continue
        here = [part for part in parts if part.size == row.size]
        if row.what == "engine/torch":
            here = [part for part in here if part.what.startswith("the engine")]
        elif row.what == "recorded/eager":
            here = [part for part in here if part.what == REST]
        elif row.what == "lockstep/plain":
            here = [part for part in here if not part.what.startswith("checks")]
        floor = [other.median for other in rows if (other.size, other.what) == (row.size, PRODUCTS)]
        times = [
            Message("bench_time", what=part.what, microseconds=f"{part.microseconds:.0f}")
            for part in here[:5]
        ]
        if row.what == "engine/torch" and floor:
            times.insert(0, Message("bench_floor", share=f"{floor[0]:.2f}"))
        if row.what == "certified/eager" and here:
            times.insert(0, Message("bench_least", ratio=f"{_least(row, here):.1f}"))
        took, reach = f"{row.median:.2f}", f"{row.reach:g}"
        found.append(
            Message(
                "bench_missed",
                size=row.size,
                what=row.what,
                median=took,
                reach=reach,
                times=joined(times),
            )
        )
    return found


def _least(row: BenchRow, parts: Sequence[Part]) -> float:
    """A watched step's ratio of numpy's calls on buffers, PyTorch's step and the recorder alone."""
    eager = row.microseconds / row.median
    return sum(part.microseconds if part.what == REST else part.calls or 0.0 for part in parts) / eager
