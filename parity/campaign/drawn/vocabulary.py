"""Random networks for an entry of the vocabulary: what it needs around it, and targets that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from parity.campaign.drawn.entries import (
    FINDINGS,
    PROBABILITIES,
    WEIGHTS,
    Options,
    VocabularyEntry,
    VocabularyKind,
)
from parity.campaign.drawn.networks import HARD_REGIMES, Random
from parity.config.case import Case
from reference.architecture import Architecture
from reference.arrays import Array
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import OPTIMIZERS

REDUCTIONS = ("mean", "sum", "none")
LAST = {"bce": "sigmoid", "kl_div": "log_softmax", "nll": "log_softmax"}
"""What a loss wants its network to end with; all others take any numbers."""

SMOOTH = ("tanh", "sigmoid", "identity", "relu")
STEPS = {"activation": 2, "loss": 2, "optimizer": 4}
MORE_STEPS = {"radam": 8, "asgd": 6}
"""RAdam's rectification begins at the sixth step, and ASGD's average after t₀ and one more."""

Draw: TypeAlias = Callable[[tuple[int, ...]], Array]


@dataclass(frozen=True)
class NetworkSize:
    """Of a network and its batch, and a factor on all its numbers."""

    layers: tuple[int, ...]
    batch: int
    scale: float = 1.0

    @classmethod
    def drawn(cls, random: Random) -> NetworkSize:
        """Up to three layers of up to seven units."""
        depth = int(random.integers(1, 4))
        layers = tuple(int(n) for n in random.integers(1, 8, size=depth + 1))
        return cls(layers, int(random.integers(1, 7)))


def variant(entry: VocabularyEntry, number: int) -> Options:
    """The set of options `number` of an entry; losses take turns with reductions."""
    options = dict(entry.variants[number % len(entry.variants)])
    if entry.kind == "loss":
        known = (*REDUCTIONS, "batchmean") if entry.name == "kl_div" else REDUCTIONS
        options["reduction"] = known[number // len(entry.variants) % len(known)]
    return options


def case(
    entry: VocabularyEntry, number: int, dtype: str, regime: str, seed: int, size: NetworkSize | None = None
) -> Case:
    """A random network around `entry`, with its variant `number`."""
    return network(entry.kind, entry.name, variant(entry, number), dtype, regime, seed, size)


def network(
    kind: VocabularyKind,
    name: str,
    options: Options,
    dtype: str,
    regime: str,
    seed: int,
    size: NetworkSize | None = None,
) -> Case:
    """A random network around one name of the vocabulary."""
    random, options = np.random.default_rng(seed), dict(options)
    size = size or NetworkSize.drawn(random)
    indices = name == "cross_entropy" and not options.pop(PROBABILITIES, False)
    if indices and size.layers[-1] == 1:
        size = replace(size, layers=(*size.layers[:-1], 3))  # of one class there is no index
    outputs, depth = size.layers[-1], len(size.layers) - 1
    loss, reduction, optimizer = LOSSES["mse"], "mean", OPTIMIZERS["sgd"].configured()
    functions = tuple(ACTIVATIONS[str(random.choice(SMOOTH))] for _ in range(depth))
    if kind == "activation":
        functions = tuple(activation_of(name, options, units) for units in size.layers[1:])
    elif kind == "loss":
        reduction = str(options.pop("reduction"))
        loss = LOSSES[name].configured(**_filled(options, outputs, random))  # type: ignore[arg-type]
        functions = (*functions[:-1], last(loss))
    else:
        optimizer = OPTIMIZERS[name].configured(**options)  # type: ignore[arg-type] # it refuses others
    architecture = Architecture(
        size.layers, functions, loss, reduction, np.dtype(dtype), optimizer, class_indices=indices
    )
    findings = FINDINGS.get((name, dtype), ())
    steps = MORE_STEPS.get(name, STEPS[kind])
    return replace(filled(architecture, size, regime, random, steps), seed=seed, findings=findings)


def filled(architecture: Architecture, size: NetworkSize, regime: str, random: Random, steps: int) -> Case:
    """A network's parameters, data and learning rate, drawn in a regime."""
    kind = np.dtype(architecture.dtype)

    def draw(shape: tuple[int, ...]) -> Array:
        with np.errstate(over="ignore"):
            return (size.scale * HARD_REGIMES[regime](random, shape, kind)).astype(kind)

    parameters = {name: draw(shape) for name, shape in architecture.parameter_shapes().items()}
    x = _rows(draw((size.layers[0], size.batch)))
    y = _rows(_target(architecture, random, size.batch, draw).astype(kind))
    return Case(architecture, parameters, x, y, lr=float(10 ** random.uniform(-3, 0)), steps=steps)


def _rows(columns: Array) -> Array:
    """The same numbers; in memory a sample is a row."""
    return np.ascontiguousarray(columns.T).T


def activation_of(name: str, options: Options, units: int) -> Activation:
    """An activation with these options, for a layer of so many units."""
    chosen = {key: units if value == WEIGHTS else value for key, value in options.items()}
    return ACTIVATIONS[name].configured(**chosen)  # type: ignore[arg-type] # it refuses others


def _filled(options: Options, outputs: int, random: Random) -> Mapping[str, object]:
    weights = tuple(float(w) for w in random.uniform(0.2, 2, outputs))
    return {name: weights if value == WEIGHTS else value for name, value in options.items()}


def last(loss: Loss) -> Activation:
    """The activation before a loss, which its numbers must come from."""
    if loss.name == "poisson_nll" and not loss.options["log_input"]:
        return ACTIVATIONS["softplus"]  # a rate, which is not negative
    return ACTIVATIONS[LAST.get(loss.name, "identity")]


def _target(
    architecture: Architecture, random: Random, batch: int, draw: Callable[[tuple[int, ...]], Array]
) -> Array:
    """y, from what the loss is defined for; its corners too: 0 and 1, equal and empty labels."""
    loss, outputs = architecture.loss, architecture.layers[-1]
    shape = (outputs, batch)
    if architecture.class_indices:
        return random.integers(0, outputs, (1, batch)).astype(np.float64)
    if loss.target == "labels":
        return _labels(random, outputs, batch)
    if loss.name in ("soft_margin", "hinge_embedding"):
        return np.asarray(random.choice([-1.0, 1.0], shape))
    if loss.name in ("bce", "bce_with_logits", "multilabel_soft_margin"):
        shares, ends = random.uniform(0, 1, shape), random.integers(0, 2, shape).astype(float)
        return np.asarray(random.choice([shares, ends]))
    if loss.name in ("kl_div", "cross_entropy"):
        shares = random.dirichlet(np.ones(outputs), batch).T
        if loss.name == "cross_entropy":
            return shares
        return (
            np.log(shares)
            if loss.options["log_target"]
            else np.where(random.random(shape) < 0.2, 0, shares)
        )
    if loss.name == "poisson_nll":
        return random.poisson(2, shape).astype(np.float64)
    return draw(shape)


def _labels(random: Random, outputs: int, batch: int) -> Array:
    """Each column lists labels, perhaps twice, and closes the list with −1; behind it stands anything."""
    y = np.full((outputs, batch), -1.0)
    for sample in range(batch):
        number = int(random.integers(0, outputs + 1))
        y[:number, sample] = random.choice(outputs, number, replace=bool(random.integers(2)))
        y[number + 1 :, sample] = random.integers(0, outputs, max(0, outputs - number - 1))
    return y
