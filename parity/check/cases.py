"""The cases on which a subject is tried: small networks, chosen so that no mistake can hide in all of them.

Rectangular ones, where a missing transpose does not even run, and square ones, where it does and is
wrong; batches of 1 to 33 samples, depths of 1 to 5, one output and several; ten calls in a row, for
values left over; gradients, weights and targets that are large, and gradients that are tiny. In these
every number is drawn away from zero and from the kinks of f, and layers live: what is zero anyway
hides mistakes. Besides, each activation has two cases whose z stand where its branches meet, beside
that, and far out, past where e^z overflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.check.branches import joints
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


Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """A case before its numbers are drawn: `activations` counts into those that were asked for.

    |W|, |x| and |y| are drawn from ranges; `signed` targets have both signs, `near` ones stand around ŷ.
    """

    layers: tuple[int, ...]
    batch: int
    steps: int
    activations: tuple[int, ...]
    lr: float  # a short binary fraction, so that float32 and float64 mean the same η
    weights: Range = (0.25, 1.0)
    inputs: Range = (0.3, 1.5)
    targets: Range = (0.1, 0.9)
    signed: bool = False
    near: bool = False
    gradients: Range = (0.0, np.inf)  # of the largest |dW|
    everywhere: bool = True  # every unit and every sample has a δ; else every layer has one


PLANS = (
    Plan((2, 3, 2), batch=1, steps=1, activations=(0, 0), lr=0.625),
    Plan((3, 3, 3), batch=3, steps=1, activations=(1, 0), lr=0.375),
    Plan((3, 4, 2), batch=3, steps=2, activations=(2, 3), lr=0.8125),
    Plan((3, 3, 3, 3), batch=3, steps=2, activations=(2, 1, 0), lr=0.4375),
    Plan((2, 5, 4, 3), batch=4, steps=2, activations=(3, 2, 1), lr=0.3125),
    Plan((3, 2), batch=2, steps=1, activations=(0,), lr=0.75, targets=(0.2, 3.0), signed=True),
    Plan((2, 3, 1), batch=33, steps=1, activations=(2, 1), lr=0.625, everywhere=False),
    Plan((2, 3, 2), batch=2, steps=10, activations=(1, 2), lr=0.1875, everywhere=False),
    Plan(
        (2, 2, 3, 1),
        batch=2,
        steps=1,
        activations=(0, 3, 1),
        lr=0.5,
        near=True,
        targets=(1e-5, 1e-4),
        everywhere=False,
    ),
    Plan((3, 4, 3, 2, 3, 2), batch=2, steps=1, activations=(3, 2, 1, 0, 3), lr=0.25, everywhere=False),
    Plan((2, 3, 2, 2, 1), batch=1, steps=1, activations=(1, 3, 2, 0), lr=0.5, everywhere=False),
    Plan(
        (3, 2, 2),
        batch=2,
        steps=1,
        activations=(3, 1),
        lr=0.125,
        weights=(2.1, 3.0),
        inputs=(0.1, 0.4),
        targets=(60.0, 90.0),
        signed=True,
        gradients=(10.0, np.inf),
        everywhere=False,
    ),
)
"""Smallest first: the first that fails is the one that is shown."""

BESIDE = (2.0**-12, 3 / 64)
"""How far beside the place where branches meet a z is put."""

PLACES = (0.0, 3.0, 6.0, 20.0)
"""Where activations that people write change their way, on both sides of 0."""

EXTREMES = (90.0, 750.0)
"""A z whose e^z overflows in float32, and in float64."""

DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")


@dataclass(frozen=True)
class SubjectCall:
    """One call of a subject: W, b, x, y, η, for one network."""

    case: str
    step: int
    architecture: Architecture
    lr: float
    given: Trace
    extreme: bool = False  # where e^z may overflow, and a program may raise for that


def calls(
    activations: Sequence[str] = DEFAULT_ACTIVATIONS,
    dtype: npt.DTypeLike = np.float64,
    plans: Sequence[Plan] = PLANS,
) -> list[SubjectCall]:
    """Every call that a check makes, smallest case first, the steps of a case in order."""
    found = [call for number, plan in enumerate(plans) for call in _calls(plan, activations, dtype, number)]
    if plans is PLANS:
        for number, name in enumerate(dict.fromkeys(activations)):
            others = [other for other in ("identity", *activations) if other in activations]
            for names in ((name,), (name, others[0])):
                found += [_at_the_joints(names, dtype, number), _far_out(names, dtype, number)]
    return found


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
    alone = any(f.jacobian and n == 1 for f, n in zip(shape.activations, plan.layers[1:], strict=True))
    if alone and not plan.everywhere:
        return  # a softmax of one number is 1, whatever the number; a match says what was not reached
    network = Network(shape, {key: np.zeros(size, dtype) for key, size in shape.parameter_shapes().items()})
    for attempt in range(10_000 if plan.everywhere else 2_000):
        reach = REACH if attempt < 2_000 else 4 * REACH
        drawn = _draw(plan, network, np.random.default_rng([number, attempt]), reach)
        if drawn is not None:
            for step, given in enumerate(drawn):
                yield SubjectCall(name, step, shape, plan.lr, given)
            return
    if plan.everywhere:
        raise UsageError(Message("no_network", name=name))


def _at_the_joints(names: tuple[str, ...], dtype: npt.DTypeLike, number: int) -> SubjectCall:
    """A case whose first layer stands, unit by unit, at every place where its activation may turn."""
    f = architecture((1, 1), names[:1], np.dtype(dtype)).activations[0]
    places = {sign * place for place in PLACES for sign in (-1, 1)}
    places |= {round(64 * joint) / 64 for joint in joints(f)}
    places |= {
        joint + side for joint in {0.0, *joints(f)} for beside in BESIDE for side in (-beside, beside)
    }
    return _standing_at(sorted(places), names, dtype, number)


def _far_out(names: tuple[str, ...], dtype: npt.DTypeLike, number: int) -> SubjectCall:
    """A case whose first layer has a z past the overflow of e^z, on both sides."""
    places = sorted(sign * place for place in EXTREMES for sign in (-1, 1))
    return replace(_standing_at(places, names, dtype, number), extreme=True)


def _standing_at(
    places: Sequence[float], names: tuple[str, ...], dtype: npt.DTypeLike, number: int
) -> SubjectCall:
    """A network of one layer or two, whose first has these z for the first sample.

    The numbers of that layer are multiples of 1/64 below 1024, or of 1/4096 below 64, so that z is exact in
    whatever order it is summed.
    """
    random = np.random.default_rng([number, len(names), len(places)])
    z = np.array(places)[:, None]
    units = len(z)
    x = np.array([[0.75, -0.5], [-0.5, 1.25]])
    W = _sixteenths(random, (units, 2))
    given = {"W1": W, "b1": z - W @ x[:, :1], "x": x}  # of the first sample; the second stands around it
    layers: tuple[int, ...] = (2, units)
    if len(names) > 1:
        layers = (2, units, 3)
        scale = np.maximum(1.0, np.abs(z.T) / 4)  # so that no unit drowns the others
        given |= {"W2": _sixteenths(random, (3, units)) / scale, "b2": _sixteenths(random, (3, 1))}
    given["y"] = random.uniform(0.1, 0.9, (layers[-1], 2))
    shape = architecture(layers, names, np.dtype(dtype))
    trace = Trace({name: tensor.astype(dtype) for name, tensor in given.items()})
    return SubjectCall(case_name(shape, 2), 0, shape, 0.5, trace)


def _sixteenths(random: np.random.Generator, size: tuple[int, int]) -> Array:
    """Multiples of 1/16 between 1/4 and 1, of either sign."""
    found: Array = random.choice([-1.0, 1.0], size) * random.integers(4, 17, size) / 16
    return found


def _draw(plan: Plan, network: Network, random: np.random.Generator, reach: float) -> list[Trace] | None:
    """The inputs of every step, or None if the network then has a dead unit or a z near a kink."""
    dtype = np.dtype(network.model.dtype)

    def draw(size: tuple[int, ...], low: float, high: float) -> Array:
        signs = random.choice([-1.0, 1.0], size)
        return (signs * random.uniform(low, high, size)).astype(dtype)

    for name, parameter in network.parameters.items():
        parameter[...] = draw(parameter.shape, *((0.2, 0.6) if name[0] == "b" else plan.weights))
    inputs: list[Trace] = []
    for _ in range(plan.steps):
        x = draw((plan.layers[0], plan.batch), *plan.inputs)
        y = draw((plan.layers[-1], plan.batch), *plan.targets)
        if plan.near:
            y = y + network.forward(x)
        elif not plan.signed:
            y = np.abs(y)
        before = {name: parameter.copy() for name, parameter in network.parameters.items()}
        trace = network.step(x, y, plan.lr)
        if not _lively(trace, plan, reach):
            return None
        inputs.append(Trace({**before, "x": x, "y": y}))
    return inputs


def _lively(trace: Trace, plan: Plan, reach: float) -> bool:
    """Whether what should have a δ has one, and no z is near a kink or out of reach."""
    least = 1e-9 if plan.near else 1e-4
    largest = 0.0
    for layer in range(1, len(plan.layers)):
        z, delta = trace[f"z{layer}"], np.abs(trace[f"delta{layer}"])
        alive = delta > least
        if np.abs(z).min() < KINK_DISTANCE or np.abs(z).max() > reach:
            return False
        if plan.everywhere and not (alive.any(axis=0).all() and alive.any(axis=1).all()):
            return False
        if not alive.any():
            return False
        largest = max(largest, float(np.abs(trace[f"dW{layer}"]).max()))
    return plan.gradients[0] <= largest <= plan.gradients[1]
