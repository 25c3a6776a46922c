"""The layout of a graph's nodes in columns, by depth, and lanes, by parents.

A node's column is its distance from the leaves. A computed node takes the lane of its first computed
parent if that place is free; a leaf takes a lane beside the node that uses it, in the order of the
operands. A layered network is thus one straight line with its parameters on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference.graph import Graph, Node


@dataclass(frozen=True)
class Place:
    """A node's column (from the left) and lane (0 is the first; the top one in a horizontal picture)."""

    column: int
    lane: int


@dataclass(frozen=True)
class Edge:
    """One operand: `parent`'s value flows into `child`; if `learns`, the error flows back."""

    parent: Node
    child: Node
    learns: bool
    bend: int  # lanes by which the arrow bends to avoid other nodes


@dataclass(frozen=True)
class Layout:
    """The places of all nodes by name, and the arrows between them."""

    places: dict[str, Place]
    edges: tuple[Edge, ...]
    columns: int
    lanes: int


def layout(graph: Graph) -> Layout:
    """The layout of a graph. No error is drawn to given leaves, which are not differentiated."""
    columns = graph.columns()
    taken: dict[tuple[int, int], str] = {}
    lanes: dict[str, int] = {}

    def settle(node: Node, wanted: int) -> None:
        lane = next(lane for lane in _around(wanted) if (columns[node.name], lane) not in taken)
        taken[columns[node.name], lane] = node.name
        lanes[node.name] = lane

    for node in graph.nodes:
        if node.operation:
            computed = [lanes[parent.name] for parent in node.parents if parent and parent.name in lanes]
            settle(node, computed[0] if computed else 0)
    for node in graph.nodes:
        for leaf in (parent for parent in node.parents if parent and parent.name not in lanes):
            settle(leaf, lanes[node.name] + _offset(node, leaf))
    for node in graph.nodes:
        if node.name not in lanes:  # a leaf that nothing uses
            settle(node, 1)
    top = min(lanes.values(), default=0)
    places = {name: Place(columns[name], lane - top) for name, lane in lanes.items()}
    edges = tuple(
        Edge(parent, node, _learns(node, parent), _bend(parent, node, places))
        for node in graph.nodes
        for parent in node.parents
        if parent
    )
    width = 1 + max((place.column for place in places.values()), default=0)
    height = 1 + max((place.lane for place in places.values()), default=0)
    return Layout(places, edges, width, height)


def _around(wanted: int) -> list[int]:
    """Lanes in order of their distance from the wanted one."""
    return [wanted + sign * step for step in range(1000) for sign in ((1, -1) if step else (1,))]


def _offset(node: Node, leaf: Node) -> int:
    """Lanes between a leaf and its user: the computed operand, else the middle one, goes straight on."""
    operands = [parent for parent in node.parents if parent]
    straight = next((i for i, parent in enumerate(operands) if parent.operation), len(operands) // 2)
    return operands.index(leaf) - straight


def _learns(node: Node, parent: Node) -> bool:
    return not parent.given and any(parent is operand for _, _, operand in node.differentiated)


def _bend(parent: Node, child: Node, places: dict[str, Place]) -> int:
    """0, or how many lanes an arrow over several columns must step aside from what stands between."""
    start, end = places[parent.name], places[child.name]
    between = {
        (place.column, place.lane) for place in places.values() if start.column < place.column < end.column
    }
    if not any(lane in (start.lane, end.lane) for _, lane in between):
        return 0
    lanes = {place.lane for place in places.values() if start.column <= place.column <= end.column}
    above, below = end.lane - min(lanes) + 1, max(lanes) - end.lane + 1
    upward = above < below or (above == below and start.lane < end.lane)  # a tie: the parent's own side
    return -above if upward else below
