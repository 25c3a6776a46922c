"""`Model`: a computational graph and the optimizer that trains its learned leaves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

import numpy.typing as npt

from reference.arrays import Array
from reference.clipping import Clipping
from reference.graph import Graph
from reference.optimizers import Optimizer

Shape = tuple[int, ...]

LOSS = "loss"
"""Name of the node that training minimises, in every model."""


class Model(ABC):
    """A trainable model: the graph that computes `loss`, its parameters, and their update."""

    dtype: npt.DTypeLike
    optimizer: Optimizer
    clipping: Clipping | None
    order: Literal["C", "F"] = "C"  # memory layout in which a sample's numbers are contiguous
    statistics: tuple[str, ...] = ()  # given leaves that each step updates, such as a running mean

    @property
    @abstractmethod
    def graph(self) -> Graph:
        """The graph of one forward pass. Data are given leaves; parameters are learned leaves."""

    @abstractmethod
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shapes of all parameters, {"W1": (out, in), …}, in storage order."""

    @abstractmethod
    def example(self, batch: int) -> dict[str, Array]:
        """An example value, of the right shape and dtype, for every given leaf and a batch of this size."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A short name for display."""

    @property
    @abstractmethod
    def output(self) -> str:
        """The name of ŷ."""

    @abstractmethod
    def samples(self, x: Array) -> int:
        """Number of samples in a batch; 0 if x is not a batch."""

    @abstractmethod
    def n(self, batch: int) -> int:
        """The divisor of slide 3."""

    def path(self, node: str) -> str:
        """Where in a torch model a node is, if this is a model of one; else empty."""
        return ""

    def gradient(self, parameter: str) -> str:
        """Name of the gradient that the update takes: "dW1", or "clipped_W1" with clipping."""
        return f"clipped_{parameter}" if self.clipping else f"d{parameter}"

    def optimizer_of(self, parameter: str) -> Optimizer:
        """The optimizer that updates a parameter: Muon takes the matrices, another one the rest."""
        return self.optimizer.of(matrix=len(self.parameter_shapes()[parameter]) == 2)

    def state_shapes(self) -> dict[str, Shape]:
        """Shapes of the optimizer's states of each parameter, {"m_W1": (out, in), …}."""
        return {
            f"{state}_{name}": entry.shape(*shape)
            for name, shape in self.parameter_shapes().items()
            for state, entry in self.optimizer_of(name).states.items()
        }

    def initial_state(self, parameters: Mapping[str, Array], lr: float) -> dict[str, Array]:
        """Initial values of the optimizer's states, in the order of `state_shapes`."""
        return {
            f"{state}_{name}": entry.start(parameters[name], lr)
            for name in self.parameter_shapes()
            for state, entry in self.optimizer_of(name).states.items()
        }
