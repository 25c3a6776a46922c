"""A case: everything two sides need to walk in lockstep, made from a config and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from parity import datasets
from parity.config import Config, Named
from parity.errors import QuestionError
from reference.activations import ACTIVATIONS, Activation
from reference.architecture import Architecture
from reference.arrays import Array
from reference.losses import LOSSES, Loss
from reference.training import batches

T = TypeVar("T")


@dataclass(frozen=True)
class Defaults:
    """What a data set is trained with when nothing else is said."""

    hidden: tuple[int, ...]
    lr: float  # for sigmoid in every layer, whose slope is at most 1/4
    batch: int
    steps: int


DEFAULTS = {
    "digits": Defaults((32,), lr=10.0, batch=32, steps=1000),
    "iris": Defaults((8,), lr=2.0, batch=16, steps=2000),
    "xor": Defaults((3,), lr=5.0, batch=0, steps=2000),
}
OTHER_DATA = Defaults((16,), lr=2.0, batch=32, steps=1000)
OTHER_LR = 0.1
"""For networks with any other activation than sigmoid."""


@dataclass(frozen=True)
class Case:
    """A network, its starting bits, data, and how to train. In arrays a column is a sample."""

    architecture: Architecture
    parameters: dict[str, Array]
    x: Array
    y: Array
    lr: float
    steps: int
    batch: int = 0
    seed: int = 0
    held_x: Array | None = None
    held_y: Array | None = None
    data: str = "given"
    measures_accuracy: bool = False

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Endless batches, the same for every call."""
        return batches(self.x, self.y, self.batch, self.seed)


def build(config: Config) -> Case:
    """The case that a config describes. Raises QuestionError where its parts do not fit each other."""
    dtype = np.dtype(config.network.dtype)
    name, training, held = _data(config)
    defaults = DEFAULTS.get(name, OTHER_DATA)
    inputs, outputs = training.x.shape[1], training.y.shape[1]
    layers = tuple(config.network.layers or (inputs, *defaults.hidden, outputs))
    for what, where, expected in (("features", 0, inputs), ("outputs", -1, outputs)):
        if layers[where] != expected:
            shown = "-".join(map(str, layers))
            raise QuestionError(
                f"layers {shown}: {name} has {expected} {what}, the network {layers[where]}"
            )
    activations = _activations(config.network.activation, len(layers) - 1)
    loss, reduction = _loss(config.training.loss)
    _optimizer(config.training.optimizer)
    architecture = Architecture(layers, activations, loss, reduction, dtype)
    every_sigmoid = all(f.name == "sigmoid" for f in activations)
    lr = config.training.lr or (defaults.lr if every_sigmoid else OTHER_LR)
    x, y = _columns(training.x, dtype, "x"), _columns(training.y, dtype, "y")
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
        held_x=_columns(held.x, dtype, "x") if held else None,
        held_y=_columns(held.y, dtype, "y") if held else None,
        data=name,
        measures_accuracy=training.classes is not None or name == "xor",
    )


def _data(config: Config) -> tuple[str, datasets.Dataset, datasets.Dataset | None]:
    """The data's name, its training part, and the held-back fifth where it has one."""
    table = config.data
    if table.x is not None and table.y is not None:
        x, y = _rectangle(table.x, "data.x"), _rectangle(table.y, "data.y")
        if len(x) != len(y):
            raise QuestionError(f"data: x has {len(x)} samples, y has {len(y)}")
        features = tuple(f"x{i}" for i in range(x.shape[1]))
        return "given", datasets.Dataset("given", x, y, None, features, "the config"), None
    dataset = datasets.load(table.path or table.name or "digits", table.target)
    training, held = datasets.split(dataset, config.training.seed)
    return dataset.name, training, held


def _rectangle(rows: list[list[float]], key: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        odd = next(i for i, row in enumerate(rows) if len(row) != len(rows[0]))
        raise QuestionError(f"{key}[{odd}]: {len(rows[odd])} numbers, where {key}[0] has {len(rows[0])}")
    return np.array(rows, dtype=np.float64)


def _columns(
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]], dtype: np.dtype[np.generic], key: str
) -> Array:
    """Rows of samples as the deck's columns, in the network's dtype; a row stays together in memory."""
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(rows.astype(dtype))
    if not np.isfinite(converted).all():
        sample = int(np.argwhere(~np.isfinite(converted))[0][0])
        raise QuestionError(f"data: {key}[{sample}] does not fit {dtype}")
    columns: Array = converted.T
    return columns


def _activations(asked: Named | list[Named], depth: int) -> tuple[Activation, ...]:
    names = asked if isinstance(asked, list) else [asked] * depth
    if len(names) != depth:
        raise QuestionError(f"activation: {len(names)} given for {depth} layers")
    return tuple(_pick("activation", name, ACTIVATIONS) for name in names)


def _loss(asked: Named) -> tuple[Loss, str]:
    options: dict[str, str | bool | float] = dict(asked) if isinstance(asked, dict) else {"name": asked}
    reduction = str(options.pop("reduction", "mean"))
    if reduction not in ("mean", "sum"):
        raise QuestionError(f"loss: reduction {reduction!r}; known: mean, sum")
    return _pick("loss", options, LOSSES), reduction


def _optimizer(asked: Named) -> None:
    _pick("optimizer", asked, {"sgd": "torch.optim.SGD"})


def _pick(what: str, asked: Named, known: Mapping[str, T]) -> T:
    options = dict(asked) if isinstance(asked, dict) else {"name": asked}
    name = options.pop("name", None)
    if name not in known:
        raise QuestionError(f"{what}: unknown {name!r}; known: {', '.join(known)}")
    if options:
        raise QuestionError(f"{what}: {name} takes no {next(iter(options))!r}")
    return known[str(name)]


def _parameters(config: Config, architecture: Architecture) -> dict[str, Array]:
    given = config.network.parameters
    if given is None:
        return architecture.initial_parameters(config.training.seed)
    shapes = architecture.parameter_shapes()
    for name in given:
        if name not in shapes:
            raise QuestionError(f"network.parameters.{name}: no parameter of this network")
    parameters: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name not in given:
            raise QuestionError(f"network.parameters.{name}: missing; give all of them or none")
        parameters[name] = _parameter(name, given[name], shape, architecture)
    return parameters


def _parameter(
    name: str, rows: list[list[float]] | list[float], shape: tuple[int, int], architecture: Architecture
) -> Array:
    """One parameter as given: W as rows (out, in), b as a plain list or as (out, 1)."""
    flat_bias = name.startswith("b") and not isinstance(rows[0], list)
    table = [[value] for value in rows] if flat_bias else rows
    widths = {len(row) if isinstance(row, list) else 0 for row in table}
    if len(table) != shape[0] or widths != {shape[1]}:
        found = f"({len(table)}, {'/'.join(map(str, sorted(widths)))})"
        raise QuestionError(f"network.parameters.{name}: expected shape {shape} (out, in), found {found}")
    with np.errstate(over="ignore"):
        array: Array = np.array(table, dtype=np.float64).astype(architecture.dtype)
    if not np.isfinite(array).all():
        raise QuestionError(f"network.parameters.{name}: a number does not fit {array.dtype}")
    return array


def sizes(layers: tuple[int, ...]) -> str:
    """`64-32-10`."""
    return "-".join(map(str, layers))


def parse_layers(text: str) -> list[int]:
    """`64-32-10` as numbers. Raises QuestionError for anything else."""
    try:
        return [int(part) for part in text.split("-")]
    except ValueError:
        raise QuestionError(f"--layers {text}: expected sizes like 64-32-10") from None
