"""Where gradients meet: who sends one to an output."""

from __future__ import annotations

from collections.abc import Mapping

from parity.pytorch.recorder.data import AutogradNode, Output


def senders(nodes: Mapping[int, AutogradNode]) -> dict[Output, tuple[tuple[int, int], ...]]:
    """Who sends a gradient to an output: node and edge."""
    found: dict[Output, list[tuple[int, int]]] = {}
    for node in nodes.values():
        for place, target in enumerate(node.next):
            if target is not None:
                found.setdefault(target, []).append((node.id, place))
    return {target: tuple(users) for target, users in found.items()}
