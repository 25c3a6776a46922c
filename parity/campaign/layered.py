"""Cases of layered networks: each name of the vocabulary, and networks of any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from parity.campaign.case import Alarm, CampaignCase
from parity.campaign.drawn import special
from parity.campaign.drawn.entries import VocabularyKind
from parity.campaign.drawn.networks import HARD_REGIMES, random_case
from parity.campaign.drawn.vocabulary import NetworkSize, activation_of, filled, last, network
from parity.campaign.findings import known
from parity.campaign.verdicts import CaseVerdict, NotAskedError, alarm_of, refused
from parity.certify.certificate import Finding
from parity.certify.cross_check import CrossCheck
from parity.config.case import Case
from parity.errors import quoted
from parity.lockstep.lockstep import Gates, Reference
from parity.lockstep.tally import Tally
from parity.pytorch.deviations.numbers import NUMBERS
from parity.pytorch.twin import Twin
from reference.architecture import Architecture
from reference.arrays import Array
from reference.clipping import CLIPPINGS
from reference.operations.activations import ACTIVATIONS
from reference.operations.activations.activation import Activation
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS

LADDER = "ladder"
"""The regime of an activation alone, over numbers of every exponent, the special ones, and its kinks."""

OFTEN = 0.02
"""The share of its numbers that are NaN, infinite, zero or the largest."""

NAMED: Mapping[str, VocabularyKind] = {
    "activations": "activation",
    "losses": "loss",
    "optimizers": "optimizer",
}
CLIPPED: Mapping[str, Mapping[str, float]] = {"norm": {"max_norm": 0.5}, "value": {"clip_value": 1e-2}}
KNOWN: Mapping[str, Mapping[str, object]] = {
    "activations": ACTIVATIONS,
    "losses": LOSSES,
    "optimizers": OPTIMIZERS,
}
SIDE_BY_SIDE = "side by side"
"""Said of a number that follows from its own inputs, and not from the step's."""

DECK, MIXED = "deck", "mixed"
"""Networks of the deck's four activations, and those of any names, with clipping or without."""


@dataclass
class _Noting(Tally):
    """A tally that keeps the first finding against each formula of each side."""

    architecture: Architecture | None = None
    alarms: dict[tuple[str, ...], Alarm] = field(default_factory=dict)

    def certify(self, step: int, side: str, finding: Finding) -> None:
        super().certify(step, side, finding)
        if finding.wrong:
            self._note(side, finding)

    def _cross_check(self, step: int, found: CrossCheck) -> None:
        clean = self.first is None
        super()._cross_check(step, found)
        for side, finding in found.findings.items():
            if clean and finding.wrong:  # behind a wrong formula all numbers may be wrong
                self._note(side, finding, SIDE_BY_SIDE)

    def _note(self, side: str, finding: Finding, operation: str = "") -> None:
        alarm = alarm_of(side, finding, operation or self._name(finding))
        self.alarms.setdefault(_place(alarm), alarm)

    def _name(self, finding: Finding) -> str:
        """The name of the vocabulary that a formula is, if it is one."""
        of, equation = self.architecture, finding.equation
        assert of is not None
        if equation.quantity in ("a", "delta"):
            return of.activations[equation.layer - 1].name
        if equation.formula.name in ("loss", "loss_gradient"):
            return of.loss.name
        return of.optimizer.name if equation.formula.name.endswith("_update") else ""


def judged_layers(case: CampaignCase) -> CaseVerdict:
    """Both sides of a case, and PyTorch's known deviations where they explain an alarm."""
    if case.kind == "activations" and case.regime == LADDER:
        return _alone(case)
    built = built_of(case)
    tally = walked(built)
    alarms = _explained(
        tuple(tally.alarms.values()),
        built.architecture,
        lambda name: tuple(walked(replace(built, findings=(name,))).alarms.values()),
    )
    shares = [
        (row.worst_ratio, f"{row.side} {row.formula} {row.layer}".removesuffix(" 0"))
        for row in tally.formula_rows()
        if row.verdict != "different-formula"
    ]
    return CaseVerdict(tally.numbers, tally.undecided, shares, alarms)


def walked(case: Case) -> _Noting:
    """Both sides, through all steps, past a mismatch if there is one.

    Raises NotAskedError where PyTorch refuses the numbers.
    """
    sides = (Reference(case), Twin(case.architecture, case.parameters, case.lr))
    gates = Gates(case, [side.name for side in sides])
    gates.tally = tally = _Noting(architecture=case.architecture)
    with np.errstate(all="ignore"):
        for step, (x, y) in zip(range(case.steps), case.batches(), strict=False):
            try:
                traces = {side.name: side.step(x, y) for side in sides}
            except RuntimeError as error:  # some losses look at their operands first, and refuse a NaN
                raise NotAskedError(f"PyTorch refuses it: {quoted(error)}") from error
            gates.ask(step, traces, case.architecture.samples(x), certified=True)
    return tally


