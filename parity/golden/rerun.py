"""Repeats each step of a golden with a current side, starting from the golden's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from parity.certify.certificate import Certifier
from parity.certify.continuity import Continuity
from parity.certify.cross_check import starts
from parity.certify.step import CheckedStep
from parity.config.case import Case
from parity.golden import bits
from parity.golden.graph import StoredCase, reference_side, torch_side
from parity.golden.result import AgainstRow, BitDifference
from parity.lockstep.lockstep import Side
from parity.lockstep.tally import Tally
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation, constants, step_equations
from reference.trace import Trace

MakeSide: TypeAlias = Callable[[Case], Side]
"""Makes a side with the parameters and learning rate of a case."""


TODAY: Mapping[str, MakeSide] = {"reference": reference_side, "torch": torch_side}


def keeps_state(architecture: Architecture) -> bool:
    """Whether a step depends on more of the previous steps than W and b: moments, or their number."""
    equations = step_equations(architecture)
    counted = {name for equation in equations for name in equation.constants}
    given = {*architecture.example(1), *architecture.parameter_shapes()}
    return bool(counted - {"n", "lr"} or set(starts(equations)) - given)


@dataclass
class _Row:
    numbers: int = 0
    differing: int = 0
    ulps: int | None = None


class Today:
    """A current side repeating a golden's steps, with its certificates, cross-checks and differing bits.

    `counterpart` is the golden's side from which it starts and with which it is compared.
    """

    def __init__(self, case: Case, side: str, counterpart: str, make: MakeSide) -> None:
        self.case, self.side, self.counterpart, self._make = case, side, counterpart, make
        self.certifier = Certifier(case.architecture, findings=case.findings_of(side))
        self._both = Certifier(case.architecture, findings=case.findings)
        self.tally = Tally()
        self.first_difference: BitDifference | None = None
        self._rows: dict[tuple[str, int], _Row] = {}
        self._walks = keeps_state(case.architecture)
        self._standing: Side | None = None
        data = case.architecture.example(1).keys() - {*case.architecture.statistics}
        self._starts = [name for name in starts(self.certifier.equations) if name not in data]
        self._continuity = Continuity({})

    def take(self, step: int, recorded: Trace) -> None:
        """Repeat one step from the golden's parameters.

        A side whose optimizer keeps a state cannot be reset to them: it starts with the golden's initial
        parameters and continues independently, as in the lockstep.
        """
        # A sample is contiguous in memory, as in training; the order of sums depends on the layout.
        x, y = (np.array(recorded[name], order=self.case.architecture.order) for name in ("x", "y"))
        with np.errstate(all="ignore"):  # as in the lockstep, the gates report overflow
            if self._standing is None or not self._walks:
                self._standing = self._make(self._from(step, recorded, x, y))
                self._continuity = Continuity({name: recorded[name] for name in self._starts})
            here = self._standing.step(x, y)
            self._check(step, here, recorded)

    def _from(self, step: int, recorded: Trace, x: Array, y: Array) -> Case:
        """The case of a side that starts where the recorded step started."""
        model = self.case.architecture
        start = {name: recorded[name] for name in (*model.parameter_shapes(), *model.statistics)}
        begun = replace(self.case, parameters=start, x=x, y=y)
        if isinstance(begun, StoredCase):
            return replace(begun, recorded=begun.recorded[step:])
        return begun

    def _check(self, number: int, here: Trace, recorded: Trace) -> None:
        batch = self.case.architecture.samples(recorded["x"])
        known = constants(self.case.architecture, batch, self.case.lr, number + 1)
        traces = {f"golden/{self.counterpart}": recorded, self.side: here}
        broken = {self.side: self._continuity.follow(here)}
        self.tally.enter(
            number, CheckedStep(traces, known, {self.side: self.certifier}, broken), self._both
        )
        complaints = self.certifier.complaints(here)
        for equation in self.certifier.equations:
            if equation.makes not in complaints:
                self._look(number, equation, recorded, here)

    def _look(self, step: int, equation: Equation, recorded: Trace, here: Trace) -> None:
        golden, now = recorded[equation.makes], here[equation.makes]
        found = bits.compare(golden, now)
        row = self._rows.setdefault((equation.quantity, equation.layer), _Row())
        row.numbers += golden.size
        row.differing += found.differing
        if found.index is None:
            return
        if found.ulps is not None:
            row.ulps = max(row.ulps or 0, found.ulps)
        if self.first_difference is None:
            self.first_difference = BitDifference(
                step=step,
                side=self.side,
                quantity=equation.quantity,
                layer=equation.layer,
                index=list(found.index),
                golden=float(golden[found.index]),
                here=float(now[found.index]),
                ulps=found.ulps,
            )

    @property
    def numbers(self) -> int:
        """The count of numbers compared with the golden's bit by bit."""
        return sum(row.numbers for row in self._rows.values())

    @property
    def differing(self) -> int:
        return sum(row.differing for row in self._rows.values())

    def rows(self) -> list[AgainstRow]:
        """One row for each tensor, in the order of execution."""
        found = []
        for row in self.tally.side_by_side_rows():
            own = self._rows[row.quantity, row.layer]
            facts = row.model_dump() | {"side": self.side, "differing": own.differing, "ulps": own.ulps}
            found.append(AgainstRow.model_validate(facts))
        return found
