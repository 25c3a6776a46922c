"""A graph in words and in Mermaid: the text equivalents of the picture."""

from __future__ import annotations

from collections.abc import Iterator

from parity.render.graph.layout import layout
from parity.render.graph.names import gradient_written, written
from reference.graph import Graph, Node


def text(graph: Graph, forward: str = "forward", backward: str = "backward") -> str:
    """Both sweeps, a line an operation: what flows in and out forward, and what comes back."""
    return "\n".join([f"{forward}:", *forward_lines(graph), f"{backward}:", *backward_lines(graph)])


def forward_lines(graph: Graph) -> list[str]:
    """`x, W⁽¹⁾, b⁽¹⁾ ──▶ z⁽¹⁾   [W a + b]`, in the order of execution."""
    return [
        f"  {', '.join(written(parent.name) for parent in node.parents if parent)} ──▶ {written(node.name)}"
        f"   [{node.label}]"
        for node in graph.nodes
        if node.operation
    ]


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


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart, as GitHub renders it: solid links carry data, dotted ones errors."""
    return "\n".join(["flowchart LR", *_mermaid_lines(graph)])


def _mermaid_lines(graph: Graph) -> Iterator[str]:
    number = {node.name: f"n{i}" for i, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        yield f"  {number[node.name]}{_shape(node)}"
    edges = layout(graph).edges
    for edge in edges:
        label = _quoted(written(edge.parent.name))
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
