"""The lockstep: sides start from the same bits, train independently, and are checked after every step.

Each step passes two gates. Certificates: every formula of each side holds on the side's own numbers, and
the step starts, bit for bit, from where the side's last one ended. Cross-check: the numbers of both sides
lie inside one common bound. If both hold in every step, each run, of any length, is one admissible
rounding of the same mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol, TypeAlias

import numpy as np

from parity.certify.certificate import Certifier
from parity.certify.continuity import Continuity
from parity.certify.step import CheckedStep
from parity.certify.whole import PATIENCE, WholeSteps
from parity.config.case import Case
from parity.errors import UsageError
from parity.lockstep.tally import Tally
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.engine import Network
from reference.equations import constants
from reference.trace import Trace


class Side(Protocol):
    """An implementation of the network that takes training steps and returns their traces."""

    @property
    def name(self) -> str: ...

    def step(self, x: Array, y: Array) -> Trace: ...


Given: TypeAlias = Callable[[Array, Array], Mapping[str, Array]]


class Reference:
    """The deck's engine as a side."""

    name = "reference"

    def __init__(self, case: Case, given: Given | None = None) -> None:
        """Create the side; `given` supplies inputs besides x and y, such as another side's masks."""
        self.network = Network(case.architecture, case.parameters)
        self.lr, self._given = case.lr, given

    def step(self, x: Array, y: Array) -> Trace:
        return self.network.step(x, y, self.lr, self._given(x, y) if self._given else None)


@dataclass(frozen=True)
class TrainingStep:
    """One step as passed to an observer, which must copy any trace that it keeps."""

    step: int
    traces: dict[str, Trace]
    worst_ratio: float


class Enough(Exception):  # noqa: N818 - it is no error
    """Raised by an observer to end the lockstep after the step that it has seen, for this reason."""

    def __init__(self, reason: Message) -> None:
        super().__init__(str(reason))
        self.reason = reason


Observer: TypeAlias = Callable[[TrainingStep], None]
"""Called after each step. May raise `Enough`."""


@dataclass(frozen=True)
class Walk:
    """The outcome of a lockstep: its tally, steps taken, first and last losses, and why it ended early."""

    tally: Tally
    steps: int
    losses: dict[str, list[float]]
    certify: Certify
    reason: Message | None = None
    diverged: bool = False


class Certify:
    """Which steps are certified: every K-th, or (0) only the last. Continuity is checked at every step."""

    def __init__(self, every: int = 1) -> None:
        self.every = every

    @classmethod
    def parse(cls, text: str) -> Certify:
        """`every`, `last`, or K. Raises UsageError for anything else."""
        named = {"every": 1, "last": 0}
        if text in named:
            return cls(named[text])
        if not text.isdecimal() or int(text) == 0:
            raise UsageError(Message("certify_text", text=text))
        return cls(int(text))

    def said(self) -> Message:
        """The certified steps, as a message."""
        named = {0: "certified_last", 1: "certified_every"}
        return Message(named.get(self.every, "certified_some"), number=self.every)

    def wants(self, step: int, steps: int) -> bool:
        return step + 1 == steps or (self.every > 0 and step % self.every == 0)


def lockstep(
    case: Case,
    sides: Sequence[Side],
    observers: Sequence[Observer] = (),
    *,
    keep_going: bool = False,
    certify: Certify | None = None,
    filtered: bool = True,
) -> Walk:
    """Run all sides through the case's steps; stop at the first mismatch unless `keep_going`.

    With `filtered` False every step is judged in full; verdicts are the same (see `certify.whole`).
    """
    gates = Gates(case, [side.name for side in sides], filtered=filtered)
    certify = certify or Certify()
    tally = gates.tally
    losses: dict[str, list[float]] = {}
    step, reason, diverged = 0, None, False
    # e^−z may overflow where σ is 0, and a diverging run everywhere: the gates report it, not numpy.
    with np.errstate(all="ignore"):
        for step, (x, y) in zip(range(case.steps), case.batches(), strict=False):
            traces = {side.name: side.step(x, y) for side in sides}
            worst = gates.ask(
                step, traces, case.architecture.samples(x), certified=certify.wants(step, case.steps)
            )
            for name, trace in traces.items():
                _note_loss(losses, name, trace)
            try:
                for observe in observers:
                    observe(TrainingStep(step, traces, worst))
            except Enough as enough:
                reason = enough.reason
                break
            if tally.mismatch and not keep_going:
                reason = Message("stopped")
                break
            diverged = not all(isfinite(ends[-1]) for ends in losses.values())
            if diverged:
                reason = Message("diverged", step=step, loss=next(iter(losses.values()))[-1])
                break
    return Walk(tally, step + 1, losses, certify, reason, diverged)


class Gates:
    """Both gates and continuity, over all steps of a lockstep.

    `patience` is how many steps are judged one by one before a plan is recorded; `whole` tells whether the
    last step was accepted whole.
    """

    whole = False

    def __init__(
        self, case: Case, sides: Sequence[str], *, filtered: bool = True, patience: int = PATIENCE
    ) -> None:
        self.case, self.tally = case, Tally()
        self.certifier = Certifier(case.architecture, findings=case.findings)
        self._certifiers = {name: self._certifier_of(name) for name in sides}
        start = case.parameters | case.architecture.initial_state(case.parameters, case.lr)
        self._continuity = {name: Continuity(start) for name in sides}
        alike = all(certifier is self.certifier for certifier in self._certifiers.values())
        whole = filtered and len(sides) == 2 and alike
        self._whole = WholeSteps(self.certifier, patience) if whole else None

    def _certifier_of(self, side: str) -> Certifier:
        findings = self.case.findings_of(side)
        if findings == self.case.findings:
            return self.certifier
        return Certifier(self.case.architecture, findings=findings)

    def ask(self, step: int, traces: dict[str, Trace], batch: int, *, certified: bool) -> float:
        """Judge a step; returns the largest used share of a bound."""
        broken = {name: self._continuity[name].follow(trace) for name, trace in traces.items()}
        continuous = not any(broken.values())
        if not certified and continuous:
            return 0.0
        known = constants(self.case.architecture, batch, self.case.lr, step + 1)
        shares = self._whole.accepts(traces, known, batch) if self._whole and continuous else None
        self.whole = shares is not None
        if shares is not None:
            ours, theirs = traces
            self.tally.accept(self.certifier.equations, (ours, theirs), shares)
            return float(max(shares.certificates.max(), shares.side_by_side.max()))
        return self.tally.enter(step, CheckedStep(traces, known, self._certifiers, broken), self.certifier)


def _note_loss(losses: dict[str, list[float]], name: str, trace: Trace) -> None:
    """Store the first and the last loss of a side."""
    if "loss" in trace:
        loss = float(trace["loss"])
        losses.setdefault(name, [loss, loss])[1] = loss
