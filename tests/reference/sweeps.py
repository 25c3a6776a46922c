"""A graph that is evaluated node by node and keeps the results of its last sweeps (slide 7).

The engine runs the same equations in buffers; this is the direct evaluation, on any arithmetic that
implements numpy's functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from reference import walk
from reference.arrays import Array
from reference.formula import Constants
from reference.graph import Graph, Node


class Sweeps(Graph):
    """A graph with the values and the gradients of its nodes.

    `constants` are the constants that its formulas take, such as a loss's `n`. Adding a node clears all
    values and gradients.
    """

    def __init__(self, constants: Constants | None = None) -> None:
        super().__init__()
        self.constants: Constants = constants or {}
        self._values: dict[str, Array] = {}
        self._gradients: dict[str, Array] = {}

    def _enter(self, node: Node) -> Node:
        entered = super()._enter(node)
        self._values, self._gradients = {}, {}
        return entered

    def forward(self, leaves: Mapping[str, Array]) -> None:
        """Forward sweep: compute every node's value from the leaves' values, which are not copied.

        Raises ValueError for a leaf without a value (unless it is unused), a value for an unknown leaf,
        and, naming the node, shapes that do not fit.
        """
        self._values, self._gradients = {}, {}
        used = {parent.name for node in self.nodes for parent in node.parents if parent}
        known = {node.name for node in self.nodes if node.is_leaf}
        for name in sorted((used & known) - leaves.keys()):
            raise ValueError(f"forward: no value for {name!r}")
        for name in sorted(leaves.keys() - known):
            raise ValueError(f"forward: {name!r} is no leaf of this graph")
        values = {name: _array(value) for name, value in leaves.items()}
        for equation in walk.forward(self):
            self._fit(self[equation.makes], values)
            try:
                values[equation.makes] = _array(equation.of(values, self.constants))
            except ValueError as error:
                raise ValueError(f"{equation.makes}: {error}") from error
        self._values = values  # stored only if the whole sweep succeeded

    def _fit(self, node: Node, values: Mapping[str, Array]) -> None:
        operation = node.operation
        if operation and operation.fits:
            operands = [values[parent.name] if parent else None for parent in node.parents]
            if not operation.fits(*operands):
                shapes = " and ".join(str(operand.shape) for operand in operands if operand is not None)
                raise ValueError(f"{node.name}: {operation.name}: shapes {shapes} do not fit")

    def backward(self, of: str, seed: Array | None = None) -> None:
        """Backward sweep: compute ∂of/∂node for every node, summed over all paths between the two.

        If `of` is not the loss itself, `seed` is ∂L/∂of, in the shape of its value; it defaults to 1.
        Raises ValueError before a forward sweep, for an unknown node, for a seed of the wrong
        shape, and for a missing seed if the node's value is not a single number.
        """
        value = self.value(of)
        if seed is None and value.shape != ():
            raise ValueError(f"backward: {of} has shape {value.shape}, give a seed of that shape")
        if seed is not None and seed.shape != value.shape:
            raise ValueError(f"backward: {of} has shape {value.shape}, its seed {seed.shape}")
        one = np.full((), type(value.item())(1), value.dtype) if seed is None else seed
        found = {self[of].gradient: one}  # `one` has the value's type, which need not be float
        for equation in walk.backward(self, of, seeded=True):
            found[equation.makes] = _array(equation.of(self._values | found, self.constants))
        self._gradients = {
            node.name: found[node.gradient] if node.gradient in found else np.zeros_like(value)
            for node in self.nodes
            for value in [self._values.get(node.name)]
            if value is not None
        }

    @property
    def values(self) -> Mapping[str, Array]:
        """Values by node name; empty before `forward`."""
        return MappingProxyType(self._values)

    @property
    def gradients(self) -> Mapping[str, Array]:
        """∂L/∂value by node name; empty before `backward`."""
        return MappingProxyType(self._gradients)

    def value(self, name: str) -> Array:
        """A node's value. Raises ValueError before `forward` and for an unknown node."""
        return self._look(name, self._values, "value", "forward")

    def gradient(self, name: str) -> Array:
        """∂L/∂value of a node, in its shape. Raises ValueError before `backward` or for an unknown node."""
        return self._look(name, self._gradients, "gradient", "backward")

    def _look(self, name: str, found: Mapping[str, Array], what: str, sweep: str) -> Array:
        self[name]
        if name not in found:
            raise ValueError(f"{name} has no {what}: run {sweep} first")
        return found[name]


def _array(value: Array | np.generic) -> Array:
    """The value as an array, including a 0-d result, which numpy returns as a scalar or a bare number."""
    if isinstance(value, np.generic) or not hasattr(value, "shape"):
        return np.asarray(value)
    return value
