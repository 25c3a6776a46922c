"""A model that a run mirrors: its case, with the model's own weights in it, and its side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from parity.config import names
from parity.config.case import Case, Data, build, data_of, in_format, scored
from parity.config.config import Config, read
from parity.config.datasets.dataset import Dataset
from parity.config.modules import module_rows
from parity.config.targets import is_indices, target
from parity.errors import UsageError
from parity.pytorch.declared import declared, shown
from parity.pytorch.imported.layers import DTYPES, Mirror, mirror
from parity.pytorch.imported.names import known_losses, loss_of
from parity.pytorch.imported.peer import GraphPeer
from parity.pytorch.imported.side import ImportedSide
from parity.pytorch.imported.twin import MirroredTwin
from parity.pytorch.imported.watch import NoChainError
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.engine import Network

Batch: TypeAlias = "torch.Tensor | NDArray[np.generic]"
LossLike: TypeAlias = "torch.nn.Module | Mapping[str, JsonValue] | str"

SAMPLES = 2
"""Of a config's data, for the first look at a model."""


@dataclass(kw_only=True)
class _Peer:
    """What there is once a model was looked at: the deck's layers in it, or its graph."""

    mirror: Mirror | None = None
    graph: GraphPeer | None = None

    @property
    def paths(self) -> Mapping[str, str]:
        """Where in the model a node is: the module of an operation, the path of a parameter."""
        if self.graph:
            return self.graph.paths
        layers = self.mirror.layers if self.mirror else ()
        return {f"{node}{l}": layer.path for l, layer in enumerate(layers, 1) for node in "za"}

    @property
    def given(self) -> Callable[[Array, Array], Mapping[str, Array]] | None:
        """What else a step of a graph is given."""
        return self.graph.given if self.graph else None

    def predicts(self, network: Network) -> Callable[[Array], Array]:
        """ŷ by the reference."""
        return self.graph.predicts(network) if self.graph else network.forward

    def side(self, case: Case) -> MirroredTwin | ImportedSide:
        """The model as PyTorch's side."""
        if self.graph:
            return self.graph.side(case)
        assert self.mirror is not None
        return MirroredTwin(self.mirror, case)


@dataclass(kw_only=True)
class _ConfigPeer(_Peer):
    """A model whose data come from a config."""

    name: str

    def _resolved(
        self, config: Config, model: torch.nn.Module, data: Data, outputs: int
    ) -> tuple[Config, Case]:
        """The config with the model's layers in it, if it has such, and its case; it has `outputs`."""
        asked, (name, training, held) = config.model_dump(exclude_unset=True), data
        own = np.dtype(dtype(model))
        try:
            self.mirror = mirror(model, torch.from_numpy(training.x[:SAMPLES].astype(own)))
        except NoChainError:
            loss = names.loss_of(config.training.loss)[0]
            wanted = target(loss, outputs, training.y)
            y = in_format(wanted, own, "y")
            if is_indices(loss, outputs, wanted.shape[1]):
                y = wanted[:, 0].astype(np.int64)
            elif loss.target == "labels":
                y = wanted.astype(np.int64)
            parts = {
                part: (in_format(rows.x, own, "x"), in_format(rows.y, own, "y"))
                for part, rows in scored(training, held)
            }
            x = in_format(training.x, own, "x")
            self.graph = GraphPeer(self.name, model, x, y, parts, name)
            return config, self.graph.case(config)
        resolved = read({**asked, "network": network(self.mirror)}, {})
        return resolved, with_weights(build(resolved), self.mirror)


@dataclass(kw_only=True)
class ModelPeer(_ConfigPeer):
    """A model whose data comes from a config: `parity run --model`."""

    name: str
    model: torch.nn.Module

    def resolve(self, config: Config) -> tuple[Config, Case]:
        """The config with the model's layers in it, and its case with the model's weights.

        Raises UsageError where the config asks for a network of its own, or the model has no mirror.
        """
        for key in ("layers", "activation", "dtype", "parameters", "modules"):
            if key in config.network.model_fields_set:
                raise UsageError(Message("model_leave_out", key=key))
        data = data_of(config)
        return self._resolved(config, self.model, data, data[1].y.shape[1])


