"""The observer that makes a recording while a run goes on, and never holds more than a page can show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from parity.bounds.formats import format_of
from parity.config.case import Case
from parity.explain import Brief, Inspector, briefly
from parity.lockstep.lockstep import TrainingStep
from parity.report.recording import Curve, Extras, Recording
from reference.architecture import Architecture
from reference.model import Model
from reference.trace import Trace

MAX_WHOLE = 8
"""Steps that are kept whole, ever wider apart: every number of them can be looked at."""
MAX_BRIEF = 120
"""Steps of which each tensor's most telling number is kept: a run of so many is all there."""
MAX_POINTS = 400
"""Points of a curve: more than a screen has room for is thinned to every second one."""
MAX_WORK = 5e9
"""Products that looking at the steps in brief may take; a large network has fewer steps in brief."""


class PageRecorder:
    """Keeps some steps whole, more in brief; always the first, the last, and the first alarm."""

    def __init__(
        self,
        architecture: Model,
        lr: float,
        planned: int,
        most: int = MAX_WHOLE,
        findings: Sequence[str] = (),
        brief: int = MAX_BRIEF,
    ) -> None:
        """`planned` is how many steps there will be; `most` (3 or more) how many are kept whole.

        `brief` is how many more are kept in brief, at most; `findings` are the accepted deviations of
        PyTorch's.
        """
        self._examiner = Inspector(architecture, lr, findings)
        layered = isinstance(architecture, Architecture)
        self._planned, self._most_brief = planned, brief
        self._whole = spread(planned, most) if layered else frozenset({0, planned - 1})
        self._wanted: frozenset[int] | None = None
        self._every = max(1, -(-planned // MAX_POINTS))
        self._alarmed = False
        self._steps: dict[int, dict[str, Trace]] = {}
        self._brief: dict[int, list[Brief]] = {}
        self._curve: list[Curve] = []

    @classmethod
    def of(cls, case: Case, most: int = MAX_WHOLE, brief: int = MAX_BRIEF) -> PageRecorder:
        """A recorder of a case's run."""
        return cls(case.architecture, case.lr, case.steps, most, case.findings, brief)

    def __call__(self, seen: TrainingStep) -> None:
        """Look at one step; what is kept is copied."""
        losses = {side: float(trace["loss"]) for side, trace in seen.traces.items() if "loss" in trace}
        bad = not seen.worst_ratio <= 1 or not all(map(math.isfinite, losses.values()))
        news = bad and not self._alarmed
        self._alarmed = self._alarmed or bad
        if self._wanted is None:
            self._wanted = spread(self._planned, self._affordable(seen))
        if seen.step in self._whole or news:
            self._steps[seen.step] = {side: t.kept() for side, t in seen.traces.items()}
        elif seen.step in self._wanted:
            self._brief[seen.step] = briefly(self._examiner.rows(seen.traces, seen.step))
        if seen.step % self._every == 0 or seen.step in self._whole or news:
            self._curve.append(Curve(seen.step, losses, seen.worst_ratio))

    def _affordable(self, seen: TrainingStep) -> int:
        """Of how many steps this network can be looked at in brief."""
        of = self._examiner.architecture
        batch = next(of.samples(trace["x"]) for trace in seen.traces.values() if "x" in trace)
        weights = sum(map(math.prod, of.parameter_shapes().values()))
        wider = 1 if format_of(of.dtype).truth == "float64" else 30  # longdouble and balls know no BLAS
        work = 3 * weights * batch * wider * len(seen.traces)
        return int(min(self._most_brief, max(3, MAX_WORK // work)))

    def recording(self) -> Recording:
        """What was kept so far."""
        extras = Extras(self._brief, self._curve)
        of = self._examiner
        return Recording(of.architecture, of.lr, tuple(of.findings), self._steps, extras)


def spread(planned: int, most: int = MAX_WHOLE) -> frozenset[int]:
    """Which of `planned` steps to keep, at most `most` (3 or more): ever wider apart, and the last."""
    if planned <= most:
        return frozenset(range(planned))
    gaps = max(1, most - 2)
    return frozenset({0, planned - 1, *(round((planned - 1) ** (i / gaps)) for i in range(most - 1))})
