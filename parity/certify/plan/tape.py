"""The tape on which a computation is recorded, each expression once, with the decisions taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parity.certify.plan.node import Making, TapeNode, Values, is_nonnegative
from parity.certify.plan.rewriting import rewritten

COMMUTATIVE = {
    "add",
    "multiply",
    "maximum",
    "minimum",
    "logical_and",
    "logical_or",
    "bitwise_and",
    "bitwise_or",
}


class UnplannableError(Exception):
    """The computation cannot be recorded: it reads its numbers in a way that no replay could repeat."""


@dataclass(frozen=True)
class Guard:
    """A decision that a replay must repeat: `node` must hold everywhere, or (outcome False) nowhere.

    A `required` one has a single truth value.
    """

    node: TapeNode
    outcome: bool
    required: bool = False


class CallTape:
    """Nodes in the order of their computation; equal expressions are one node.

    `general` holds the places, by equation and count, of decisions that are to take the branch which is
    right for any numbers (see `parity.bounds.branches`), whatever the recorded numbers say.
    """

    def __init__(self, general: Collection[Hashable] = ()) -> None:
        self.nodes: list[TapeNode] = []
        self.guards: list[Guard] = []
        self.general: set[Hashable] = set(general)
        self._known: dict[Hashable, TapeNode] = {}
        self._where: Hashable = None
        self._decisions = 0

    def begin(self, where: Hashable) -> None:
        """Start an equation, from which decisions are counted."""
        self._where, self._decisions = where, 0

    def constant(self, value: npt.ArrayLike) -> TapeNode:
        """A node of a known array."""
        array = np.asarray(value)
        bits = array.tobytes() if array.dtype.kind in "biu" or array.itemsize <= 8 else repr(array.tolist())
        key = ("constant", array.dtype.str, array.shape, bits)
        if key not in self._known:
            signed = array.dtype.kind not in "fiub"
            made = TapeNode(Making.CONSTANT, "constant", None, (), array)
            made.nonnegative = not signed and bool(np.all(array >= 0))
            self._enter(key, made)
        return self._known[key]

    def given(self, name: str, value: Values, *, stacked: bool) -> TapeNode:
        """A node whose array the caller writes before every replay."""
        return self._enter(("input", name), TapeNode(Making.INPUT, name, None, (), value, stacked))

    def made(
        self,
        kind: Making,
        name: str,
        function: Callable[..., Any],
        operands: tuple[TapeNode, ...],
        key: Hashable = (),
        **options: Any,
    ) -> TapeNode:
        """The node of a call, a new one unless its expression is known or a simpler one is equal.

        `function` takes the operands' arrays, with their leading axis; `key` tells apart calls of one
        name and the same operands.
        """
        simpler = rewritten(self, kind, name, operands, options)
        if simpler is not None:
            return simpler
        whole = _key(kind, name, operands, key)
        if whole in self._known:
            return self._known[whole]
        value = np.asarray(function(*(part.value for part in operands)))
        if all(part.kind is Making.CONSTANT for part in operands):
            return self.constant(value)
        stacked = any(part.stacked for part in operands) if name != "side" else False
        node = TapeNode(kind, name, function, operands, value, stacked, options=options)
        node.nonnegative = (
            operands[0].nonnegative
            if kind is Making.CAST or "view" in options
            else is_nonnegative(name, operands)
        )
        return self._enter(whole, node)

    def elementwise(
        self, kind: Making, name: str, function: Callable[..., Any], operands: tuple[TapeNode, ...]
    ) -> TapeNode:
        """The node of a call whose operands broadcast against each other.

        If it is of one side's arrays, and the same of both sides' is known, it is a view of that.
        """
        sides = {part.options["view"] for part in operands if part.name == "side"}
        if len(sides) == 1 and not any(part.stacked for part in operands):
            both = self._aligned(tuple(p.operands[0] if p.name == "side" else p for p in operands))
            known = self._known.get(_key(kind, name, both, ()))
            if known is not None:
                return self.side(known, sides.pop())
        return self.made(kind, name, function, self._aligned(operands))

    def side(self, node: TapeNode, side: int) -> TapeNode:
        """One side's array."""
        if not node.stacked:
            return node
        return self.view("side", lambda array: array[side], node, side)

    def view(self, name: str, move: Callable[[Values], Values], node: TapeNode, key: Hashable) -> TapeNode:
        """A view of a node's array, taken by `move`."""
        return self.made(Making.VIEW, name, move, (node,), key, view=key)

    def spread(self, node: TapeNode, shape: tuple[int, ...]) -> TapeNode:
        """A node's array, broadcast to a shape."""
        (node,) = self._aligned((node,), len(shape))
        whole = (2, *shape) if node.stacked else shape
        return self.view("broadcast_to", lambda array: np.broadcast_to(array, whole), node, whole)

    def _aligned(self, nodes: tuple[TapeNode, ...], axes: int = 0) -> tuple[TapeNode, ...]:
        """Both sides' arrays of fewer axes than the others', with axes of size 1 after the first."""
        axes = max(axes, *(len(node.shape) for node in nodes))
        return tuple(self._deepened(node, axes - len(node.shape)) for node in nodes)

    def _deepened(self, node: TapeNode, missing: int) -> TapeNode:
        if not node.stacked or not missing:
            return node
        index = (slice(None), *(None,) * missing)
        return self.view("deepened", lambda array: array[index], node, missing)

    def _enter(self, key: Hashable, node: TapeNode) -> TapeNode:
        self.nodes.append(node)
        self._known[key] = node
        return node

    def decided(self, node: TapeNode, *, special: bool) -> bool:
        """A decision of which the outcome `not special` is right for any numbers, and needs no guard."""
        place = (self._where, self._decisions)
        self._decisions += 1
        outcome = bool(np.all(node.value)) if special else bool(np.any(node.value))
        if outcome is not special or place in self.general:
            self.general.add(place)
            return not special
        self.guards.append(Guard(node, outcome))
        return outcome

    def require(self, node: TapeNode) -> bool:
        """The truth value of a node, which every replay must repeat."""
        outcome = bool(np.all(node.value)) if node.stacked else bool(node.value)
        if node.stacked and outcome != bool(np.any(node.value)):
            raise UnplannableError("the two sides take different branches")
        if node.kind is not Making.CONSTANT:
            self.guards.append(Guard(node, outcome, required=True))
        return outcome


def _key(kind: Making, name: str, operands: tuple[TapeNode, ...], key: Hashable) -> Hashable:
    places = [id(part) for part in operands]
    return (kind, name, tuple(sorted(places) if name in COMMUTATIVE else places), key)
