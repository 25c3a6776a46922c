"""Chains of calls on large arrays, done block by block so that intermediate numbers stay in the cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from parity.certify.plan.layout import strides_order
from parity.certify.plan.memory import Memory
from parity.certify.plan.node import Making, TapeNode, Values

BLOCK = 1 << 13
"""Numbers of a block: a dozen arrays of so many fit in the cache."""

LARGE = 1 << 14
"""Numbers of one side's array from which its chain of calls is blocked."""

WORTH = 4
"""Calls of a chain from which it is blocked."""

Seen: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function that is passed a node's array when it is made, and its other arguments."""


def chains(nodes: Sequence[TapeNode]) -> list[list[TapeNode]]:
    """The nodes in an order that respects their operands, calls on large arrays of one shape together."""
    found: list[list[TapeNode]] = []
    chain: list[TapeNode] = []
    members: set[int] = set()

    def close() -> None:
        found.extend([chain.copy()] if len(chain) >= WORTH else [[node] for node in chain])
        chain.clear()
        members.clear()

    for node in nodes:
        if _blocked(node):
            if chain and _kind(chain[0]) != _kind(node):
                close()
            chain.append(node)
            members.add(id(node))
            continue
        if any(id(part) in members for part in node.operands):
            close()
        found.append([node])
    close()
    return found


def _kind(node: TapeNode) -> tuple[object, ...]:
    return node.stacked, node.value.shape, strides_order(node.value)


def _blocked(node: TapeNode) -> bool:
    """Whether a node is made number by number, of large arrays of its own shape and of single numbers."""
    if node.kind not in (Making.UFUNC, Making.CAST, Making.WHERE) or node.name == "matmul":
        return False
    size = node.value.size // (2 if node.stacked else 1)
    return size >= LARGE and all(part.shape == node.shape or _single(part) for part in node.operands)


def _single(part: TapeNode) -> bool:
    return part.value.size == (2 if part.stacked else 1)


class Blocked:
    """The calls of one chain, block by block.

    `kept` are the members whose whole array is needed, `seen` the reductions that look at a member.
    """

    def __init__(
        self,
        chain: Sequence[TapeNode],
        buffers: Mapping[TapeNode, Values],
        kept: Collection[TapeNode],
        seen: Mapping[TapeNode, Sequence[Seen]],
        memory: Memory,
    ) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._buffers, self._order = buffers, strides_order(_side(chain[0], chain[0].value, 0))
        self._scratch, chunks = _scratch_of(chain, kept, memory)
        sides = range(2 if chain[0].stacked else 1)
        size = chain[0].value.size // len(sides)
        pieces = [
            (side, slice(start, min(start + BLOCK, size)))
            for side in sides
            for start in range(0, size, BLOCK)
        ]
        found = {
            (node, i): np.empty(len(pieces), look[1][-1].dtype)
            for node in chain
            for i, look in enumerate(seen.get(node, ()))
        }
        for place, (side, piece) in enumerate(pieces):
            for node in chain:
                out = self._part(node, side, piece)
                arrays = tuple(self._part(part, side, piece) for part in node.operands)
                self.calls += calls_of(node, arrays, out)
                for i, (look, arguments) in enumerate(seen.get(node, ())):
                    into = found[node, i][place, ...]
                    self.calls.append((look, (out, *arguments[:-1], into)))
        for node in chain:
            for i, (look, arguments) in enumerate(seen.get(node, ())):
                self.calls.append((look, (found[node, i], *arguments)))
        memory.give_back(chunks)

    def _part(self, node: TapeNode, side: int, piece: slice) -> Values:
        """A block of a node's array; raises ValueError if the array is not in the chain's order."""
        if node in self._scratch:
            return self._scratch[node][: piece.stop - piece.start]
        array = _side(node, self._buffers[node], side)
        if array.size == 1:
            return array.reshape(())
        turned = array.transpose(self._order)
        if not turned.flags.c_contiguous:
            raise ValueError("an array in another order")
        return turned.reshape(-1)[piece]


def _side(node: TapeNode, array: Values, side: int) -> Values:
    return array[side] if node.stacked else array


def _scratch_of(
    chain: Sequence[TapeNode], kept: Collection[TapeNode], memory: Memory
) -> tuple[dict[TapeNode, Values], list[Values]]:
    """Buffers of one block for the members that are not kept, used again after their last use.

    And the pieces of memory that they lie in.
    """
    last = {part: place for place, node in enumerate(chain) for part in node.operands}
    free: dict[object, list[Values]] = defaultdict(list)
    found: dict[TapeNode, Values] = {}
    chunks: list[Values] = []
    for place, node in enumerate(chain):
        dying = {part for part in node.operands if part in found and last[part] == place}
        if node not in kept:
            # A call may write over an operand that it reads for the last time; a choice copies twice.
            same = [part for part in dying if part.value.dtype == node.value.dtype]
            if same and node.kind is Making.UFUNC:
                dying.discard(same[0])
                found[node] = found[same[0]]
            else:
                pool = free[node.value.dtype]
                if not pool:
                    size = BLOCK * node.value.itemsize
                    chunks.append(memory.take(size))
                    pool.append(chunks[-1][:size].view(node.value.dtype))
                found[node] = pool.pop()
        for part in dying:
            free[part.value.dtype].append(found[part])
    return found, chunks


def calls_of(
    node: TapeNode, arrays: tuple[Values, ...], out: Values
) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """The calls that write a node's array, made number by number or a product, into a buffer."""
    if node.kind is Making.CAST:
        return [(np.copyto, (out, *arrays, "unsafe"))]
    if node.kind is Making.WHERE:
        condition, yes, no = arrays
        first = [] if no is out else [(np.copyto, (out, no))]
        return [*first, (np.copyto, (out, yes, "same_kind", condition))]
    function = _POSITIONAL.get(node.name, node.function)
    assert function is not None
    return [(function, (*arrays, out))]


def _maximum(x: Values, y: Values, out: Values) -> None:
    np.maximum(x, y, out=out)


def _minimum(x: Values, y: Values, out: Values) -> None:
    np.minimum(x, y, out=out)


_POSITIONAL: dict[str, Callable[..., Any]] = {"matmul": np.matmul, "maximum": _maximum, "minimum": _minimum}
"""The ufuncs to call where a recorded one does not take its buffer as the last argument."""
