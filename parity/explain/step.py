"""Inspects one step: every tensor with each side's numbers, the truth, the bound and a mark.

All verdicts come from the certificate (`certify.certificate`), evaluated again for this step. A side that
hides tensors is judged as in `parity check`: hidden tensors are recomputed, in bounded arithmetic, from
those that are shown (`parity.certify.observation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from parity.bounds import SLACK
from parity.bounds.number import Bounded
from parity.certify.certificate import Certifier, compare
from parity.certify.cross_check import CrossCheck, cross_check, starts
from parity.certify.observation import Observation, Reconstruction
from parity.explain.row import Row, SideNumbers
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Constants, Equation, constants, shapes, step_equations
from reference.model import Model
from reference.trace import Trace

BALLS_UP_TO = 2_000
"""Size of a float64 step up to which balls are used, for the same digits on every machine."""


class Inspector:
    """Inspects steps of one network."""

    def __init__(self, architecture: Model, lr: float, findings: Sequence[str] = ()) -> None:
        """Create an inspector; `findings` are the accepted deviations of PyTorch in the inspected run."""
        self.architecture, self.lr, self.findings = architecture, lr, findings
        self.equations = step_equations(architecture)
        self._certifiers: dict[bool, Certifier] = {}

    def constants(self, trace: Trace, step: int = 0) -> Constants:
        """All constants of the step's equations: n, η, and the optimizer's."""
        of = self.architecture
        return constants(of, of.samples(trace["x"]), self.lr, step + 1)

    def rows(
        self,
        traces: Mapping[str, Trace],
        step: int = 0,
        complaints: Mapping[str, Mapping[str, str]] | None = None,
        only: str | None = None,
    ) -> Iterator[Row]:
        """Every tensor that the step makes, in the order of execution, or `only` one, not cross-checked.

        All traces start from the same x and y. `complaints` has, by side and tensor, complaints found when
        the tensors were read, which the arrays no longer show.
        """
        certifier = self._certifier(traces)
        known = self.constants(next(trace for trace in traces.values() if "x" in trace), step)
        sides = {
            name: _ShownSide(certifier, trace, known, self.lr, (complaints or {}).get(name, {}))
            for name, trace in traces.items()
        }
        checked = _cross_check(certifier, sides, known) if only is None else ()
        together = {found.equation.makes: found for found in checked}
        with np.errstate(all="ignore"), certifier.arithmetic.precision():
            for equation in certifier.equations:
                name = equation.makes
                if only in (None, name):
                    yield Row(
                        equation,
                        {side: shown.numbers(equation) for side, shown in sides.items()},
                        dict(together[name].findings) if name in together else {},
                        {side: s.complaints[name] for side, s in sides.items() if name in s.complaints},
                    )

    def values(self, trace: Trace, step: int = 0) -> StepValues:
        """A step's tensors by name, those that it does not show as they follow from what it does."""
        certifier = self._certifier({"": trace})
        return StepValues(_ShownSide(certifier, trace, self.constants(trace, step), self.lr, {}))

    def _certifier(self, traces: Mapping[str, Trace]) -> Certifier:
        numbers = sum(tensor.size for trace in traces.values() for tensor in trace.values())
        balls = np.dtype(self.architecture.dtype) == np.float64 and numbers <= BALLS_UP_TO
        if balls not in self._certifiers:
            self._certifiers[balls] = Certifier(self.architecture, "ball" if balls else None, self.findings)
        return self._certifiers[balls]


class _ShownSide:
    """One side's step: the tensors that it shows in the right shape, and those that follow from them."""

    def __init__(
        self,
        certifier: Certifier,
        trace: Trace,
        constants: Constants,
        lr: float,
        complaints: Mapping[str, str],
    ) -> None:
        self.certifier, self.trace, self.constants = certifier, trace, constants
        found = certifier.complaints(trace)
        self.complaints = {name: found[name] for name in trace if name in found} | dict(complaints)
        self.shown = Trace({n: t for n, t in trace.items() if n not in self.complaints})
        made = {equation.makes for equation in certifier.equations}
        given = Trace({n: t for n, t in self.shown.items() if n not in made})
        rest = Trace({n: t for n, t in self.shown.items() if n in made})
        of = cast(Architecture, certifier.architecture)  # whose equations are all that is asked for
        observation = Observation(of, lr, given, rest)
        self.reconstruction = Reconstruction(observation, certifier.arithmetic)

    def numbers(self, equation: Equation) -> SideNumbers | None:
        """The tensor that an equation makes; None if it is not shown or not comparable."""
        observed = self.shown.get(equation.makes)
        if observed is None:
            return None
        judge = self.certifier.arithmetic
        if all(name in self.shown for name in equation.inputs):
            finding, truth = self.certifier.measure(equation, self.shown, self.constants)
        else:
            truth = self.reconstruction.predict(equation)
            finding = compare(equation, observed, truth)
        if not isinstance(truth, Bounded):  # whole numbers that nothing rounds
            return SideNumbers(observed, np.asarray(truth, np.float64), np.zeros(truth.shape), finding)
        bound = np.broadcast_to(np.asarray(truth.carried) * SLACK, truth.shape)
        return SideNumbers(observed, np.asarray(judge.lower(truth.value)), np.asarray(bound), finding)

    def value(self, name: str) -> Array:
        """A tensor as shown, or as recomputed from those shown."""
        if name in self.shown:
            return self.shown[name]
        judge = self.certifier.arithmetic
        with np.errstate(all="ignore"), judge.precision():
            value: Array = np.asarray(judge.lower(np.asarray(self.reconstruction.value(name).value)))
            return value


class StepValues(Mapping[str, Array]):
    """The tensors of a step by name, shown or not."""

    def __init__(self, side: _ShownSide) -> None:
        self._side = side
        of = side.certifier.architecture
        self._names = tuple(shapes(of, of.samples(side.trace["x"])))

    def __getitem__(self, name: str) -> Array:
        return self._side.value(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _cross_check(
    certifier: Certifier, sides: Mapping[str, _ShownSide], constants: Constants
) -> Iterator[CrossCheck]:
    """The cross-checks of all sides; none if a side hides a tensor that the step starts from."""
    names = starts(certifier.equations)
    if len(sides) > 1 and all(name in side.shown for side in sides.values() for name in names):
        yield from cross_check(certifier, {name: side.shown for name, side in sides.items()}, constants)
