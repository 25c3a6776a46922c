"""The plan and the plain path on the same steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np

from parity.bounds import SLACK, sliced
from parity.certify.accepted import AcceptedShares
from parity.certify.certificate import Certifier, Verdict
from parity.certify.cross_check import cross_check
from parity.certify.plan import blocking, comparison, guards
from parity.certify.plan.layout import StepLayout
from parity.certify.plan.plan import StepPlan
from parity.certify.plan.tracing import traced
from parity.config.case import Case
from parity.lockstep.lockstep import Reference
from parity.pytorch.twin import Twin
from reference.equations import constants
from reference.trace import Trace


@contextmanager
def as_of_large_networks() -> Iterator[None]:
    """Plans that are made inside take small networks as they take large ones: in blocks, and in slices."""
    with ExitStack() as stack:
        for module, name, value in (
            (blocking, "LARGE", 4),
            (blocking, "BLOCK", 5),
            (comparison, "BLOCK", 7),
            (guards, "FEW", 3),
            (sliced, "WORTH", 1),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


class BothPaths:
    """One case's steps, its certifier, and a plan recorded on the step that was last given to `record`."""

    def __init__(self, case: Case) -> None:
        self.case, self.certifier = case, Certifier(case.architecture)
        self.plan: StepPlan | None = None
        self.general: set = set()

    def steps(self) -> Iterator[tuple[dict[str, float], dict[str, Trace]]]:
        """The constants of each step and both sides' traces, which the next step does not overwrite."""
        case = self.case
        sides = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
        with np.errstate(all="ignore"):
            for step, (x, y) in zip(range(case.steps), case.batches(), strict=False):
                traces = {side.name: side.step(x, y).kept() for side in sides}
                yield constants(case.architecture, case.architecture.samples(x), case.lr, step + 1), traces

    def record(self, known: dict[str, float], traces: dict[str, Trace]) -> None:
        """Record a plan on these traces; raises UnplannableError."""
        sides = tuple(traces.values())
        layout = StepLayout(self.certifier, sides[0], self.case.architecture.samples(sides[0]["x"]))
        tracing = traced(self.certifier, layout, sides, known, self.general)
        self.general |= tracing.tape.general
        self.plan = StepPlan(self.certifier, layout, tracing)

    def disagreements(
        self, shares: AcceptedShares, known: dict[str, float], traces: dict[str, Trace]
    ) -> list[str]:
        """What the plain path says otherwise than a plan that accepted the step."""
        judge, found = self.certifier.arithmetic, []
        # Each path's truth is off by its own rounding, which the bound holds at u_truth for every u.
        room = 2 * judge.u_truth / judge.u * SLACK
        place = {name: i for i, name in enumerate(shares.names)}
        for side, trace in enumerate(traces.values()):
            for finding in self.certifier.certify(trace, known):
                name = finding.equation.makes
                share = float(shares.certificates[side, place[name]])
                if finding.verdict is not Verdict.MATCH or finding.undecided:
                    found.append(f"{name}: {finding.verdict}, {finding.undecided} undecided")
                elif abs(share - finding.ratio) > room:
                    found.append(f"{name}: {share} of the bound, and {finding.ratio}")
        for pair in cross_check(self.certifier, traces, known):
            name = pair.equation.makes
            if pair.max_abs != shares.max_abs[place[name]]:
                found.append(f"{name}: {shares.max_abs[place[name]]} apart, and {pair.max_abs}")
            for side, finding in enumerate(pair.findings.values()):
                share = float(shares.side_by_side[side, place[name]])
                if (
                    finding.verdict is not Verdict.MATCH
                    or finding.undecided != shares.undecided[place[name]]
                ):
                    found.append(f"{name} together: {finding.verdict}, {finding.undecided} undecided")
                elif abs(share - finding.ratio) > room:
                    found.append(f"{name} together: {share} of the bound, and {finding.ratio}")
        return found


CHANGES = (
    "outside",
    "doubled",
    "negated",
    "zero",
    "nan",
    "inf",
    "huge",
    "subnormal",
    "neighbour",
    "permuted",
)
"""Mechanical changes of a recorded tensor."""


def changed(both: BothPaths, known, traces, side: str, name: str, change: str, random) -> dict[str, Trace]:
    """The traces, with one number (or, for `permuted`, all) of one tensor of one side changed."""
    tensor = np.array(traces[side][name])
    at = np.unravel_index(int(random.integers(tensor.size)), tensor.shape)
    limits = np.finfo(tensor.dtype)
    if change == "permuted":
        tensor = random.permutation(tensor.ravel()).reshape(tensor.shape)
    elif change == "outside":
        tensor[at] = _outside(both, known, traces[side], name, at, tensor)
    else:
        old = tensor[at]
        tensor[at] = {
            "doubled": 2 * old,
            "negated": -old,
            "zero": 0,
            "nan": np.nan,
            "inf": np.inf,
            "huge": limits.max / 2,
            "subnormal": limits.smallest_subnormal,
            "neighbour": np.nextafter(old, old.dtype.type(np.inf)),
        }[change]
    return {**traces, side: Trace({**traces[side], name: tensor})}


def _outside(both: BothPaths, known, trace: Trace, name: str, at: tuple[int, ...], tensor: np.ndarray):
    """The number nearest to 1.01 times the bound away from the truth, not nearer."""
    equation = next((e for e in both.certifier.equations if e.makes == name), None)
    if equation is None:
        return tensor[at] * 2
    with np.errstate(all="ignore"):
        truth = both.certifier.measure(equation, trace, known)[1]
    value = truth.value[at]
    reach = 1.01 * SLACK * np.broadcast_to(truth.carried, truth.shape)[at]
    up = tensor.dtype.type(np.inf)
    moved = tensor.dtype.type(value + reach)
    return moved if abs(truth.arithmetic.lift(moved) - value) >= reach else np.nextafter(moved, up)
