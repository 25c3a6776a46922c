"""One step under the glass: for every tensor both sides' numbers, the truth, the bound and a mark.

The verdicts are the certificate's own (`parity.certificate`, `parity.sidebyside`), asked again about
the steps that were kept; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from parity.bounded import SLACK, exact
from parity.certificate import Certifier, Finding, bounded_constants, evaluate
from parity.errors import QuestionError
from parity.result import Result
from parity.sidebyside import Pair, side_by_side
from reference.activations import ACTIVATIONS
from reference.architecture import Architecture, architecture
from reference.arrays import Array
from reference.equations import Constants, Equation
from reference.losses import LOSSES
from reference.trace import Trace

Float64s = npt.NDArray[np.float64]

BALLS_UP_TO = 2_000
"""Numbers of a float64 step up to which ball arithmetic is the judge: the same digits on every machine."""


@dataclass(frozen=True)
class Side:
    """One side's tensor: what it computed, what is true of its own inputs, and how much rounding allows."""

    observed: Array
    truth: Float64s
    bound: Float64s
    finding: Finding

    @cached_property
    def share(self) -> Float64s:
        """Signed share of the bound, element by element: (observed − truth) / bound."""
        with np.errstate(all="ignore"):
            error = self.observed.astype(np.float64) - self.truth
            share = np.where(error == 0, 0.0, error / self.bound)
        share[~np.isfinite(share)] = np.nan
        # The certificate knows the truth to more digits than a float64 holds: its word goes for the worst.
        worst = self.finding.worst
        if worst is not None and np.isfinite(worst.ratio):
            share[worst.index] = np.copysign(worst.ratio, worst.observed - worst.expected)
            np.clip(share, -worst.ratio, worst.ratio, out=share)
        return share


@dataclass(frozen=True)
class Row:
    """One tensor of one step, on all sides."""

    equation: Equation
    sides: dict[str, Side | None]  # None: not shown by that side, or not comparable
    pair: Pair | None
    complaints: dict[str, str]  # by side: why its tensor cannot be compared

    @property
    def mark(self) -> str:
        """Born where the formula itself is wrong; inherited where only the other side is far away."""
        if self.complaints or any(side and side.finding.wrong for side in self.sides.values()):
            return "born"
        pair = self.pair
        return "inherited" if pair and (pair.ours.wrong or pair.theirs.wrong) else ""

    @property
    def verdict(self) -> str:
        """The gravest word that any side's certificate says."""
        words = [side.finding.verdict.value for side in self.sides.values() if side]
        words += ["different-formula"] * len(self.complaints)
        return next((w for w in ("different-formula", "other-form", "undecided") if w in words), "match")

    @property
    def index(self) -> tuple[int, ...]:
        """The element to look at: the worst of the side that fails, else of the side nearest its bound."""
        worsts = [s.finding.worst for s in self.sides.values() if s and s.finding.worst]
        if self.mark == "inherited" and self.pair:
            worsts = [f.worst for f in (self.pair.ours, self.pair.theirs) if f.worst] or worsts
        if not worsts:
            return tuple(0 for _ in self.shape)
        return max(worsts, key=lambda worst: worst.ratio).index

    @property
    def shape(self) -> tuple[int, ...]:
        return next((side.observed.shape for side in self.sides.values() if side), ())

    @property
    def both(self) -> tuple[Array, Array] | None:
        """Both sides' tensors, where there are two and they can be compared."""
        shown = [side.observed for side in self.sides.values() if side]
        return (shown[0], shown[1]) if len(shown) == 2 and shown[0].shape == shown[1].shape else None

    @property
    def apart(self) -> float | None:
        """The largest difference between the two sides."""
        both = self.both
        if both is None:
            return None
        with np.errstate(all="ignore"):
            return float(np.max(np.abs(both[0].astype(np.float64) - both[1].astype(np.float64))))

    @property
    def same_bits(self) -> float | None:
        """The share of elements in which both sides have the same bits (0 and −0 count as the same)."""
        both = self.both
        return None if both is None else float(np.mean((both[0] == both[1]) | (both[0] != both[0])))


