"""What the reference trains of a recorded model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from parity.pytorch.recorder.data import Values
from reference.arrays import Array
from reference.clipping import Clipping
from reference.graph import Graph
from reference.model import Model, Shape
from reference.optimizers import SGD, Optimizer


@dataclass(frozen=True)
class ImportedModel(Model):
    """A recorded model. `leaves` holds an example of every leaf, `paths` where things are in the model."""

    built: Graph
    leaves: Mapping[str, Values]
    paths: Mapping[str, str]
    answer: str
    dtype: np.dtype[np.generic]
    statistics: tuple[str, ...] = ()
    optimizer: Optimizer = SGD
    clipping: Clipping | None = None

    @property
    def graph(self) -> Graph:
        """As it was recorded."""
        return self.built

    def path(self, node: str) -> str:
        """The module of an operation, the path of a parameter."""
        return self.paths.get(node, "")

    @property
    def title(self) -> str:
        """How many operations it has."""
        return f"a graph of {sum(node.operation is not None for node in self.built.nodes)} operations"

    @property
    def output(self) -> str:
        """What the loss is taken of."""
        return self.answer

    def parameter_shapes(self) -> dict[str, Shape]:
        """In the order of their first use."""
        leaves = (node for node in self.built.nodes if node.is_leaf and not node.given)
        return {node.name: self.leaves[node.name].shape for node in leaves}

    def example(self, batch: int) -> dict[str, Array]:
        """The given leaves of the recorded step."""
        leaves = (node for node in self.built.nodes if node.is_leaf and node.given)
        found = {node.name: self.leaves[node.name] for node in leaves}
        return cast("dict[str, Array]", found)  # some hold indices

    def samples(self, x: Array) -> int:
        """The rows of x."""
        return len(x) if x.ndim else 0

    def n(self, batch: int) -> int:
        """1: a recorded loss divides by itself."""
        return 1
