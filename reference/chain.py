"""A layered network as a computational graph: `reference.engine`'s mathematics, one node at a time."""

from __future__ import annotations

from reference.architecture import Architecture
from reference.graph import Graph
from reference.operation import AFFINE, MEAN, SQUARE, SUBTRACT, TOTAL, activation, loss
from reference.trace import Trace, split

GRADIENTS = {"W": "dW", "b": "db", "alpha": "dalpha", "z": "delta", "a": "s"}
"""What a trace calls ∂L/∂W^(l), ∂L/∂b^(l), ∂L/∂z^(l) and ∂L/∂a^(l)."""


def layered(architecture: Architecture) -> Graph:
    """The graph of a layered network; its nodes have the names of a trace.

    Leaves are x, y, W1, b1, …; then z1, a1, z2, …, and the loss. The deck's loss (slide 3) is taken
    apart: r = y − ŷ, its squares, their mean (or their sum, as the reduction says). Any other
    loss is one node.
    """
    graph = Graph()
    below = graph.leaf("x").name
    for l, f in enumerate(architecture.activations, start=1):
        W, b = graph.leaf(f"W{l}").name, graph.leaf(f"b{l}").name
        graph.add(f"z{l}", AFFINE, W, below, b)
        learned = [graph.leaf(name).name for name in architecture.learned(l)]
        below = graph.add(f"a{l}", activation(f), f"z{l}", *learned).name
    graph.leaf("y")
    if architecture.loss.name == "mse":
        graph.add("r", SUBTRACT, "y", below)
        graph.add("squares", SQUARE, "r")
        graph.add("loss", MEAN if architecture.reduction == "mean" else TOTAL, "squares")
    else:
        graph.add("loss", loss(architecture), below, "y")
    return graph


def trace(graph: Graph) -> Trace:
    """What both sweeps left in a layered graph, under a trace's names; without an update.

    Raises ValueError before `forward` and `backward`.
    """
    found = Trace()
    for node in graph.nodes:
        quantity, layer = _quantity(node.name)
        if quantity in GRADIENTS:
            found[f"{GRADIENTS[quantity]}{layer}"] = graph.gradient(node.name)
        if quantity in GRADIENTS or quantity in ("x", "y", "loss"):
            found[node.name] = graph.value(node.name)
    return found


def _quantity(name: str) -> tuple[str, int | None]:
    try:
        return split(name)
    except ValueError:
        return "", None  # not a trace's: a name of the graph's own
