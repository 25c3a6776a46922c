"""A model: a computational graph whose learned leaves an optimizer trains."""

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
"""The node of every model that is made small."""


class Model(ABC):
    """What a training step is about: the graph that makes `loss`, its parameters, how they are updated."""

    dtype: npt.DTypeLike
    optimizer: Optimizer
    clipping: Clipping | None
    order: Literal["C", "F"] = "C"  # of a tensor in memory: a sample's numbers lie together
    statistics: tuple[str, ...] = ()  # given leaves that each step renews, as a running mean

    @property
    @abstractmethod
    def graph(self) -> Graph:
        """The graph of one step's forward pass. Data are given leaves; parameters are leaves that learn."""

    @abstractmethod
    def parameter_shapes(self) -> dict[str, Shape]:
        """{"W1": (out, in), …}: every parameter, in the order in which they are stored."""

    @abstractmethod
    def example(self, batch: int) -> dict[str, Array]:
        """Any value of every given leaf, for so many samples: its shape and its dtype."""

    @property
    @abstractmethod
    def output(self) -> str:
        """The name of ŷ."""

    @abstractmethod
    def samples(self, x: Array) -> int:
        """How many samples a batch holds; 0 where x cannot be one."""

    @abstractmethod
    def n(self, batch: int) -> int:
        """What slide 3 divides by."""

    def gradient(self, parameter: str) -> str:
        """The name of the gradient that the update takes: "dW1", or "clipped_W1" where it was clipped."""
        return f"clipped_{parameter}" if self.clipping else f"d{parameter}"

    def optimizer_of(self, parameter: str) -> Optimizer:
        """The optimizer that a parameter is given to: Muon takes matrices, another one the rest."""
        return self.optimizer.of(matrix=len(self.parameter_shapes()[parameter]) == 2)

    def state_shapes(self) -> dict[str, Shape]:
        """{"m_W1": (out, in), …}: what the optimizer keeps for each parameter, state by state."""
        return {
            f"{state}_{name}": entry.shape(*shape)
            for name, shape in self.parameter_shapes().items()
            for state, entry in self.optimizer_of(name).states.items()
        }

    def initial_state(self, parameters: Mapping[str, Array], lr: float) -> dict[str, Array]:
        """What the optimizer starts with, in the order of `state_shapes`."""
        return {
            f"{state}_{name}": entry.start(parameters[name], lr)
            for name in self.parameter_shapes()
            for state, entry in self.optimizer_of(name).states.items()
        }
