"""The cases on which a subject is tried: small networks, chosen so that no mistake can hide in all of them.

Rectangular ones, where a missing transpose does not even run, and square ones, where it does and is
wrong; batches of one and more; two steps, for values left over from the first. Every number is drawn
away from zero and from the kinks of f, and every layer lives: what is zero anyway hides mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.architecture import Architecture, architecture
from reference.arrays import Array
from reference.engine import Network
from reference.trace import Trace

KINK_DISTANCE = 0.03
"""How far every z keeps from 0, where the slope of ReLU and its kin jumps."""

REACH = 4.0
"""The largest |z|, beyond which many an f is flat; more where nothing else is found, as for a logarithm."""


@dataclass(frozen=True)
class Plan:
    """A case before its numbers are drawn: `activations` counts into those that were asked for."""

    layers: tuple[int, ...]
    batch: int
    steps: int
    activations: tuple[int, ...]
    lr: float  # a short binary fraction, so that float32 and float64 mean the same η


PLANS = (
    Plan((2, 3, 2), batch=1, steps=1, activations=(0, 0), lr=0.625),
    Plan((3, 3, 3), batch=3, steps=1, activations=(1, 0), lr=0.375),
    Plan((3, 4, 2), batch=3, steps=2, activations=(2, 3), lr=0.8125),
    Plan((3, 3, 3, 3), batch=3, steps=2, activations=(2, 1, 0), lr=0.4375),
    Plan((2, 5, 4, 3), batch=4, steps=2, activations=(3, 2, 1), lr=0.3125),
)
"""Smallest first: the first that fails is the one that is shown."""

DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")


@dataclass(frozen=True)
class SubjectCall:
    """One call of a subject: W, b, x, y, η, for one network."""

    case: str
    step: int
    architecture: Architecture
    lr: float
    given: Trace


def calls(
    activations: Sequence[str] = DEFAULT_ACTIVATIONS,
    dtype: npt.DTypeLike = np.float64,
    plans: Sequence[Plan] = PLANS,
) -> list[SubjectCall]:
    """Every call that a check makes, smallest case first, the steps of a case in order."""
    return [call for number, plan in enumerate(plans) for call in _calls(plan, activations, dtype, number)]


def case_name(of: Architecture, batch: int) -> Message:
    """`2-3-2, tanh-sigmoid, 4 samples`."""
    network = f"{'-'.join(map(str, of.layers))}, {'-'.join(f.name for f in of.activations)}"
    return Message("sample" if batch == 1 else "samples", network=network, count=batch)


def _calls(
    plan: Plan, activations: Sequence[str], dtype: npt.DTypeLike, number: int
) -> Iterator[SubjectCall]:
    names = tuple(activations[i % len(activations)] for i in plan.activations)
    shape = architecture(plan.layers, names, np.dtype(dtype))
    name = case_name(shape, plan.batch)
    for attempt in range(10_000):
        reach = REACH if attempt < 2_000 else 4 * REACH
        drawn = _draw(plan, shape, np.random.default_rng([number, attempt]), reach)
        if drawn is not None:
            for step, given in enumerate(drawn):
                yield SubjectCall(name, step, shape, plan.lr, given)
            return
    raise UsageError(f"{name}: no network was found in which every unit and every sample counts")


def _draw(plan: Plan, shape: Architecture, random: np.random.Generator, reach: float) -> list[Trace] | None:
    """The inputs of every step, or None if the network has a dead unit or a z near a kink."""
    dtype = np.dtype(shape.dtype)

    def draw(size: tuple[int, ...], low: float, high: float) -> Array:
        signs = random.choice([-1.0, 1.0], size)
        return (signs * random.uniform(low, high, size)).astype(dtype)

    parameters = {
        name: draw(size, 0.2, 0.6) if name[0] == "b" else draw(size, 0.25, 1.0)
        for name, size in shape.parameter_shapes().items()
    }
    network = Network(shape, parameters)
    inputs: list[Trace] = []
    for _ in range(plan.steps):
        x = draw((plan.layers[0], plan.batch), 0.3, 1.5)
        y = np.abs(draw((plan.layers[-1], plan.batch), 0.1, 0.9))
        before = {name: parameter.copy() for name, parameter in network.parameters.items()}
        trace = network.step(x, y, plan.lr)
        if not _lively(trace, shape, reach):
            return None
        inputs.append(Trace({**before, "x": x, "y": y}))
    return inputs


def _lively(trace: Trace, shape: Architecture, reach: float) -> bool:
    """Whether every unit and every sample has a δ, and no z is near a kink or out of reach."""
    for layer in range(1, shape.depth + 1):
        z, delta = trace[f"z{layer}"], np.abs(trace[f"delta{layer}"])
        alive = delta > 1e-4
        if np.abs(z).min() < KINK_DISTANCE or np.abs(z).max() > reach:
            return False
        if not (alive.any(axis=0).all() and alive.any(axis=1).all()):
            return False
    return True
