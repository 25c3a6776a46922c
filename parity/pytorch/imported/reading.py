"""The trace of a recorded step, under the names of its graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from parity.pytorch.aten import edge_places
from parity.pytorch.imported.builder import Placed
from parity.pytorch.imported.graph import Import
from parity.pytorch.recorder.data import AutogradNode, Recorded, Values
from reference.arrays import Array
from reference.model import LOSS
from reference.trace import Trace
from reference.walk import senders, without_gradient


def trace(built: Import) -> Trace:
    """Every tensor of both sweeps, and all leaves, as PyTorch has them.

    A gradient that autograd does not spell out is zero.
    """
    found: dict[str, Values] = dict(built.leaves)
    for placed in built.placed:
        for output, tensor in placed.bound.results.items():
            for at, part in enumerate(tensor if isinstance(tensor, tuple) else (tensor,)):
                made = built.graph[placed.name].made(output)
                if isinstance(part, Recorded):
                    found[f"part{at}_{made}" if isinstance(tensor, tuple) else made] = part.array
    found |= {still: found[name] for still, name in built.still.items()}
    placed_by = {placed.name: placed for placed in built.placed}
    leaves = {name: place.node for place, name in built.parameters.items()}
    for name, shares in senders(built.graph, LOSS).items():
        like = found[name]
        found[built.graph[name].gradient] = _or_zeros(_gradient(built, name, placed_by, leaves), like)
        if len(shares) > 1:
            for share, (user, operand, place) in shares.items():
                sent = _sent(built, placed_by[user.name], operand, place)
                found[share] = _or_zeros(sent, like)
    for node in without_gradient(built.graph, LOSS):
        found[node.gradient] = np.zeros_like(found[node.name])
    root = placed_by[LOSS].node
    seed = _arrived(built, root, built.backward.roots[0].output.slot) if root else None
    found[built.graph[LOSS].gradient] = _or_zeros(seed, found[LOSS])
    return Trace(cast("dict[str, Array]", found))  # some hold indices


def _gradient(
    built: Import, name: str, placed_by: Mapping[str, Placed], leaves: Mapping[str, int]
) -> Recorded | None:
    """∂L/∂value of a node: what arrived at it, or what a leaf holds after the pass."""
    if name in leaves:
        return built.backward.leaves[leaves[name]].after
    maker = built.graph[name].maker
    placed = placed_by.get(maker.name if maker else name)
    node = placed.node if placed else None
    if node is None:
        return None
    slots = (out.slot for out, made in built.outputs.items() if made == name and out.node == node.id)
    return _arrived(built, node, next(slots, 0))


def _arrived(built: Import, node: AutogradNode, slot: int) -> Recorded | None:
    out = built.backward.grad_out.get(node.id)
    return out[slot] if out is not None and slot < len(out) else None


def _sent(built: Import, placed: Placed, operand: str, place: int) -> Recorded | None:
    """What one operation sent to one of its operands."""
    node = placed.node
    if node is None or node.id not in built.backward.grad_in:
        return None
    places = list(edge_places(placed.bound, node))
    return built.backward.grad_in[node.id][places.index((operand, place))]


def _or_zeros(recorded: Recorded | None, like: Values) -> Values:
    return np.zeros_like(like) if recorded is None else recorded.array
