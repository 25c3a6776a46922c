"""What the reference trains of a recorded model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from parity.pytorch.recorder.data import Values
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.clipping import Clipping
from reference.graph import Graph
from reference.model import Model, Shape
from reference.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from parity.pytorch.imported.stored import StoredCall


@dataclass(frozen=True)
class ImportedModel(Model):
    """A recorded model. `leaves` holds an example of every leaf, `paths` where things are in the model.

    `calls` are PyTorch's own calls, if they can be run again from the leaves.
    """

    built: Graph
    leaves: Mapping[str, Values]
    paths: Mapping[str, str]
    answer: str
    dtype: np.dtype[np.generic]
    statistics: tuple[str, ...] = ()
    optimizer: Optimizer = SGD
    clipping: Clipping | None = None
    calls: tuple[StoredCall, ...] | None = None

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
    def places(self) -> Mapping[str, str]:
        """Where in the model a node is, in words: the module of an operation, the path of a parameter."""
        return {name: path or Message("model_whole") for name, path in self.paths.items()}

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


def signature(graph: Graph) -> tuple[object, ...]:
    """What is the same in every step: the operations, their options, and who takes whose tensors."""
    return tuple(
        (
            node.name,
            node.operation.name if node.operation else "",
            tuple(sorted(node.options.items())),
            tuple(parent.name if parent else "" for parent in node.parents),
        )
        for node in graph.nodes
    )
