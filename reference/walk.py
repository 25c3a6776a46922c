"""The walk: both sweeps over a graph, written down as equations in the order of execution.

Forward, in the order of the nodes: one equation for each tensor that an operation makes. Backward,
against it: one equation for each share that an operation sends back to one of its operands; where
arrows fork, one more adds the shares up. Gradients of leaves come last, in the order of the leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from reference.arrays import Array
from reference.formula import Equation, Formula
from reference.graph import Graph, Node
from reference.operation import bound
from reference.trace import split


def forward(graph: Graph) -> list[Equation]:
    """What every node computes, in order."""
    found = []
    for node in graph.nodes:
        if node.operation is None:
            continue
        for output, formula in node.operation.forward.items():
            if output.startswith("*"):
                parts = graph.parts(node)
                found += [
                    _equation(node, formula, part.name, {**node.options, "at": part.part}) for part in parts
                ]
                continue
            equation = _equation(node, formula, node.made(output))
            check = node.operation.choices.get(output)
            if check is not None:
                equation = replace(equation, check=bound(check, node.options))
            if output not in node.operation.given:
                found.append(equation)
    return found


def backward(graph: Graph, of: str, *, seeded: bool = False) -> list[Equation]:
    """∂of/∂value of every node on a way from a learned leaf to `of`, and of these leaves.

    `seeded` says that ∂L/∂of is a tensor of its own, under the node's `gradient`; otherwise it is 1.
    Raises ValueError for an unknown node.
    """
    root = graph[of]
    sent = _sent(graph, root)
    sweep: list[Equation] = []
    if not seeded and any(_takes_gradient(node, operand) for node, operand, _ in _of(sent, root)):
        sweep.append(_one(root))
        seeded = True
    leaves: list[Equation] = []
    for node in reversed(graph.nodes):
        if not node.is_leaf and node in sent:
            sweep += _arriving(graph, node, sent[node], root, seeded=seeded)
        elif node.maker and any(part in sent for part in graph.parts(node.maker)):
            sweep.append(_nothing(node))
    for node in graph.nodes:
        if node.is_leaf and node in sent:
            leaves += _arriving(graph, node, sent[node], root, seeded=seeded)
    return sweep + leaves


_Shares = list[tuple[Node, str, int]]
"""Who sends an error back to a node: an operation's node, the operand's name, its place under that name."""


def _sent(graph: Graph, root: Node) -> dict[Node, _Shares]:
    """The errors that arrive at each node, from the last of its users to the first."""
    wanted = _leading_to_learned(graph)
    sent: dict[Node, _Shares] = defaultdict(list)
    for node in reversed(graph.nodes):
        reached = node is root or node in sent
        if reached or (node.operation and any(part in sent for part in graph.parts(node))):
            for operand, place, parent in node.differentiated:
                if parent in wanted:
                    sent[parent].append((node, operand, place))
    return dict(sent)


def _leading_to_learned(graph: Graph) -> set[Node]:
    """The nodes that depend on a leaf that is not given, and these leaves."""
    wanted: set[Node] = set()
    for node in graph.nodes:
        learned = node.is_leaf and not node.given
        above = node.maker in wanted if node.part is not None else False
        if learned or above or any(parent in wanted for _, _, parent in node.differentiated):
            wanted.add(node)
    return wanted


def _of(sent: dict[Node, _Shares], user: Node) -> _Shares:
    """The shares that one operation sends."""
    return [share for shares in sent.values() for share in shares if share[0] is user]


def _takes_gradient(node: Node, operand: str) -> bool:
    return node.operation is not None and "g" in node.operation.vjps[operand].takes


def senders(graph: Graph, of: str) -> dict[str, dict[str, tuple[Node, str, int]]]:
    """By node, the errors that arrive at it: the name of each, and the operation's node, operand and place.

    Where only one arrives, it has the name of the node's gradient.
    """
    return {
        node.name: dict(zip(_share_names(node, len(shares)), shares, strict=True))
        for node, shares in _sent(graph, graph[of]).items()
    }


def _share_names(node: Node, shares: int) -> list[str]:
    if shares == 1:
        return [node.gradient]
    return [f"share{i}_{node.gradient}" for i in range(1, shares + 1)]


def _arriving(graph: Graph, node: Node, shares: _Shares, root: Node, *, seeded: bool) -> list[Equation]:
    """∂L/∂value of a node: the one share that is sent to it, or the sum of several."""
    names = _share_names(node, len(shares))
    found = [
        _share(graph, *share, name, apart=seeded or share[0] is not root)
        for share, name in zip(shares, names, strict=True)
    ]
    if len(shares) > 1:
        inputs = tuple(names)
        layer, quantity = node.layer, _parted(node.gradient)[0]
        found.append(Equation(SUM, layer, quantity, node.gradient, inputs, (), SUM.function))
    return found


def _share(graph: Graph, node: Node, operand: str, place: int, makes: str, *, apart: bool) -> Equation:
    """One vector-Jacobian product. `apart`: ∂L/∂value is a tensor, whether the formula takes it or not."""
    assert node.operation is not None
    formula = node.operation.vjps[operand]
    parents = node.operands[operand]
    options = {**node.options, "at": place} if len(parents) > 1 or operand.startswith("*") else node.options
    equation = _equation(node, formula, makes, options, graph.parts(node))
    if not apart or {"g", "*g"} & set(formula.takes):
        return equation
    return Equation(
        formula,
        equation.layer,
        equation.quantity,
        makes,
        (node.gradient, *equation.inputs),
        equation.constants,
        partial(_times, equation.evaluate),
    )


def _times(product: Callable[..., Array], g: Array, *values: Array) -> Array:
    return np.multiply(g, product(*values))


def _equation(
    node: Node, formula: Formula, makes: str, options: object = None, parts: Sequence[Node] = ()
) -> Equation:
    """A formula of a node's operation, on the node's own tensors."""
    names = _inputs(node, formula, parts)
    inputs = tuple(name for name in names if name is not None)
    settled = node.options if options is None else options

    def ready(function: Callable[..., Array]) -> Callable[..., Array]:
        given = bound(function, settled)  # type: ignore[arg-type]
        return given if len(inputs) == len(names) else partial(_without, given, names)

    quantity, layer = _parted(makes)
    return Equation(
        formula,
        layer or node.layer,
        quantity,
        makes,
        inputs,
        formula.constants,
        ready(formula.function),
        tuple(ready(form) for form in formula.other_forms),
        tuple(ready(form) for form in formula.also),
    )


def _parted(name: str) -> tuple[str, int | None]:
    """Quantity and layer; a name that is not a trace's is a quantity of its own."""
    try:
        return split(name)
    except ValueError:
        return name, None


