"""A graph in words and in Mermaid: the text equivalents of the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from parity.render.graph.drawing import DrawnGraph
from parity.render.graph.layout import layout
from parity.render.graph.names import gradient_written, written
from reference.graph import Graph, Node


def text(drawn: DrawnGraph, say: Mapping[str, str]) -> str:
    """Both sweeps, a line an operation: what flows in and out forward, and what comes back."""
    lines = [f"{say['graph.forward']}:", *forward_lines(drawn)]
    lines += [f"{say['graph.backward']}:", *backward_lines(drawn.graph)]
    if drawn.moved:
        lines += [f"{say['graph.moved']}:"]
        lines += [f"  {written(old)} ──▶ {written(new)}   [{by}]" for old, new, by in drawn.moved]
    return "\n".join(lines)


def forward_lines(drawn: DrawnGraph) -> list[str]:
    """`x, W⁽¹⁾, b⁽¹⁾ ──▶ z⁽¹⁾   [W a + b]`, in the order of execution."""
    return [
        f"  {', '.join(_label(drawn, parent, node) for parent in node.parents if parent)}"
        f" ──▶ {written(node.name)}   [{node.label}]"
        for node in drawn.graph.nodes
        if node.operation
    ]


def _label(drawn: DrawnGraph, parent: Node, child: Node) -> str:
    return drawn.labels.get((parent.name, child.name), written(parent.name))


def backward_lines(graph: Graph) -> list[str]:
    """`δ⁽¹⁾ ╌╌▶ dW⁽¹⁾, db⁽¹⁾   [W a + b]`, against the order of execution."""
    lines = []
    learns = {(edge.child.name, edge.parent.name) for edge in layout(graph).edges if edge.learns}
    for node in reversed(graph.nodes):
        back = [
            gradient_written(parent)
            for parent in dict.fromkeys(filter(None, node.parents))
            if (node.name, parent.name) in learns
        ]
        if back:
            source = gradient_written(node) if node.name != "loss" else "1"
            lines.append(f"  {source} ╌╌▶ {', '.join(back)}   [{node.label}]")
    return lines


def mermaid(drawn: DrawnGraph) -> str:
    """A Mermaid flowchart, as GitHub renders it: solid links carry data, dotted ones errors."""
    direction = "TB" if drawn.labels else "LR"
    return "\n".join([f"flowchart {direction}", *_mermaid_lines(drawn)])


def _mermaid_lines(drawn: DrawnGraph) -> Iterator[str]:
    graph = drawn.graph
    number = {node.name: f"n{i}" for i, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        yield f"  {number[node.name]}{_shape(node)}"
    edges = layout(graph).edges
    for edge in edges:
        label = _quoted(_label(drawn, edge.parent, edge.child))
        yield f"  {number[edge.parent.name]} -->|{label}| {number[edge.child.name]}"
    for edge in reversed(edges):
        if edge.learns:
            label = _quoted(gradient_written(edge.parent))
            yield f"  {number[edge.child.name]} -.->|{label}| {number[edge.parent.name]}"


def _shape(node: Node) -> str:
    name = _quoted(written(node.name))
    return f"[{_quoted(node.label + ' = ' + written(node.name))}]" if node.operation else f"([{name}])"


def _quoted(words: str) -> str:
    """A Mermaid string: its quotation mark and angle brackets as character codes."""
    codes = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;"}
    return '"' + "".join(codes.get(letter, letter) for letter in " ".join(words.split())) + '"'
