"""What a layered network is made of, before it has any weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference.activations import ACTIVATIONS, Activation
from reference.arrays import Array
from reference.losses import LOSSES, Loss


@dataclass(frozen=True)
class Architecture:
    """Layer sizes (input first), one activation a layer, the loss and its reduction, the dtype."""

    layers: tuple[int, ...]
    activations: tuple[Activation, ...]
    loss: Loss = LOSSES["mse"]
    reduction: str = "mean"
    dtype: npt.DTypeLike = np.float32

    def __post_init__(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1:
            raise ValueError(f"layers: need an input and a layer, each at least 1: {self.layers}")
        if len(self.activations) != self.depth:
            raise ValueError(f"activation: {len(self.activations)} given for {self.depth} layers")

    @property
    def depth(self) -> int:
        """L, the number of layers; the input is layer 0 and not counted."""
        return len(self.layers) - 1

    def n(self, batch: int) -> int:
        """What slide 3 divides by: every term of the sum, outputs × batch; 1 when it is not a mean."""
        return self.layers[-1] * batch if self.reduction == "mean" else 1

    def parameter_shapes(self) -> dict[str, tuple[int, int]]:
        """{"W1": (out, in), "b1": (out, 1), …}, in the order in which they are stored."""
        shapes: dict[str, tuple[int, int]] = {}
        for layer in range(1, self.depth + 1):
            fan_out, fan_in = self.layers[layer], self.layers[layer - 1]
            shapes[f"W{layer}"] = (fan_out, fan_in)
            shapes[f"b{layer}"] = (fan_out, 1)
        return shapes

    def initial_parameters(self, seed: int) -> dict[str, Array]:
        """Parameters drawn as `torch.nn.Linear` draws them, from a generator of our own.

        W^(l), b^(l) ~ U(−1/√in, 1/√in), which is what PyTorch's kaiming_uniform_(a=√5) comes to:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
        """
        random = np.random.default_rng(seed)
        parameters: dict[str, Array] = {}
        for name, shape in self.parameter_shapes().items():
            bound = 1 / np.sqrt(self.layers[int(name[1:]) - 1])
            parameters[name] = random.uniform(-bound, bound, shape).astype(self.dtype)
        return parameters


def architecture(
    layers: tuple[int, ...],
    activation: str | tuple[str, ...],
    dtype: npt.DTypeLike = np.float32,
    reduction: str = "mean",
    loss: str = "mse",
) -> Architecture:
    """An `Architecture` from names; one activation name serves all layers.

    Raises KeyError for an unknown activation or loss, ValueError for impossible layers.
    """
    names = (activation,) * (len(layers) - 1) if isinstance(activation, str) else activation
    return Architecture(
        tuple(layers), tuple(ACTIVATIONS[name] for name in names), LOSSES[loss], reduction, dtype
    )
