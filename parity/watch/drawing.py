"""The graph of the first certified step, as autograd has it: a picture needs no more of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from parity.pytorch.recorder.data import AutogradNode, Backward, flat
from parity.watch.check import short

MOST_KEPT = 400
"""Operations of a step of which notes are kept; of a larger graph there is no picture."""


@dataclass(frozen=True)
class GraphNode:
    """An operation, or a parameter. `following` are the nodes that its gradients go to; `given` says
    that it also takes data.
    """

    id: int
    name: str
    module: str
    source: str
    following: tuple[int, ...]
    parameter: str = ""
    given: bool = False


@dataclass
class StepGraph:
    """The nodes of a backward pass, in the order in which it went through them. Too many are none."""

    nodes: list[GraphNode] = field(default_factory=list)
    complete: bool = True


class Drawing:
    """Notes the first step's nodes while they run; their numbers are let go."""

    def __init__(self) -> None:
        self.graph = StepGraph()
        self._over = False
        self._pass: Backward | None = None

    def node(self, passed: Backward, number: int) -> None:
        """Autograd went back through a node. What is drawn is the first pass of the step."""
        self._pass = self._pass or passed
        if self._over or passed is not self._pass or not self.graph.complete:
            return
        if len(self.graph.nodes) >= MOST_KEPT:
            self.graph = StepGraph(complete=False)
            return
        self.graph.nodes.append(_noted(passed.nodes[number]))

    def end(self) -> None:
        """The step is over."""
        self._over, self._pass = True, None


def _noted(node: AutogradNode) -> GraphNode:
    call = node.call
    name = short(call.operation) if call else node.custom.name if node.custom else node.name
    following = tuple(edge.node for edge in node.next if edge is not None)
    taken = len(list(flat(tuple(call.arguments.values())))) if call else 0
    where = (call.module, call.source) if call else ("", "")
    return GraphNode(node.id, name, *where, following, node.parameter or "", taken > len(following))
