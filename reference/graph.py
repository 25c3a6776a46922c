"""The computational graph of slide 7: nodes are operations, data flows forward, errors flow back.

A node's parents must be added before it, so the graph has no cycle and the order of insertion is a
topological order. `reference.walk` turns a graph into the equations of both sweeps, which the engine
runs. A graph has no notion of layers: for those, see `reference.chain`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reference.operation import Operation, Options


@dataclass(frozen=True, eq=False)
class Node:
    """A named operation on the values of its parents; without an operation, a leaf (input or parameter).

    `gradient` is the name of ∂L/∂value. `given` marks a leaf that is data and is not differentiated.
    A parent is None if an optional operand is omitted. A node with a `maker` is a further output of the
    maker's operation: number `part` of its value, or a by-product, which is data unless the
    operation's vector-Jacobian products take its gradient.
    """

    name: str
    gradient: str
    operation: Operation | None = None
    parents: tuple[Node | None, ...] = ()
    options: Options = field(default_factory=dict)
    given: bool = False
    maker: Node | None = None
    part: int | None = None

    @property
    def label(self) -> str:
        """Label for drawings: the operation's label, or a leaf's name."""
        return self.operation.label if self.operation else self.name

    @property
    def is_leaf(self) -> bool:
        """Whether nothing in the graph computes it."""
        return self.operation is None and self.maker is None

    @property
    def layer(self) -> int:
        """The layer number at the end of the node's name, or else the largest layer of its parents."""
        digits = re.search(r"\d+$", self.name)
        if digits:
            return int(digits[0])
        return max((parent.layer for parent in self.parents if parent), default=0)

    @property
    def operands(self) -> dict[str, tuple[Node | None, ...]]:
        """The parents by operand name: one for each name, and all the remaining ones for "*parts"."""
        if self.operation is None:
            return {}
        found: dict[str, tuple[Node | None, ...]] = {}
        for place, name in enumerate(self.operation.operands):
            rest = name.startswith("*")
            found[name.rstrip("?")] = self.parents[place:] if rest else self.parents[place : place + 1]
        return found

    @property
    def differentiated(self) -> Iterator[tuple[str, int, Node]]:
        """The differentiated operands: name, index among the parents of that name, and parent node."""
        for name, parents in self.operands.items():
            if self.operation and name in self.operation.vjps:
                for place, parent in enumerate(parents):
                    if parent is not None:
                        yield name, place, parent

    def made(self, output: str) -> str:
        """Name of one of the operation's outputs: the node's name, or `mean3`, `running_mean3_next`."""
        if self.operation and output == self.operation.value:
            return self.name
        base, after, _ = output.partition("_next")
        return f"{base}{self.layer}{after}"


class Graph:
    """A computational graph: nodes by name, in topological order.

    A node may have any number of users; for a node that L does not depend on, ∂L/∂node is 0.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        """A node by name. Raises ValueError for an unknown name."""
        if name not in self._nodes:
            raise ValueError(f"{name!r} is not in the graph")
        return self._nodes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, parents before children."""
        return tuple(self._nodes.values())

    def leaf(self, name: str, *, gradient: str = "", given: bool = False) -> Node:
        """Add an input or a parameter. Raises ValueError for a name already in use."""
        return self._enter(Node(name, gradient or f"d{name}", given=given))

    def add(
        self, name: str, operation: Operation, *parents: str | None, gradient: str = "", **options: object
    ) -> Node:
        """Add an operation on existing nodes.

        Raises ValueError for a name already in use, an unknown parent, a wrong number of parents, an
        unknown or missing option, and a computed node as an operand that must be data.
        """
        unknown = [parent for parent in parents if parent is not None and parent not in self._nodes]
        if unknown:
            raise ValueError(f"{name}: its parent {unknown[0]!r} is not in the graph yet")
        wanted = operation.operands
        rest = bool(wanted) and wanted[-1].startswith("*")
        if len(parents) < len(wanted) - rest or (len(parents) > len(wanted) and not rest):
            raise ValueError(f"{name}: {operation.label!r} takes {len(wanted)}, not {len(parents)}")
        try:
            settled = operation.settled(options)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        nodes = tuple(None if parent is None else self._nodes[parent] for parent in parents)
        node = Node(name, gradient or f"d{name}", operation, nodes, settled)
        for operand, found in node.operands.items():
            for parent in found if operation.vjps and operand not in operation.vjps else ():
                if parent and parent.operation and parent.operation.vjps:
                    raise ValueError(f"{name}: {parent.name!r} is computed, {operation.label!r} wants data")
        return self._enter(node)

    def made(self, name: str, maker: str, *, part: int | None = None, gradient: str = "") -> Node:
        """Add a tensor that an operation makes besides its value, so that others can take it.

        Raises ValueError for a name that is taken, and for a maker that is not here.
        """
        node = Node(name, gradient or f"d{name}", given=part is None, maker=self[maker], part=part)
        return self._enter(node)

    def parts(self, node: Node) -> tuple[Node, ...]:
        """The parts of a node whose value is several tensors."""
        return tuple(found for found in self.nodes if found.maker is node and found.part is not None)

    def by_products(self, node: Node) -> tuple[Node, ...]:
        """The by-products of a node whose gradients its vector-Jacobian products take, as `g_NAME`."""
        if node.operation is None:
            return ()
        taken = {name for formula in node.operation.vjps.values() for name in formula.takes}
        names = {node.made(output) for output in node.operation.forward if f"g_{output}" in taken}
        return tuple(self._nodes[name] for name in names if name in self._nodes)

    def _enter(self, node: Node) -> Node:
        if node.name in self._nodes:
            raise ValueError(f"{node.name}: there is a node of this name already")
        self._nodes[node.name] = node
        return node

    def columns(self) -> dict[str, int]:
        """Column of each node in a drawing: to the right of its parents; leaves just left of their use."""
        column: dict[str, int] = {}
        for node in self.nodes:
            places = (column[parent.name] for parent in (*node.parents, node.maker) if parent)
            column[node.name] = 1 + max(places, default=-1)
        for leaf in (node for node in self.nodes if node.is_leaf):
            uses = [column[node.name] for node in self.nodes if leaf in node.parents]
            column[leaf.name] = min(uses, default=1) - 1
        return column
