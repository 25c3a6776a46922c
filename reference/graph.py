"""The computational graph of slide 7: operations are nodes, data goes forward, errors come back.

A node's parents must exist before it does, so a cycle cannot be built, and the order in which
nodes were added is a topological order. The forward sweep follows it, the reverse sweep goes
against it; where arrows fork (a shared weight, a residual connection), the errors that come back
along them add up. Nothing in here knows of layers: see `reference.chain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from reference.arrays import Array
from reference.operation import Operation


@dataclass(frozen=True, eq=False)
class Node:
    """A named operation on the values of its parents; without an operation, a leaf: input or parameter."""

    name: str
    operation: Operation | None = None
    parents: tuple[Node, ...] = ()

    @property
    def label(self) -> str:
        """What to draw in the node: its operation, or a leaf's own name."""
        return self.operation.label if self.operation else self.name


class Graph:
    """Nodes, in a topological order, and what the last sweeps left at them.

    Slide 7. Values and gradients answer to numpy's functions and may be any arithmetic that does.
    A node may be used by many others, or by none: ∂L/∂(a node that L does not depend on) is 0.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._values: dict[str, Array] = {}
        self._gradients: dict[str, Array] = {}

    # --- Building ---------------------------------------------------------------------------------

    def leaf(self, name: str) -> Node:
        """Add an input or a parameter. Raises ValueError for a name that is taken."""
        return self._enter(Node(name))

    def add(self, name: str, operation: Operation, *parents: str) -> Node:
        """Add an operation on nodes that are already here.

        Raises ValueError for a name that is taken, a parent that is not here, too many or too few
        parents, and for a computed node where the operation wants data.
        """
        unknown = [parent for parent in parents if parent not in self._nodes]
        if unknown:
            raise ValueError(f"{name}: its parent {unknown[0]!r} is not in the graph yet")
        if len(parents) != operation.arity:
            raise ValueError(f"{name}: {operation.label!r} takes {operation.arity}, not {len(parents)}")
        for place in operation.data:
            if self._nodes[parents[place]].operation:
                raise ValueError(f"{name}: {parents[place]!r} is computed, {operation.label!r} wants data")
        return self._enter(Node(name, operation, tuple(self._nodes[parent] for parent in parents)))

    def _enter(self, node: Node) -> Node:
        if node.name in self._nodes:
            raise ValueError(f"{node.name}: there is a node of this name already")
        self._nodes[node.name] = node
        self._values.clear()
        self._gradients.clear()
        return node

    # --- Running ----------------------------------------------------------------------------------

    def forward(self, leaves: Mapping[str, Array]) -> None:
        """Data goes forward: every node's value, out of those of the leaves, which are not copied.

        Raises ValueError for a leaf without a value (unless nothing uses it), a value that is no
        leaf's, and shapes that do not fit, naming the node.
        """
        self._values.clear()
        self._gradients.clear()
        used = {parent.name for node in self.nodes for parent in node.parents}
        known = {node.name for node in self.nodes if not node.operation}
        for name in sorted((used & known) - leaves.keys()):
            raise ValueError(f"forward: no value for {name!r}")
        for name in sorted(leaves.keys() - known):
            raise ValueError(f"forward: {name!r} is no leaf of this graph")
        values: dict[str, Array] = {}
        for node in self.nodes:
            if node.operation:
                operands = (values[parent.name] for parent in node.parents)
                try:
                    values[node.name] = _array(node.operation.forward(*operands))
                except ValueError as error:
                    raise ValueError(f"{node.name}: {error}") from error
            elif node.name in leaves:
                values[node.name] = _array(leaves[node.name])
        self._values = values  # all or nothing

    def backward(self, of: str, seed: Array | None = None) -> None:
        """Errors come back: ∂of/∂node for every node, summed over all paths between the two.

        `seed` is ∂L/∂of, in the shape of its value, where `of` is not the loss itself; 1 without it.
        Raises ValueError before a forward sweep, for an unknown node, for a seed of the wrong
        shape, and without a seed for a node that is not one number.
        """
        value = self.value(of)
        if seed is None:
            if value.shape != ():
                raise ValueError(f"backward: {of} has shape {value.shape}, give a seed of that shape")
            seed = np.full((), type(value.item())(1), value.dtype)  # 1, as the value's kind of number
        elif seed.shape != value.shape:
            raise ValueError(f"backward: {of} has shape {value.shape}, its seed {seed.shape}")
        gradients: dict[str, Array] = {of: seed}
        for node in reversed(self.nodes):
            if node.operation is None or node.name not in gradients:
                continue
            operands = (self._values[parent.name] for parent in node.parents)
            shares = node.operation.backward(gradients[node.name], self._values[node.name], *operands)
            for parent, share in zip(node.parents, shares, strict=True):
                if share is not None and parent.name in gradients:
                    gradients[parent.name] = np.add(gradients[parent.name], share)  # never in place:
                elif share is not None:
                    gradients[parent.name] = share  # ... one array may be several parents' share
        self._gradients = {
            name: _array(gradients[name]) if name in gradients else np.zeros_like(value)
            for name, value in self._values.items()
        }

    # --- Looking ----------------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, parents before children."""
        return tuple(self._nodes.values())

    @property
    def values(self) -> Mapping[str, Array]:
        """Values by node, after `forward`; empty before."""
        return MappingProxyType(self._values)

    @property
    def gradients(self) -> Mapping[str, Array]:
        """∂L/∂value by node, after `backward`; empty before."""
        return MappingProxyType(self._gradients)

    def value(self, name: str) -> Array:
        """A node's value. Raises ValueError before `forward`, or for an unknown node."""
        return self._look(name, self._values, "value", "forward")

    def gradient(self, name: str) -> Array:
        """∂L/∂value of a node, in its shape. Raises ValueError as `value` does, before `backward`."""
        return self._look(name, self._gradients, "gradient", "backward")

    def _look(self, name: str, found: Mapping[str, Array], what: str, sweep: str) -> Array:
        if name not in self._nodes:
            raise ValueError(f"{name!r} is not in the graph")
        if name not in found:
            raise ValueError(f"{name} has no {what}: run {sweep} first")
        return found[name]

    def columns(self) -> dict[str, int]:
        """Where each node stands from left to right: right of all its parents, leaves next to their use."""
        column: dict[str, int] = {}
        for node in self.nodes:
            column[node.name] = 1 + max((column[parent.name] for parent in node.parents), default=-1)
        for leaf in (node for node in self.nodes if not node.operation):
            uses = [column[node.name] for node in self.nodes if leaf in node.parents]
            column[leaf.name] = min(uses, default=1) - 1
        return column


def _array(value: Array | np.generic) -> Array:
    """An array, also of a 0-d result, which numpy hands out as a scalar or as the bare number."""
    if isinstance(value, np.generic) or not hasattr(value, "shape"):
        return np.asarray(value)
    return value
