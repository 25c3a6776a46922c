"""The lockstep: sides that start from the same bits and walk on their own, held to account each step.

After every step two gates are asked. Certificates: does each side's every formula hold on its own
numbers, and does its step start, bit for bit, from where its last one ended? Side by side: do the
two sides' numbers lie inside the one bound that admits both? If both hold, each run, of any length,
is one admissible rounding of the same mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from parity.case import Case
from parity.certificate import Certifier, Finding, Verdict
from parity.ledger import Ledger
from parity.sidebyside import side_by_side
from reference.arrays import Array
from reference.equations import Constants
from reference.network import Network
from reference.trace import Trace


class Side(Protocol):
    """Anybody's implementation of the network: it takes one training step and shows its trace."""

    @property
    def name(self) -> str: ...

    def step(self, x: Array, y: Array) -> Trace: ...


class Reference:
    """The deck's engine as a side."""

    name = "reference"

    def __init__(self, case: Case) -> None:
        self.network = Network(case.architecture, case.parameters)
        self.lr = case.lr

    def step(self, x: Array, y: Array) -> Trace:
        return self.network.step(x, y, self.lr)


@dataclass(frozen=True)
class Moment:
    """What an observer sees of one step: it may look at the traces, and must copy what it keeps."""

    step: int
    traces: dict[str, Trace]
    worst_ratio: float


Observer: TypeAlias = Callable[[Moment], None]


@dataclass(frozen=True)
class Walk:
    """How a lockstep went: its ledger, steps taken, losses first and last, and why it ended early."""

    ledger: Ledger
    steps: int
    losses: dict[str, list[float]]
    reason: str | None = None
    diverged: bool = False


def lockstep(
    case: Case, sides: Sequence[Side], observers: Sequence[Observer] = (), *, keep_going: bool = False
) -> Walk:
    """Walk all sides through the case's steps; stop at the first mismatch unless told to keep going."""
    certifier = Certifier(case.architecture)
    ledger = Ledger()
    before = {side.name: case.parameters for side in sides}
    losses: dict[str, list[float]] = {}
    step = 0
    # e^−z may overflow where σ is 0, and a diverging run everywhere: the gates say so, numpy need not.
    with np.errstate(all="ignore"):
        for step, (x, y) in zip(range(case.steps), case.batches(), strict=False):
            constants = {"n": case.architecture.n(x.shape[1]), "lr": case.lr}
            traces = {side.name: side.step(x, y) for side in sides}
            worst = _certify(certifier, ledger, step, traces, before, constants)
            worst = max(worst, _side_by_side(certifier, ledger, step, traces, constants))
            for name, trace in traces.items():
                before[name] = {
                    p: trace[f"{p}_next"].copy() for p in case.parameters if f"{p}_next" in trace
                }
                _note_loss(losses, name, trace)
            for observe in observers:
                observe(Moment(step, traces, worst))
            if ledger.mismatch and not keep_going:
                return Walk(ledger, step + 1, losses, "stopped at the first divergence")
            if not all(np.isfinite(ends[-1]) for ends in losses.values()):
                last = next(iter(losses.values()))[-1]
                reason = (
                    f"training diverged at step {step}: the loss is {last}; try a smaller lr than {case.lr}"
                )
                return Walk(ledger, step + 1, losses, reason, diverged=True)
    return Walk(ledger, step + 1 if case.steps else 0, losses)


def _certify(
    certifier: Certifier,
    ledger: Ledger,
    step: int,
    traces: dict[str, Trace],
    before: dict[str, dict[str, Array]],
    constants: Constants,
) -> float:
    """The first gate, equation by equation over all sides: the first divergence is the first executed."""
    worst = 0.0
    links = {name: broken_links(trace, before[name]) for name, trace in traces.items()}
    certificates = {name: certifier.certify(trace, constants) for name, trace in traces.items()}
    for equation in certifier.equations:
        for name, findings in certificates.items():
            finding = next(findings)
            broken = links[name].get(equation.makes.removesuffix("_next"))
            if broken and equation.makes.endswith("_next"):
                finding = Finding(equation, Verdict.DIFFERENT, 0, 0, vacuous=False, complaint=broken)
            ledger.certify(step, name, finding)
            worst = max(worst, finding.ratio)
    return worst


def broken_links(trace: Trace, before: dict[str, Array]) -> dict[str, str]:
    """The parameters from which a step starts although the step before did not end there."""
    return {
        name: f"the step does not start from the {name} that the step before ended with"
        for name, ended in before.items()
        if name in trace and trace[name].tobytes() != ended.tobytes()
    }


def _side_by_side(
    certifier: Certifier, ledger: Ledger, step: int, traces: dict[str, Trace], constants: Constants
) -> float:
    """The second gate, where there are two sides and both show everything."""
    worst = 0.0
    if len(traces) != 2 or any(certifier.complaints(trace) for trace in traces.values()):
        return worst
    (ours_name, ours), (theirs_name, theirs) = traces.items()
    for pair in side_by_side(certifier, ours, theirs, constants):
        ledger.compare(step, (ours_name, theirs_name), pair)
        worst = max(worst, pair.ours.ratio, pair.theirs.ratio)
    return worst


def _note_loss(losses: dict[str, list[float]], name: str, trace: Trace) -> None:
    """Keep the first loss and the last."""
    if "loss" in trace:
        loss = float(trace["loss"])
        losses[name] = [losses.get(name, [loss])[0], loss]
