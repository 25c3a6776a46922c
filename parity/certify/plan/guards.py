"""The decisions that a replay must repeat, asked together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.certify.plan.node import Making, TapeNode, Values, numbers_are
from parity.certify.plan.tape import Guard

FEW = 1 << 14
"""Numbers of an array from which it is reduced when it is made, since it has left the cache by the end."""

KEEPS_NAN = {
    "add", "subtract", "multiply", "divide", "matmul", "absolute", "negative", "square", "sqrt", "exp",
    "tanh", "maximum", "minimum", "cosh", "sinh", "expm1", "log", "log1p", "add.reduce", "reciprocal",
    "maximum.reduce", "minimum.reduce", "cast", "transpose", "broadcast_to", "deepened",
}  # fmt: skip
"""Functions whose result has a NaN wherever an operand has one."""


WHOLE = {"transpose", "broadcast_to", "deepened"}
"""Views of all numbers of an array."""


@dataclass
class Sorted:
    """The guards by what they ask of a node's numbers.

    `below` are nodes with a largest allowed number, `never` conditions that must hold nowhere, `always`
    ones that must hold everywhere; `others` are each asked alone.
    """

    below: dict[TapeNode, float] = field(default_factory=dict)
    never: list[TapeNode] = field(default_factory=list)
    always: list[TapeNode] = field(default_factory=list)
    others: list[Guard] = field(default_factory=list)

    @property
    def nodes(self) -> list[TapeNode]:
        """All nodes that are looked at."""
        others = [guard.node for guard in self.others]
        return [*self.below, *self.never, *self.always, *others]


def sort(guards: Iterable[Guard], finite: Iterable[TapeNode]) -> Sorted:
    """The guards without repetitions, and without those that follow from others.

    A number below a limit is no NaN, and neither is any from which it was computed by functions that keep
    NaN; `finite` are nodes that are seen to be finite otherwise.
    """
    found = Sorted()
    unique = {(id(guard.node), guard.outcome): guard for guard in guards}
    for guard in unique.values():
        _enter(found, guard)
    known = _without_nan([*found.below, *finite])
    found.never = [
        node for node in found.never if not (node.name == "isnan" and id(node.operands[0]) in known)
    ]
    found.never, found.always = list(dict.fromkeys(found.never)), list(dict.fromkeys(found.always))
    return found


def _enter(found: Sorted, guard: Guard) -> None:
    node, reduction = guard.node, "logical_and.reduce" if guard.outcome else "logical_or.reduce"
    if node.name == reduction and not node.shape:
        node = node.operands[0]
    elif guard.required:
        found.others.append(guard)
        return
    largest = _limited(node) if guard.outcome else None
    if largest is not None:
        below, limit = largest
        found.below[below] = min(limit, found.below.get(below, np.inf))
    elif node.value.dtype != np.bool_:
        found.others.append(guard)
    else:
        (found.always if guard.outcome else found.never).append(_moved(node))


def _limited(node: TapeNode) -> tuple[TapeNode, float] | None:
    """For x ≤ c, or x < ∞: x, or the node whose array x is a view of, and c."""
    if node.name == "less" and numbers_are(node.operands[1], np.inf):
        return _moved(node.operands[0]), float(np.finfo(np.float64).max)
    if node.name != "less_equal" or node.operands[1].kind is not Making.CONSTANT or node.operands[1].shape:
        return None
    x, limit = node.operands
    return (_moved(x), float(limit.value)) if x.value.dtype == np.float64 else None


def _moved(node: TapeNode) -> TapeNode:
    """The node of which another is a view that holds the same numbers."""
    while node.kind is Making.VIEW and node.name in WHOLE:
        node = node.operands[0]
    return node


def _without_nan(limited: Sequence[TapeNode]) -> set[int]:
    known: set[int] = set()
    pending = list(limited)
    while pending:
        node = pending.pop()
        if id(node) not in known:
            known.add(id(node))
            if node.name in KEEPS_NAN:
                pending += node.operands
    return known


class Pools:
    """Buffers in which the guards' nodes stand side by side, each asked in one call."""

    def __init__(self, guards: Sorted, few: int = FEW) -> None:
        self.guards, self._few = guards, few
        self.limit = min(guards.below.values(), default=np.inf)
        self.placed: dict[TapeNode, Values] = {}
        self.copied: list[tuple[TapeNode, Values]] = []
        self.seen: list[tuple[TapeNode, Callable[..., object], tuple[object, ...]]] = []
        self._largest = self._pool(list(guards.below), np.float64, np.maximum)
        self._never = self._pool(guards.never, np.bool_, np.logical_or)
        self._always = self._pool(guards.always, np.bool_, np.logical_and)
        self._others = np.array([guard.outcome for guard in guards.others], np.bool_)
        self._outcomes = self._others.copy()
        for place, guard in enumerate(guards.others):
            ask = np.logical_and.reduce if guard.outcome else np.logical_or.reduce
            self.seen.append((guard.node, ask, (None, None, self._others[place, ...])))

    def leave(self) -> None:
        """Keep nothing but what `hold` asks."""
        self.guards = Sorted()
        for known in (self.placed, self.copied, self.seen):
            known.clear()

    def _pool(self, nodes: list[TapeNode], dtype: type[np.generic], ufunc: np.ufunc) -> Values:
        many = [node.value.size > self._few for node in nodes]
        pool: Values = np.empty(
            sum(1 if m else n.value.size for n, m in zip(nodes, many, strict=True)), dtype
        )
        start = 0
        for node, large in zip(nodes, many, strict=True):
            stop = start + (1 if large else node.value.size)
            part = pool[start:stop]
            start = stop
            if large:
                self.seen.append((node, ufunc.reduce, (None, None, part.reshape(()))))
                continue
            out = in_order_of(node.value, part)
            if (
                node.kind in (Making.CONSTANT, Making.INPUT, Making.VIEW)
                or node in self.placed
                or node.value.dtype != dtype
            ):
                self.copied.append((node, out))
            else:
                self.placed[node] = out
        return pool

    def hold(self) -> bool:
        """Whether every decision is as it was recorded."""
        if self._largest.size and not self._largest.max() <= self.limit:
            return False
        if self._never.size and self._never.any():
            return False
        if not self._always.all():
            return False
        return bool((self._others == self._outcomes).all())


def in_order_of(value: Values, flat: Values) -> Values:
    """A flat buffer as an array with the shape of `value`, and its axes in the same order in memory."""
    order = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
    return flat.reshape([value.shape[axis] for axis in order]).transpose(np.argsort(order))
