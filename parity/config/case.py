"""`Case`: everything that two sides need to train in lockstep, built from a config and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from pydantic import JsonValue

from parity.config import datasets, names
from parity.config.config import Config
from parity.config.datasets.dataset import Floats
from parity.config.options import parse_layers
from parity.config.targets import fitting, is_indices, target
from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.arrays import Array
from reference.training import batches


@dataclass(frozen=True)
class Defaults:
    """Default training settings of a data set."""

    hidden: tuple[int, ...]
    lr: float  # for sigmoid in every layer, whose small slope (at most 1/4) needs a large η
    batch: int
    steps: int


DEFAULTS = {
    "digits": Defaults((32,), lr=10.0, batch=32, steps=1000),
    "iris": Defaults((8,), lr=2.0, batch=16, steps=2000),
    "xor": Defaults((3,), lr=5.0, batch=0, steps=2000),
}
OTHER_DATA = Defaults((16,), lr=2.0, batch=32, steps=1000)
OTHER_LR = 0.1
"""Default η of SGD if an activation is not sigmoid or the loss not MSE; other optimizers use PyTorch's."""


HELD_BACK, TRAINED_ON = "held_back", "trained_on"
"""Parts of the data."""

Scored: TypeAlias = tuple[Array, Array]
"""x as a network takes it, and y as rows of ones and zeros: (samples, outputs)."""


@dataclass(frozen=True)
class Case:
    """A network with its initial parameters, data and training settings. A column is a sample."""

    architecture: Architecture
    parameters: dict[str, Array]
    x: Array
    y: Array
    lr: float
    steps: int
    batch: int = 0
    seed: int = 0
    scored: Mapping[str, Scored] = field(default_factory=dict)  # what accuracy is measured on, by part
    data: str = "given"
    findings: tuple[str, ...] = ()  # names of accepted deviations of PyTorch

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """The endless sequence of batches, the same in every call."""
        return batches(self.x, self.y, self.batch, self.seed)

    def findings_of(self, side: str) -> tuple[str, ...]:
        """The deviations accepted of a side; none for the reference, which must follow the formulas."""
        return () if side == "reference" else self.findings


def build(config: Config, given: datasets.Dataset | None = None) -> Case:
    """Build the case that a config describes, on the config's data or on `given`.

    Raises UsageError if its parts do not fit together, and for `[[network.modules]]`, which only PyTorch
    builds.
    """
    if config.network.modules:
        raise UsageError(Message("modules_not_here"))
    dtype = np.dtype(config.network.dtype)
    name, training, held = (given.name, given, None) if given else data_of(config)
    defaults = DEFAULTS.get(name, OTHER_DATA)
    settings = _training(config)
    inputs, outputs = training.x.shape[1], training.y.shape[1]
    layers = tuple(config.network.layers or (inputs, *defaults.hidden, outputs))
    indices = is_indices(settings.loss, layers[-1], outputs)
    for key, where, expected in (("layers_features", 0, inputs), ("layers_outputs", -1, outputs)):
        if layers[where] != expected and not (indices and where == -1 and outputs == 1):
            shown = "-".join(map(str, layers))
            raise UsageError(Message(key, layers=shown, data=name, expected=expected, found=layers[where]))
    architecture = _architecture(config, settings, layers, indices=indices)
    every_sigmoid = all(f.name == "sigmoid" for f in architecture.activations)
    deck = every_sigmoid and settings.loss.name == "mse"
    usual = (defaults.lr if deck else OTHER_LR) if settings.optimizer.plain else settings.optimizer.lr
    lr = config.training.lr or usual
    wanted = target(settings.loss, layers[-1], training.y)
    x, y = _columns(training.x, dtype, "x"), _columns(wanted, dtype, "y")
    batch = config.training.batch if config.training.batch is not None else defaults.batch
    return Case(
        architecture,
        _parameters(config, architecture),
        x,
        y,
        lr=lr,
        steps=config.training.steps or defaults.steps,
        batch=batch,
        seed=config.training.seed,
        scored={
            part: (_columns(rows.x, dtype, "x"), rows.y.astype(dtype))
            for part, rows in scored(training, held)
        },
        data=name,
        findings=tuple(config.training.accept),
    )


def scored(
    training: datasets.Dataset, held: datasets.Dataset | None
) -> Iterator[tuple[str, datasets.Dataset]]:
    """The parts of the data on which accuracy is measured; none for a regression."""
    if training.classes is None and training.name != "xor":
        return
    yield TRAINED_ON, training
    if held is not None and held is not training:
        yield HELD_BACK, held


def _training(config: Config) -> names.Training:
    table = config.training
    return names.training(table.loss, table.optimizer, table.clip)


