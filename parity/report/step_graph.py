"""The graph of a step that autograd recorded, for a picture: operations, parameters, and what is given."""

from __future__ import annotations

from collections.abc import Mapping

from parity.render.graph.drawing import drawn_operation
from parity.watch.drawing import GraphNode, StepGraph
from reference.graph import Graph

MOST_DRAWN = 40
"""Operations up to which a picture explains something."""

MOVES = {
    "_unsafe_view", "alias", "as_strided", "clone", "contiguous", "detach", "expand", "permute",
    "reshape", "slice", "squeeze", "t", "to", "transpose", "unsqueeze", "view",
}  # fmt: skip
"""Operations that only move numbers, which a picture leaves out."""

KINDS = {"weight": "W", "bias": "b"}
"""The symbol of a parameter, by the last part of its name; of any other it is p."""

Named = tuple[Graph, Mapping[str, GraphNode]]


def drawn(step: StepGraph) -> Named | None:
    """The graph, and autograd's node by the name in it; None where there is none to draw."""
    nodes = {node.id: node for node in step.nodes}
    operations = [node for node in reversed(step.nodes) if not node.parameter and not _moves(node)]
    if not step.complete or not operations or len(operations) > MOST_DRAWN:
        return None
    graph, names = Graph(), dict[str, GraphNode]()
    made: dict[int, str] = {}
    for number, node in enumerate(operations, start=1):
        parents = [
            _name(nodes[found], made, graph, names, number)
            for found in (_through(following, nodes) for following in node.following)
            if found in nodes
        ]
        if node.given:
            parents.append(graph.leaf(f"x{number}", given=True).name)
        last = node is operations[-1]
        name = made[node.id] = "loss" if last else f"a{number}"
        operation = drawn_operation(node.name, [True] * len(parents))
        graph.add(name, operation, *parents, gradient="dloss" if last else f"s{number}")
        names[name] = node
    return graph, names


def _moves(node: GraphNode) -> bool:
    return node.name in MOVES and len(node.following) == 1


def _through(node: int, nodes: Mapping[int, GraphNode]) -> int:
    """The node behind those that only move numbers."""
    while node in nodes and _moves(nodes[node]):
        node = nodes[node].following[0]
    return node


def _name(
    node: GraphNode, made: dict[int, str], graph: Graph, names: dict[str, GraphNode], number: int
) -> str:
    if node.id not in made:
        kind = KINDS.get(node.parameter.rpartition(".")[2], "p")
        name = f"{kind}{number}"
        while name in graph:
            name = f"also_{name}"
        made[node.id] = graph.leaf(name).name
        names[name] = node
    return made[node.id]