def built_of(case: CampaignCase) -> Case:
    """The network that a case asks for. Raises UsageError for names that there are not."""
    if case.regime not in HARD_REGIMES:
        raise refused(case, "regime", case.regime)
    if len(case.shape) < 3 or 0 in case.shape:
        raise refused(case, "shape", list(case.shape))
    *layers, batch = case.shape
    size = NetworkSize(tuple(layers), batch)
    try:
        if case.kind == "networks":
            return _network(case, size)
        if case.name not in KNOWN[case.kind]:
            raise refused(case, "name", case.name)
        drawn = network(
            NAMED[case.kind], case.name, case.options, case.format, case.regime, case.seed, size
        )
    except (KeyError, TypeError, ValueError) as error:
        raise refused(case, "options", dict(case.options)) from error
    return replace(drawn, findings=())


def _network(case: CampaignCase, size: NetworkSize) -> Case:
    names = case.options["activations"]
    steps = case.options["steps"]
    if not isinstance(names, list) or type(steps) is not int:
        raise TypeError
    activations = tuple(map(str, names))
    if case.name == DECK:
        return random_case(case.seed, case.regime, case.format, activations, size.layers, size.batch, steps)
    if case.name != MIXED:
        raise refused(case, "name", case.name)
    loss, optimizer, clipping = (str(case.options[key]) for key in ("loss", "optimizer", "clipping"))
    functions = [ACTIVATIONS[name] for name in activations]
    if (final := last(LOSSES[loss])).name != "identity":
        functions[-1] = final
    architecture = Architecture(
        size.layers,
        tuple(functions),
        LOSSES[loss],
        str(case.options["reduction"]),
        np.dtype(case.format),
        OPTIMIZERS[optimizer].configured(),
        None if clipping == "none" else CLIPPINGS[clipping].configured(**CLIPPED[clipping]),
        class_indices=loss == "cross_entropy",
    )
    return filled(architecture, size, case.regime, np.random.default_rng(case.seed), steps)


def alone(case: CampaignCase) -> tuple[Activation, Array, Array]:
    """The activation of a case by itself, its z and its s, (units, samples). Raises UsageError."""
    if len(case.shape) != 2 or 0 in case.shape:
        raise refused(case, "shape", list(case.shape))
    try:
        f = activation_of(case.name, case.options, case.shape[0])
    except (KeyError, TypeError, ValueError) as error:
        raise refused(case, "options", [case.name, dict(case.options)]) from error
    random, dtype = np.random.default_rng(case.seed), np.dtype(case.format)
    often = random.choice(special.extremes(dtype), case.shape)
    z = np.where(random.random(case.shape) < OFTEN, often, random.choice(special.ladder(dtype), case.shape))
    s = random.choice([1.0, -1.0], case.shape) * 10.0 ** random.uniform(-8, 8, case.shape)
    return f, z, s.astype(dtype)


def _alone(case: CampaignCase) -> CaseVerdict:
    """One activation by itself, forward and backward."""
    f, z, s = alone(case)

    def found(*findings: str) -> list[special.AskedAlone]:
        return list(special.asked(f, z.dtype, z, s, findings))

    def accused(told: list[special.AskedAlone]) -> tuple[Alarm, ...]:
        return tuple(alarm_of(one.side, one.finding, f.name) for one in told if one.finding.wrong)

    told = found()
    architecture = Architecture((1, case.shape[0]), (f,), dtype=z.dtype)
    alarms = _explained(accused(told), architecture, lambda name: accused(found(name)))
    return CaseVerdict(
        sum(one.finding.numbers for one in told),
        sum(one.finding.undecided for one in told),
        [(one.finding.ratio, f"{one.side} {one.formula}") for one in told if not one.finding.wrong],
        alarms,
    )


def _explained(
    alarms: tuple[Alarm, ...], architecture: Architecture, again: Callable[[str], tuple[Alarm, ...]]
) -> tuple[Alarm, ...]:
    """The alarms; those of PyTorch's side with the deviation whose own form makes the certificate hold.

    `again(name)` are the alarms that are left where a deviation is accepted.
    """
    if all(alarm.side != "pytorch" for alarm in alarms):
        return alarms
    left = {
        finding.name: {_place(alarm) for alarm in again(finding.name)}
        for finding in NUMBERS
        if finding.applies(architecture)
    }

    def of(alarm: Alarm) -> str | None:
        if alarm.side != "pytorch":
            return None
        return next((name for name, still in left.items() if _place(alarm) not in still), known(alarm))

    return tuple(replace(alarm, finding=of(alarm)) for alarm in alarms)


def _place(alarm: Alarm) -> tuple[str, ...]:
    return alarm.side, alarm.formula, alarm.tensor, alarm.operation
