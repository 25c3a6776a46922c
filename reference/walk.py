"""Turns a graph into the equations of its forward and backward sweep, in the order of execution.

Forward, in the order of the nodes: one equation for each tensor that an operation makes. Backward, in
reverse order: one equation for each vector-Jacobian product, and one more that adds them up if a value
has several users. Gradients of leaves come last, in the order of the leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from reference.arrays import Array
from reference.formula import Equation, Formula
from reference.graph import Graph, Node
from reference.operation import bound
from reference.trace import split


def forward(graph: Graph) -> list[Equation]:
    """The equations of the forward sweep, node by node."""
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
    """The equations of ∂of/∂value for every node between a learned leaf and `of`, leaves included.

    If `seeded`, ∂L/∂of is a given tensor named by the node's `gradient`; otherwise it is 1.
    Raises ValueError for an unknown node.
    """
    root = graph[of]
    sent = _sent(graph, root)
    sweep: list[Equation] = []
    if not seeded and any(_takes_gradient(node, operand) for node, operand, _ in _of(sent, root)):
        sweep.append(_one(root))
        seeded = True
    leaves: list[Equation] = []
    without = _without_gradient(graph, sent)
    for node in reversed(graph.nodes):
        if not node.is_leaf and node in sent:
            sweep += _arriving(graph, node, sent[node], root, seeded=seeded)
        elif node in without:
            sweep.append(_nothing(node))
    for node in graph.nodes:
        if node.is_leaf and node in sent:
            leaves += _arriving(graph, node, sent[node], root, seeded=seeded)
    return sweep + leaves


def _together(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The tensors of an operation with several, whose gradients its vector-Jacobian products all take."""
    beside = graph.by_products(node)
    return (*graph.parts(node), *beside, *([node] if beside else ()))


def _without_gradient(graph: Graph, sent: Mapping[Node, _Shares]) -> set[Node]:
    """The tensors of operations that get no gradient beside another that gets one."""
    makers = {node.maker or node for node in sent}
    return {made for maker in makers for made in _together(graph, maker) if made not in sent}


_Shares = list[tuple[Node, str, int]]
"""Contributions to a node's gradient: the using node, its operand's name, the index under that name."""


def _sent(graph: Graph, root: Node) -> dict[Node, _Shares]:
    """The contributions to each node's gradient, from its last user to its first."""
    wanted = _leading_to_learned(graph)
    sent: dict[Node, _Shares] = defaultdict(list)
    for node in reversed(graph.nodes):
        reached = node is root or node in sent
        if reached or not sent.keys().isdisjoint(_together(graph, node)):
            for operand, place, parent in node.differentiated:
                if parent in wanted:
                    sent[parent].append((node, operand, place))
    return dict(sent)


def _leading_to_learned(graph: Graph) -> set[Node]:
    """The learned leaves and all nodes that depend on one."""
    wanted: set[Node] = set()
    for node in graph.nodes:
        learned = node.is_leaf and not node.given
        above = node.maker in wanted if node.maker and node in _together(graph, node.maker) else False
        if learned or above or any(parent in wanted for _, _, parent in node.differentiated):
            wanted.add(node)
    return wanted


def _of(sent: dict[Node, _Shares], user: Node) -> _Shares:
    """The contributions made by one operation."""
    return [share for shares in sent.values() for share in shares if share[0] is user]


def _takes_gradient(node: Node, operand: str) -> bool:
    return node.operation is not None and "g" in node.operation.vjps[operand].takes


def senders(graph: Graph, of: str) -> dict[str, dict[str, tuple[Node, str, int]]]:
    """The contributions to each node's gradient: tensor name, using node, operand and index.

    A single contribution has the name of the node's gradient.
    """
    return {
        node.name: dict(zip(_share_names(node, len(shares)), shares, strict=True))
        for node, shares in _sent(graph, graph[of]).items()
    }


def without_gradient(graph: Graph, of: str) -> list[Node]:
    """The nodes whose gradient is 0 beside another of the same operation that has one."""
    found = _without_gradient(graph, _sent(graph, graph[of]))
    return [node for node in graph.nodes if node in found]


def _share_names(node: Node, shares: int) -> list[str]:
    if shares == 1:
        return [node.gradient]
    return [f"share{i}_{node.gradient}" for i in range(1, shares + 1)]


def _arriving(graph: Graph, node: Node, shares: _Shares, root: Node, *, seeded: bool) -> list[Equation]:
    """The equations of ∂L/∂value of a node: its single contribution, or the sum of several."""
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
    """The equation of one vector-Jacobian product.

    With `apart`, ∂L/∂value is an input of the equation even if the formula does not take it.
    """
    assert node.operation is not None
    formula = node.operation.vjps[operand]
    parents = node.operands[operand]
    options = {**node.options, "at": place} if len(parents) > 1 or operand.startswith("*") else node.options
    equation = _equation(node, formula, makes, options, _together(graph, node))
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
    node: Node, formula: Formula, makes: str, options: object = None, together: Sequence[Node] = ()
) -> Equation:
    """A formula of a node's operation, applied to the node's tensors."""
    names = _inputs(node, formula, together)
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
    """Quantity and layer of a tensor's name; a name without a layer is a quantity by itself."""
    try:
        return split(name)
    except ValueError:
        return name, None


def _inputs(node: Node, formula: Formula, together: Sequence[Node]) -> list[str | None]:
    """Names of the tensors that a formula takes; None for an omitted operand, or for the gradient of a
    by-product that nobody takes.
    """
    assert node.operation is not None
    gradients = {f"g_{made.name}": made.gradient for made in together}
    found: list[str | None] = []
    for name in formula.takes:
        if name == "g":
            found.append(node.gradient)
        elif name == "*g":
            found += [part.gradient for part in together if part.part is not None]
        elif name in node.operands:
            found += [parent.name if parent else None for parent in node.operands[name]]
        elif name.startswith("g_"):
            found.append(gradients.get(f"g_{node.made(name.removeprefix('g_'))}"))
        else:
            found.append(node.made(name))
    return found


def _without(function: Callable[..., Array], names: Sequence[str | None], *values: Array) -> Array:
    """Call a function with None inserted for the omitted operands."""
    present = iter(values)
    tensors = [None if name is None else next(present) for name in names]
    return function(*tensors, *present)


def _accumulated(*shares: Array) -> Array:
    """∂L/∂value as the sum of the contributions of all users of the value."""
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
"""Slide 7: the gradient of a value with several users is the sum of their contributions."""

NOTHING = Formula("no_gradient", r"\frac{\partial L}{\partial v} = 0", _zeros)
"""The gradient of an unused part of a value of which other parts are used."""

SEED = Formula("seed", r"\frac{\partial L}{\partial L} = 1", _ones)
"""The start of the backward sweep."""


def _nothing(part: Node) -> Equation:
    quantity = _parted(part.gradient)[0]
    return Equation(NOTHING, part.layer, quantity, part.gradient, (part.name,), (), _zeros)


def _one(root: Node) -> Equation:
    quantity = _parted(root.gradient)[0]
    return Equation(SEED, root.layer, quantity, root.gradient, (root.name,), (), _ones)