@dataclass(kw_only=True)
class DeclaredPeer(_ConfigPeer):
    """The module that a config's `[[network.modules]]` describes, on its data."""

    name: str = "network.modules"

    def resolve(self, config: Config) -> tuple[Config, Case]:
        """As a model's, of the module drawn with the config's seed. Raises UsageError."""
        data = data_of(config)
        rows, training = module_rows(config.network.modules or ()), data[1]
        x = in_format(training.x, np.dtype(config.network.dtype), "x")
        model, made = declared(rows, x, config.training.seed)
        loss, width = names.loss_of(config.training.loss)[0], training.y.shape[1]
        outputs = made[1] if len(made) == 2 else 0
        indices = is_indices(loss, outputs, width)
        if outputs != width and not (indices and width == 1 < outputs):
            given, wanted = shown(made), shown((len(x), width))
            raise UsageError(
                Message("modules_outputs", row=rows[-1].where, given=given, data=data[0], wanted=wanted)
            )
        return self._resolved(config, model, data, outputs)


@dataclass
class BatchPeer(_Peer):
    """A model with the batch on which it is tried: `parity.model` in a test. A sample is a row."""

    name: str
    model: torch.nn.Module
    x: Batch
    y: Batch

    def resolve(self, config: Config) -> tuple[Config, Case]:
        """The model's network and the config's training, on this batch. Raises UsageError."""
        x, y = _tensor("x", self.x), _tensor("y", self.y)
        if len(x) == 0 or len(x) != len(y):
            raise UsageError(Message("model_lengths", x=len(x), y=len(y)))
        own = dtype(self.model)
        if x.is_floating_point() and (x.dtype not in DTYPES or DTYPES[x.dtype] != own):
            kind = str(x.dtype).removeprefix("torch.")
            raise UsageError(Message("model_x_dtype", kind=kind, own=own))
        try:
            self.mirror = mirror(self.model, x)
        except NoChainError:
            self.graph = GraphPeer(self.name, self.model, x.numpy(), y.numpy())
            return config, self.graph.case(config)
        asked = config.training.model_dump(exclude_unset=True)
        resolved = read({"network": network(self.mirror), "training": asked}, {})
        outputs = self.mirror.sizes[-1]
        indices = names.loss_of(config.training.loss)[0].target in ("class", "either")
        if indices and y.ndim == 1 and not y.is_floating_point():
            y = y[:, None]  # the class of each sample, as PyTorch has it
        elif tuple(y.shape) != (len(x), outputs):
            raise UsageError(Message("model_y_shape", shape=tuple(y.shape), wanted=(len(x), outputs)))
        rows_x, rows_y = (_rows(tensor).astype(np.float64) for tensor in (x, y))
        features = tuple(f"x{i}" for i in range(rows_x.shape[1]))
        given = Dataset("given", rows_x, rows_y, None, features, "the test")
        return resolved, with_weights(build(resolved, given), self.mirror)


def training_of(loss: LossLike, **rest: JsonValue) -> Config:
    """The training of a batch, as a config; a loss may be `torch.nn`'s own module. Raises UsageError."""
    table: object = loss
    if isinstance(loss, torch.nn.Module):
        table = loss_of(loss)
        if table is None:
            kind = type(loss).__name__
            raise UsageError(Message("loss_cannot", kind=kind, known=", ".join(known_losses())))
    return read({"training": {"loss": table, "batch": 0, **rest}}, {})


def network(mirrored: Mirror) -> dict[str, JsonValue]:
    """A config's `[network]`, as the model has it."""
    return {
        "layers": list(mirrored.sizes),
        "activation": [layer.table for layer in mirrored.layers],
        "dtype": mirrored.dtype,
    }


def with_weights(case: Case, mirrored: Mirror) -> Case:
    """The case, starting from the model's own weights."""
    return replace(case, parameters=mirrored.arrays(case.architecture.parameter_shapes()))


def dtype(model: torch.nn.Module) -> str:
    """The model's number format, by its first parameter. Raises UsageError where there is no such."""
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    first = next(iter(parameters), None)
    if first is None:
        raise UsageError(Message("model_no_parameters"))
    if isinstance(first, torch.nn.UninitializedParameter):
        raise UsageError(Message("model_lazy"))
    if first.dtype not in DTYPES:
        kind = str(first.dtype).removeprefix("torch.")
        raise UsageError(Message("model_dtypes", kind=kind, known=", ".join(DTYPES.values())))
    return DTYPES[first.dtype]


def _tensor(name: str, given: Batch) -> torch.Tensor:
    """A batch as a tensor that owes nothing to anybody's graph. Raises UsageError for what is none."""
    tensor = given if isinstance(given, torch.Tensor) else None
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        tensor = torch.from_numpy(np.array(given))
    if tensor is None or tensor.ndim < 1:
        raise UsageError(Message("model_no_samples", name=name))
    if tensor.device.type != "cpu":
        raise UsageError(Message("model_data_device", name=name, device=tensor.device))
    return tensor.detach().clone()


def _rows(tensor: torch.Tensor) -> NDArray[np.generic]:
    """A sample a row, flat."""
    return tensor.reshape(len(tensor), -1).numpy()
