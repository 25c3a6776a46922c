"""Builds the computational graph of a layered network: z1, a1, z2, …, loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from reference.graph import Graph
from reference.operation import Operation
from reference.operations import rows
from reference.operations.activations import Activation
from reference.operations.arithmetic import SQUARE, SUBTRACT
from reference.operations.linear import AFFINE
from reference.operations.reductions import MEAN, TOTAL

G = TypeVar("G", bound=Graph)


def layered(activations: Sequence[Activation], loss: Operation | str, graph: G) -> G:
    """Add a layered network to an empty graph and return the graph; nodes are named as in a trace.

    Leaves are x, W1, b1, …, y. ∂L/∂z1 is delta1 and ∂L/∂a1 is s1, as in the deck. `loss` is an
    operation on ŷ and y, or a reduction ("mean", "sum") of slide 3's loss; the loss is then added as
    separate nodes: r = y − ŷ, its squares, and their mean or sum.
    """
    below = graph.leaf("x", given=True).name
    for l, f in enumerate(activations, start=1):
        graph.leaf(f"W{l}")
        graph.leaf(f"b{l}")
        graph.add(f"z{l}", AFFINE, f"W{l}", below, f"b{l}", gradient=f"delta{l}")
        learned = [graph.leaf(f"{f.learned.symbol}{l}").name] if f.learned else []
        operation = rows.activation(f, top=l == len(activations))
        below = graph.add(f"a{l}", operation, f"z{l}", *learned, gradient=f"s{l}").name
    graph.leaf("y", given=True)
    if isinstance(loss, Operation):
        graph.add("loss", loss, below, "y")
        return graph
    graph.add("r", SUBTRACT, "y", below)
    graph.add("squares", SQUARE, "r")
    graph.add("loss", MEAN if loss == "mean" else TOTAL, "squares")
    return graph
