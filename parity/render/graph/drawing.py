"""What is drawn of a model: its graph, without the operations that only move numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.render.graph.names import written
from reference.architecture import Architecture
from reference.arrays import Array, accumulated
from reference.equations import example
from reference.formula import Equation, Formula
from reference.graph import Graph, Node
from reference.model import LOSS, Model
from reference.operation import Operation
from reference.walk import forward, senders

WIDEST = 12
"""Characters of a name that fit into a box."""


@dataclass(frozen=True)
class DrawnGraph:
    """A graph, the labels of its arrows by parent and child, and what is left out as it only moves numbers.

    `errors` are the tensors that arrows carry back. `moved` are from, to and by what; `moves` are the nodes
    that do it.
    """

    graph: Graph
    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], str] = field(default_factory=dict)
    moved: tuple[tuple[str, str, str], ...] = ()
    moves: frozenset[str] = frozenset()


def drawing(model: Model, batch: int) -> DrawnGraph:
    """The drawing of a model: a layered network as it is, any other graph without its moves."""
    if isinstance(model, Architecture):
        return DrawnGraph(model.unfolded(Graph()))
    return _without_moves(model.graph, example(model, batch))


def drawn_operation(name: str, learns: Sequence[bool]) -> Operation:
    """What is drawn of an operation: its name, and to which of its parents it sends a gradient."""
    label = name.removeprefix("_").removeprefix("native_").removesuffix("_forward")
    label = label if len(label) <= WIDEST else f"{label[: WIDEST - 1]}…"
    operands = [f"x{place}" for place in range(len(learns))]
    pairs = zip(operands, learns, strict=True)
    vjps = {operand: Formula(label, "", accumulated) for operand, back in pairs if back}
    return Operation(label, tuple(operands), {}, vjps)


def _without_moves(graph: Graph, values: Mapping[str, Array]) -> DrawnGraph:
    """The graph in which what takes a moved tensor takes it from where it was made."""
    made = Graph()
    source: dict[str, str] = {}  # of a node: the drawn node that it was moved from
    labels: dict[tuple[str, str], str] = {}
    errors: dict[tuple[str, str], str] = {}
    shares = senders(graph, LOSS)
    moved: list[tuple[str, str, str]] = []
    moves: set[str] = set()
    equations: dict[str, list[Equation]] = defaultdict(list)
    for equation in forward(graph):
        equations[equation.node].append(equation)
    for node in graph.nodes:
        parents = [parent for parent in node.parents if parent]
        if node.is_leaf:
            source[node.name] = node.name
        elif node.maker:
            source[node.name] = source[node.maker.name]
        elif len(parents) == 1 and all(_moves(one, values) for one in equations[node.name]):
            source[node.name] = source[parents[0].name]
            moves.add(node.name)
            moved += [(parents[0].name, one.makes, node.label) for one in equations[node.name]]
        else:
            source[node.name] = node.name
            arriving: dict[str, list[Node]] = defaultdict(list)
            for parent in parents:
                arriving[source[parent.name]].append(parent)
            for name in arriving:
                if name not in made:
                    made.leaf(name, gradient=graph[name].gradient, given=graph[name].given)
            taking = {parent for _, _, parent in node.differentiated if not parent.given}
            learns = [any(parent in taking for parent in found) for found in arriving.values()]
            operation = drawn_operation(node.label, learns)
            made.add(node.name, operation, *arriving, gradient=node.gradient)
            for name, found in arriving.items():
                labels[name, node.name] = _label(found, values)
                sent = (
                    s for one in found for s, (user, *_) in shares.get(one.name, {}).items() if user is node
                )
                errors[name, node.name] = next(sent, graph[name].gradient)
    return DrawnGraph(made, labels, errors, tuple(moved), frozenset(moves))


def _moves(equation: Equation, values: Mapping[str, Array]) -> bool:
    """Whether every number made is one of the operand's, chosen by its place and not by its value.

    The places are read off an operand that counts its elements, and hold for random numbers too.
    """
    operand = values[equation.inputs[0]] if len(equation.inputs) == 1 else None
    if operand is None or not operand.size:
        return False
    counted = np.arange(operand.size, dtype=np.float64).reshape(operand.shape)
    drawn = np.random.default_rng(0).standard_normal(operand.shape)
    places, found = (np.asarray(equation.evaluate(each)) for each in (counted, drawn))
    known = np.isin(places, counted)
    return bool(known.all() and np.array_equal(drawn.ravel()[places.astype(int)], found))


def _label(arriving: Sequence[Node], values: Mapping[str, Array]) -> str:
    """`a⁽²⁾ 8×4×8×8`: the tensors that arrive, and their shape."""
    names = list(dict.fromkeys(written(node.name) for node in arriving))
    shape = "×".join(map(str, np.shape(values[arriving[0].name])))
    return f"{', '.join(names)} {shape}".rstrip()
