"""Autograd's graph as data: the nodes that can be reached from what is differentiated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch

from parity.pytorch.recorder import internals
from parity.pytorch.recorder.calls import Calls, Tag
from parity.pytorch.recorder.data import AutogradNode, Geometry, Output
from parity.pytorch.recorder.places import user_function

if TYPE_CHECKING:
    from torch.autograd.graph import GradientEdge
    from torch.autograd.graph import Node as GradNode


def edge(target: torch.Tensor | GradientEdge) -> tuple[GradNode, int]:
    """The node and the output of it that a tensor is; of a leaf, where its gradient is accumulated.

    For a leaf PyTorch runs an operation of its own, which must not be taken for the user's.
    """
    if isinstance(target, torch.Tensor):
        if target.grad_fn is not None:
            return target.grad_fn, target.output_nr
        target = torch.autograd.graph.get_gradient_edge(target)
    return target.node, target.output_nr


def reachable(roots: Iterable[GradNode]) -> list[GradNode]:
    """Every node that can be reached. As long as the list lives, so do the nodes' identities."""
    found: dict[int, GradNode] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            waiting += [after for after, _ in node.next_functions if after is not None]
    return list(found.values())


def described(node: GradNode, calls: Calls) -> AutogradNode:
    """A node as data."""
    tag, leaf, made_by = calls.tag(node), internals.variable(node), internals.forward_class(node)
    following = tuple(
        None if after is None else Output(calls.tag(after).id, slot) for after, slot in node.next_functions
    )
    return AutogradNode(
        tag.id,
        node.name().rpartition("::")[2],
        internals.sequence(node),
        tag.call,
        following,
        parameter=None if leaf is None else calls.places.parameter(leaf),
        custom=None if made_by is None else user_function(made_by),
        compiled=made_by is not None and made_by.__name__ == "CompiledFunction",
        geometry=_geometry(node, calls),
        hooks=_hooks(tag, leaf),
    )


def _geometry(node: GradNode, calls: Calls) -> Geometry | None:
    """Of a view that autograd made anew. Its base is what the call made whose node comes next."""
    saved, (following, slot) = internals.saved_view(node), (node.next_functions or ((None, 0),))[0]
    tag = None if following is None else calls.tag(following)
    if saved is None or tag is None or tag.call is None:
        return None
    shape, strides, offset = saved
    made = dict(zip(tag.call.outputs, tag.call.tensors(), strict=False)).get(Output(tag.id, slot))
    if made is None:
        return None
    inside = tag.call.geometry  # the call wrote to another view of the same base
    if inside is None:
        return Geometry(made.shape, made.strides, shape, strides, offset - made.offset)
    start = made.offset - inside.offset
    return Geometry(inside.base_shape, inside.base_strides, shape, strides, offset - start)


def _hooks(tag: Tag, leaf: torch.Tensor | None) -> tuple[str, ...]:
    alive = [made() for made in tag.made] if leaf is None else [leaf]
    return tuple(kind for tensor in alive if tensor is not None for kind in internals.user_hooks(tensor))


def needed(
    nodes: Mapping[int, AutogradNode],
    users: Mapping[Output, tuple[tuple[int, int], ...]],
    inputs: tuple[Output, ...] | None,
) -> frozenset[int]:
    """The nodes on the way to the inputs, these included; without inputs, all."""
    if inputs is None:
        return frozenset(nodes)
    before: dict[int, set[int]] = {}
    for target, sent in users.items():
        before.setdefault(target.node, set()).update(user for user, _ in sent)
    found: set[int] = set()
    waiting = [target.node for target in inputs]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += before.get(node, ())
    return frozenset(found)


def reaches(roots: Iterable[GradNode], calls: Calls) -> bool:
    """Whether a parameter can be reached; it looks no further than the first one."""
    seen: dict[int, GradNode] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        leaf = internals.variable(node)
        if leaf is not None and calls.places.is_parameter(leaf):
            return True
        waiting += [after for after, _ in node.next_functions if after is not None]
    return False