class Examiner:
    """Looks at the kept steps of one run."""

    def __init__(self, result: Result) -> None:
        self.architecture = network_of(result)
        self.lr = _lr(result)
        self._certifiers: dict[bool, Certifier] = {}

    def constants(self, trace: Trace) -> Constants:
        """N and η of the step."""
        return {"n": self.architecture.n(trace["y"].shape[1]), "lr": self.lr}

    def rows(self, traces: dict[str, Trace]) -> Iterator[Row]:
        """Every tensor that the step makes, in the order of execution."""
        certifier = self._certifier(traces)
        constants = self.constants(next(trace for trace in traces.values() if "y" in trace))
        pairs: dict[str, Pair] = {}
        complete = not any(certifier.complaints(trace) for trace in traces.values())
        if len(traces) == 2 and complete:
            ours, theirs = traces.values()
            pairs = {
                pair.ours.equation.makes: pair for pair in side_by_side(certifier, ours, theirs, constants)
            }
        with np.errstate(all="ignore"):
            for equation in certifier.equations:
                sides = {
                    name: _side(certifier, equation, trace, constants) for name, trace in traces.items()
                }
                complaints = {
                    name: complaint
                    for name, trace in traces.items()
                    if equation.makes in trace
                    and (complaint := certifier.complaints(trace).get(equation.makes))
                }
                yield Row(equation, sides, pairs.get(equation.makes), complaints)

    def _certifier(self, traces: dict[str, Trace]) -> Certifier:
        numbers = sum(tensor.size for trace in traces.values() for tensor in trace.values())
        balls = np.dtype(self.architecture.dtype) == np.float64 and numbers <= BALLS_UP_TO
        if balls not in self._certifiers:
            self._certifiers[balls] = Certifier(self.architecture, "ball" if balls else None)
        return self._certifiers[balls]


def _side(certifier: Certifier, equation: Equation, trace: Trace, constants: Constants) -> Side | None:
    complaints = certifier.complaints(trace)
    if equation.makes not in trace or any(
        name in complaints for name in (equation.makes, *equation.inputs)
    ):
        return None
    judge = certifier.arithmetic
    with judge.precision():
        inputs = {name: exact(judge, trace[name]) for name in equation.inputs}
        truth = evaluate(equation.evaluate, equation, inputs, bounded_constants(judge, constants))
        bound = np.broadcast_to(np.asarray(truth.carried) * SLACK, truth.shape)
        value = judge.lower(truth.value)
    finding = certifier.check(equation, trace, constants)
    return Side(trace[equation.makes], np.asarray(value), np.asarray(bound), finding)


def network_of(result: Result) -> Architecture:
    """The network that a result is about, out of its config. Raises QuestionError if it says too little."""
    config = result.config
    network, training = config.get("network"), config.get("training")
    if not isinstance(network, dict) or not isinstance(training, dict):
        raise QuestionError("report: the result has no config, so its network is not known")
    try:
        layers = tuple(int(size) for size in str(config["layers"]).split("-"))
        asked = network.get("activation", "sigmoid")
        names = asked if isinstance(asked, list) else [asked] * (len(layers) - 1)
        loss = training.get("loss", "mse")
        options = loss if isinstance(loss, dict) else {"name": loss}
        return architecture(
            layers,
            tuple(_known(name, ACTIVATIONS) for name in names),
            dtype=str(network.get("dtype", "float32")),
            reduction=str(options.get("reduction", "mean")),
            loss=_known(options.get("name"), LOSSES),
        )
    except (KeyError, ValueError) as error:
        raise QuestionError(f"report: the result's config describes no network: {error}") from None


def _known(name: object, known: dict[str, object] | object) -> str:
    if not isinstance(name, str) or name not in known:  # type: ignore[operator]
        raise ValueError(f"unknown {name!r}")
    return name


def _lr(result: Result) -> float:
    lr = result.config.get("lr")
    if not isinstance(lr, int | float):
        raise QuestionError("report: the result's config has no learning rate")
    return float(lr)