def _architecture(
    config: Config, settings: names.Training, layers: tuple[int, ...], *, indices: bool
) -> Architecture:
    """The network of a config; `indices` is whether y holds class indices."""
    try:
        return fitting(
            Architecture(
                layers,
                names.activations(config.network.activation, len(layers) - 1),
                settings.loss,
                settings.reduction,
                np.dtype(config.network.dtype),
                settings.optimizer,
                settings.clipping,
                class_indices=indices,
            )
        )
    except ValueError as error:
        raise UsageError(Message.about(error)) from None


@dataclass(frozen=True)
class Described:
    """The network and learning rate of a recorded config, without its data."""

    architecture: Architecture
    lr: float
    findings: tuple[str, ...] = ()


def described(facts: Mapping[str, JsonValue], targets: int) -> Described:
    """The network and η of a config recorded in a result or trace file.

    `targets` is the number of rows of y. Raises UsageError if the config is incomplete, and for an
    unknown name.
    """
    try:
        tables = {key: facts[key] for key in ("network", "training") if key in facts}
        lr = facts["lr"]
        if not isinstance(lr, int | float):
            raise TypeError
        config = Config.model_validate(tables)
        layers, settings = tuple(parse_layers(str(facts["layers"]))), _training(config)
        indices = is_indices(settings.loss, layers[-1], targets)
        architecture = _architecture(config, settings, layers, indices=indices)
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError):  # pydantic's ValidationError is a ValueError
        raise UsageError(Message("config_no_network")) from None
    return Described(architecture, float(lr), tuple(config.training.accept))


Data: TypeAlias = tuple[str, datasets.Dataset, datasets.Dataset | None]
"""Its name, its training part, and the held-back part, if there is one."""


def data_of(config: Config) -> Data:
    """The data's name, its training part, and the held-back part, if there is one."""
    table = config.data
    if table.x is not None and table.y is not None:
        x, y = _rectangle(table.x, "data.x"), _rectangle(table.y, "data.y")
        if len(x) != len(y):
            raise UsageError(Message("data_lengths", x=len(x), y=len(y)))
        features = tuple(f"x{i}" for i in range(x.shape[1]))
        return "given", datasets.Dataset("given", x, y, None, features, "the config"), None
    dataset = datasets.load(table.path or table.name or "digits", table.target)
    training, held = datasets.split(dataset, config.training.seed)
    return dataset.name, training, held


def _rectangle(rows: list[list[float]], key: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        odd = next(i for i, row in enumerate(rows) if len(row) != len(rows[0]))
        raise UsageError(
            Message("row_lengths", key=key, number=odd, found=len(rows[odd]), first=len(rows[0]))
        )
    return np.array(rows, dtype=np.float64)


def in_format(rows: Floats, dtype: np.dtype[np.generic], key: str) -> Array:
    """Rows of samples in the network's dtype. Raises UsageError for a number that is not finite there."""
    with np.errstate(over="ignore"):
        converted: Array = np.ascontiguousarray(rows.astype(dtype))
    if not np.isfinite(converted).all():
        sample = int(np.argwhere(~np.isfinite(converted))[0][0])
        raise UsageError(Message("data_does_not_fit", key=key, sample=sample, dtype=dtype))
    return converted


def _columns(rows: Floats, dtype: np.dtype[np.generic], key: str) -> Array:
    """Rows of samples as the deck's columns, in the network's dtype; a sample is contiguous in memory."""
    return in_format(rows, dtype, key).T


def _parameters(config: Config, architecture: Architecture) -> dict[str, Array]:
    given = config.network.parameters
    network = config.network
    if given is None:
        weights = names.initialiser("initialiser", network.initialiser)
        biases = names.initialiser("bias_initialiser", network.bias_initialiser)
        return architecture.initial_parameters(config.training.seed, weights, biases)
    if network.initialiser or network.bias_initialiser:
        raise UsageError(Message("parameters_given"))
    shapes = architecture.parameter_shapes()
    for name in given:
        if name not in shapes:
            raise UsageError(Message("parameter_unknown", name=name))
    parameters: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name not in given:
            raise UsageError(Message("parameter_missing", name=name))
        parameters[name] = _parameter(name, given[name], shape, architecture)
    return parameters


def _parameter(
    name: str, rows: list[list[float]] | list[float], shape: tuple[int, ...], architecture: Architecture
) -> Array:
    """A parameter from a config: W as rows (out, in), b as a plain list or as (out, 1)."""
    flat_bias = name.startswith("b") and not isinstance(rows[0], list)
    table = [[value] for value in rows] if flat_bias else rows
    widths = {len(row) if isinstance(row, list) else 0 for row in table}
    if len(table) != shape[0] or widths != {shape[1]}:
        found = f"({len(table)}, {'/'.join(map(str, sorted(widths)))})"
        raise UsageError(Message("parameter_shape", name=name, shape=shape, found=found))
    with np.errstate(over="ignore"):
        array: Array = np.array(table, dtype=np.float64).astype(architecture.dtype)
    if not np.isfinite(array).all():
        raise UsageError(Message("parameter_does_not_fit", name=name, dtype=array.dtype))
    return array