def _inputs(node: Node, formula: Formula, parts: Sequence[Node]) -> list[str | None]:
    """The names of what a formula takes; None for an operand that was left out."""
    assert node.operation is not None
    found: list[str | None] = []
    for name in formula.takes:
        if name == "g":
            found.append(node.gradient)
        elif name == "*g":
            found += [part.gradient for part in parts]
        elif name in node.operands:
            found += [parent.name if parent else None for parent in node.operands[name]]
        else:
            found.append(node.made(name))
    return found


def _without(function: Callable[..., Array], names: Sequence[str | None], *values: Array) -> Array:
    """A function's value, with None for the operands that were left out."""
    present = iter(values)
    tensors = [None if name is None else next(present) for name in names]
    return function(*tensors, *present)


def _accumulated(*shares: Array) -> Array:
    """∂L/∂value = Σ of what all users of the value send back."""
    return reduce(np.add, shares)


def _zeros(value: Array) -> Array:
    """∂L/∂v = 0."""
    return np.zeros_like(value)


def _ones(value: Array) -> Array:
    """∂L/∂L = 1."""
    return np.ones_like(value)


SUM = Formula(
    "gradient_sum", r"\frac{\partial L}{\partial v} = \sum_k \frac{\partial L}{\partial v_k}", _accumulated
)
"""Slide 7: the errors that come back along several arrows add up."""

NOTHING = Formula("no_gradient", r"\frac{\partial L}{\partial v} = 0", _zeros)
"""Of a part that nobody uses, beside parts that somebody does."""

SEED = Formula("seed", r"\frac{\partial L}{\partial L} = 1", _ones)
"""Where the backward sweep begins."""


def _nothing(part: Node) -> Equation:
    quantity = _parted(part.gradient)[0]
    return Equation(NOTHING, part.layer, quantity, part.gradient, (part.name,), (), _zeros)


def _one(root: Node) -> Equation:
    quantity = _parted(root.gradient)[0]
    return Equation(SEED, root.layer, quantity, root.gradient, (root.name,), (), _ones)
