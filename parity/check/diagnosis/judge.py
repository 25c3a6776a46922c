"""Holds what a subject showed against its equations, and against what a mistake would have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parity.bounds import Bounded
from parity.bounds.formats import Arithmetic, arithmetic
from parity.certify.admitted import admitted
from parity.certify.certificate import Certifier, Finding, Verdict, compare
from parity.certify.observation import FromFinerFormat, Observation
from parity.check.diagnosis.anatomy import kind
from parity.check.diagnosis.hypothesis import Made
from parity.check.diagnosis.lower_precision import cheaper, representable
from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.scenario import Scenario
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation

SCENARIOS_KEPT = 4096


@dataclass(frozen=True, eq=False)
class Instance:
    """One equation of one call, held against what was shown of it."""

    observation: Observation
    equation: Equation
    finding: Finding

    @property
    def kind(self) -> str:
        return kind(self.equation)

    @property
    def wrong(self) -> bool:
        return self.finding.wrong

    @property
    def misshapen(self) -> bool:
        """Whether it was shown in a shape that cannot go into the formulas after it."""
        return self.equation.makes in self.observation.misshapen

    @cached_property
    def observed(self) -> Array:
        """What was shown, in its own shape."""
        name, shown = self.equation.makes, self.observation.shown
        return shown[name] if name in shown else self.observation.misshapen[name]

    @cached_property
    def hidden(self) -> list[Equation]:
        """The equations between it and what was shown."""
        return self.observation.hidden_behind(self.equation)

    @cached_property
    def position(self) -> int:
        """Its place in the order of execution."""
        return list(self.observation.equations).index(self.equation.makes)

    @property
    def from_the_top(self) -> int:
        """0 in the output layer."""
        return self.observation.architecture.depth - self.equation.layer


class Judge:
    """Judges the observations of one subject."""

    def __init__(
        self, observations: Sequence[Observation], findings: Mapping[str, Finding] | None = None
    ) -> None:
        """`findings` has, by tensor, what was found already where there is one observation."""
        self.observations, self._findings = tuple(observations), findings or {}
        self._certifiers: dict[Architecture, Certifier] = {}
        self._scenarios: dict[tuple[int, tuple[Made, ...], bool], Scenario] = {}
        self._finers: dict[int, FromFinerFormat] = {}

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """Every equation whose tensor was shown, judged; smallest case first, then as executed."""
        return tuple(
            Instance(
                observation,
                equation,
                self._findings.get(equation.makes) or self.judge(observation, equation),
            )
            for observation in self.observations
            for equation in observation.judged()
        )

    def judge(self, observation: Observation, equation: Equation) -> Finding:
        """The certificate where all inputs were shown; else the same on what follows from the shown."""
        complaint = observation.complaints.get(equation.makes)
        if complaint:
            return Finding(equation, Verdict.DIFFERENT, 0, 0, vacuous=False, complaint=complaint)
        certifier = self.certifier(observation)
        with np.errstate(all="ignore"):
            if all(name in observation.known for name in equation.inputs):
                finding = certifier.check(equation, observation.known, observation.constants)
            else:
                finding = self._held(self.scenario(observation), equation)
                if finding.wrong and certifier.arithmetic.truth == "longdouble":
                    final = arithmetic(certifier.arithmetic.dtype, "ball")
                    finding = self._held(Scenario(observation, final), equation)
            if not finding.wrong:
                return finding
            other = admitted(observation, equation, self.scenario(observation), self._finer(observation))
            return finding if other.wrong else other

    def _finer(self, observation: Observation) -> FromFinerFormat:
        """What was shown, as numbers of a finer format."""
        if id(observation) not in self._finers:
            judge = self.certifier(observation).arithmetic
            self._finers[id(observation)] = FromFinerFormat(observation, judge)
        return self._finers[id(observation)]

    def forget(self) -> None:
        """Let go of what was only kept to be quick; many judges may be kept at once."""
        self._scenarios.clear()
        self._finers.clear()

    def certifier(self, observation: Observation) -> Certifier:
        """The certifier of a case; kept, since building one costs more than using it."""
        architecture = observation.architecture
        if architecture not in self._certifiers:
            self._certifiers[architecture] = Certifier(architecture)
        return self._certifiers[architecture]

    def scenario(
        self, observation: Observation, made: tuple[Made, ...] = (), *, low: bool = False
    ) -> Scenario:
        """What the subject would have shown, had it made these mistakes (`low`: in cheaper arithmetic)."""
        key = (id(observation), made, low)
        if key not in self._scenarios:
            if len(self._scenarios) >= SCENARIOS_KEPT:
                self._scenarios.clear()
            judge: Arithmetic = self.certifier(observation).arithmetic
            self._scenarios[key] = Scenario(
                observation, cheaper(judge) if low else judge, made, rounded=low
            )
        return self._scenarios[key]

    def expected(self, instance: Instance, made: tuple[Made, ...] = ()) -> Bounded:
        """The tensor as it should be, or as the mistakes would have it."""
        scenario = self.scenario(instance.observation, made)
        with np.errstate(all="ignore"), scenario.judge.precision():
            return scenario.predict(instance.equation)

    def contradicts(self, instance: Instance, made: tuple[Made, ...]) -> bool:
        """Whether these mistakes, where they can be made at all, would have shown something else."""
        try:
            self.expected(instance, made)
        except (DoesNotApplyError, ValueError):
            return False
        return self.fit(instance, made) is Verdict.DIFFERENT  # where nothing is decided, nothing is said

    def fits(self, instance: Instance, made: tuple[Made, ...], *, low: bool = False) -> bool:
        """Whether these mistakes reproduce every number of what was shown, in its own shape."""
        return self.fit(instance, made, low=low) is Verdict.MATCH

    def fit(self, instance: Instance, made: tuple[Made, ...], *, low: bool = False) -> Verdict:
        """What was shown, held against what these mistakes would have shown; it may be undecided."""
        observed = instance.observed
        judge = self.certifier(instance.observation).arithmetic
        if low and not representable(observed, cheaper(judge)):
            return Verdict.DIFFERENT
        try:
            scenario = self.scenario(instance.observation, made, low=low)
            with np.errstate(all="ignore"), scenario.judge.precision():
                truth = scenario.predict(instance.equation)
                if truth.shape != observed.shape:
                    if observed.size != truth.value.size or min(truth.shape, default=0) != 1:
                        return Verdict.DIFFERENT
                    observed = observed.reshape(truth.shape)  # a vector is a vector, lying or standing
                return compare(instance.equation, observed, truth).verdict
        except (DoesNotApplyError, ValueError):  # numpy's and flint's ValueError: the shapes forbid it
            return Verdict.DIFFERENT

    def _held(self, scenario: Scenario, equation: Equation) -> Finding:
        with scenario.judge.precision():
            truth = scenario.predict(equation)
            return compare(equation, scenario.observation.shown[equation.makes], truth)
