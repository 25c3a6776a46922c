"""`Architecture`: the structure of a layered network, without its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from reference.arrays import Array
from reference.chain import layered
from reference.clipping import Clipping
from reference.graph import Graph
from reference.initialisers import Initialiser
from reference.model import Model, Shape
from reference.operations import rows
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import SGD, Optimizer
from reference.refusal import OptionError
from reference.trace import split

G = TypeVar("G", bound=Graph)


@dataclass(frozen=True)
class Architecture(Model):
    """A layered network: layer sizes (input first), one activation per layer, loss, dtype, optimizer."""

    layers: tuple[int, ...]
    activations: tuple[Activation, ...]
    loss: Loss = LOSSES["mse"]
    reduction: str = "mean"
    dtype: npt.DTypeLike = np.float32
    optimizer: Optimizer = SGD
    clipping: Clipping | None = None
    order = "F"  # the formulas' columns (samples) are contiguous in memory, like PyTorch's rows
    class_indices: bool = False  # y is one row of class indices, for a loss that also takes values

    def __post_init__(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1:
            raise OptionError(
                "layers: need an input and a layer, each at least 1: {layers}", layers=self.layers
            )
        if len(self.activations) != self.depth:
            raise OptionError(
                "activation: {given} given for {depth} layers",
                given=len(self.activations),
                depth=self.depth,
            )
        if self.loss.target == "class" and not self.class_indices:
            object.__setattr__(self, "class_indices", True)
        for units, f in zip(self.layers[1:], self.activations, strict=True):
            if f.learned and f.options[f.learned.number] not in (1, units):
                raise OptionError(
                    "activation: {name} has 1 parameter or {units}, one a unit", name=f.name, units=units
                )

    @property
    def reduced_loss(self) -> Loss:
        """The loss with the model's reduction applied."""
        return self.loss.under(self.reduction)

    @property
    def depth(self) -> int:
        """L, the number of layers, not counting the input (layer 0)."""
        return len(self.layers) - 1

    def n(self, batch: int) -> int:
        """The divisor of slide 3: the number of terms, outputs × batch, for a mean; 1 for a sum."""
        if self.reduction == "batchmean":
            return batch
        return self.loss.terms(self.layers[-1], batch) if self.reduction == "mean" else 1

    def target_shape(self, batch: int) -> tuple[int, int]:
        """The shape of y: one number per output and sample, or one class index per sample."""
        return (1 if self.class_indices else self.layers[-1]), batch

    def parameter_shapes(self) -> dict[str, Shape]:
        """Shapes of the parameters, {"W1": (out, in), "b1": (out, 1), …}, in storage order.

        If the activation has a parameter of its own, "alpha1" (1, 1) or (out, 1) follows.
        """
        shapes: dict[str, Shape] = {}
        for layer in range(1, self.depth + 1):
            fan_out, fan_in = self.layers[layer], self.layers[layer - 1]
            shapes[f"W{layer}"] = (fan_out, fan_in)
            shapes[f"b{layer}"] = (fan_out, 1)
            learned = self.activations[layer - 1].learned
            if learned:
                number = int(self.activations[layer - 1].options[learned.number])
                shapes[f"{learned.symbol}{layer}"] = (number, 1)
        return shapes

    def example(self, batch: int) -> dict[str, Array]:
        """Example inputs x and y, filled with zeros."""
        shapes = {"x": (self.layers[0], batch), "y": self.target_shape(batch)}
        return {name: np.zeros(shape, self.dtype) for name, shape in shapes.items()}

    @property
    def title(self) -> str:
        """The layer sizes as text, such as `64-32-10`."""
        return "-".join(map(str, self.layers))

    @property
    def output(self) -> str:
        """Name of the output's tensor, a^(L)."""
        return f"a{self.depth}"

    def samples(self, x: Array) -> int:
        """Number of columns of x; 0 if x is not a matrix."""
        return x.shape[1] if x.ndim == 2 else 0

    @cached_property
    def graph(self) -> Graph:
        """The computational graph z1, a1, z2, …, loss: see `reference.chain`."""
        return layered(self.activations, rows.loss(self.reduced_loss), Graph())

    def unfolded(self, graph: G) -> G:
        """The same network added to an empty graph, with slide 3's loss as separate nodes."""
        if self.loss.name == "mse":
            return layered(self.activations, self.reduction, graph)
        return layered(self.activations, rows.loss(self.reduced_loss), graph)

    def optimizer_of(self, parameter: str) -> Optimizer:
        """The optimizer of a parameter. Only W counts as a matrix: b (out, 1) is a vector in PyTorch."""
        return self.optimizer.of(matrix=split(parameter)[0] == "W")

    def initial_parameters(
        self, seed: int, weights: Initialiser | None = None, biases: Initialiser | None = None
    ) -> dict[str, Array]:
        """Parameters drawn by these initialisers, by default with `torch.nn.Linear`'s distribution.

        Linear's is W^(l), b^(l) ~ U(−1/√in, 1/√in), to which PyTorch's kaiming_uniform_(a=√5) simplifies;
        the random numbers are numpy's:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
        """
        random = np.random.default_rng(seed)
        parameters: dict[str, Array] = {}
        drawers = {"W": weights, "b": biases}
        for name, shape in self.parameter_shapes().items():
            kind, layer = split(name)
            assert layer is not None
            if kind not in drawers:  # an activation's own parameter: its initial value is an option
                f = self.activations[layer - 1]
                assert f.learned is not None
                parameters[name] = np.full(shape, f.options[f.learned.initial], self.dtype)
                continue
            draw = drawers[kind]
            if draw:
                parameters[name] = draw(random, shape).astype(self.dtype)
                continue
            bound = 1 / np.sqrt(self.layers[layer - 1])
            parameters[name] = random.uniform(-bound, bound, shape).astype(self.dtype)
        return parameters


def architecture(
    layers: tuple[int, ...],
    activation: str | Activation | tuple[str | Activation, ...],
    dtype: npt.DTypeLike = np.float32,
    reduction: str = "mean",
    loss: str = "mse",
    optimizer: Optimizer = SGD,
) -> Architecture:
    """Build an `Architecture` from names; a single activation name applies to all layers.

    Raises KeyError for an unknown activation or loss, ValueError for impossible layers.
    """
    chosen = activation if isinstance(activation, tuple) else (activation,) * (len(layers) - 1)
    return Architecture(
        tuple(layers),
        tuple(ACTIVATIONS[f] if isinstance(f, str) else f for f in chosen),
        LOSSES[loss],
        reduction,
        dtype,
        optimizer,
    )
