"""Turns recorded nodes into a straight line of numpy calls on kept buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from parity.bounds.sliced import SlicedProduct, worth_slicing
from parity.certify.plan.blocking import Blocked, Seen, calls_of, chains
from parity.certify.plan.memory import Memory
from parity.certify.plan.node import Making, TapeNode, Values

MADE = (Making.UFUNC, Making.REDUCE, Making.CAST, Making.WHERE, Making.CALL)


def live(nodes: Iterable[TapeNode], wanted: Iterable[TapeNode]) -> list[TapeNode]:
    """The nodes that the wanted ones depend on, in the order of their computation."""
    found: set[int] = set()
    pending = list(wanted)
    while pending:
        node = pending.pop()
        if id(node) not in found:
            found.add(id(node))
            pending += node.operands
    return [node for node in nodes if id(node) in found]


class Program:
    """The calls that make all wanted nodes, in order, and the buffers that they write.

    `buffers` holds the array of each node; that of a node that is not wanted is reused after its last use.
    """

    def __init__(
        self,
        nodes: Sequence[TapeNode],
        placed: Mapping[TapeNode, Values],
        copied: Sequence[tuple[TapeNode, Values]],
        seen: Sequence[tuple[TapeNode, Callable[..., Any], tuple[Any, ...]]],
        memory: Memory | None = None,
    ) -> None:
        """Compile the `nodes`.

        `placed` are the buffers of some nodes, inputs among them; `copied` nodes are copied to an array
        at the end, or once if they are constants; a `seen` node's array is passed to a reduction, with
        more arguments and the array of its result, when the node is made. Programs that never run at the
        same time may share their `memory`, after `leave`.
        """
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.buffers: dict[TapeNode, Values] = dict(placed)
        self._memory = memory or Memory()
        self._chunks: dict[TapeNode, Values] = {}
        self._seen: dict[TapeNode, list[Seen]] = defaultdict(list)
        for node, look, arguments in seen:
            self._seen[node].append((look, arguments))
        parts = chains(nodes)
        self._last = _last_uses(parts, copied)
        self._kept = {node for node, _ in copied} | set(placed)
        for place, part in enumerate(parts):
            if len(part) == 1 or not self._make_blocked(part, place):
                for (
                    node
                ) in part:  # of a chain, later calls read what earlier ones made: nothing is written over
                    self._make_alone(node, place if len(part) == 1 else -1)
            used = {o.owner: None for node in part for o in (*node.operands, node)}
            for node in used:
                if self._last.get(node, place) == place and node in self._chunks:
                    self._memory.give_back([self._chunks.pop(node)])
        for node, out in copied:
            if node.kind is Making.CONSTANT:
                np.copyto(out, node.value)
            else:
                self.calls.append((np.copyto, (out, self.buffers[node])))

    def run(self) -> None:
        """Make all wanted nodes from what stands in the buffers of the inputs."""
        for function, arguments in self.calls:
            function(*arguments)

    def leave(self) -> None:
        """Give all memory back, and keep nothing but the calls."""
        self._memory.give_back(self._chunks.values())
        for known in (self.buffers, self._chunks, self._seen, self._last, self._kept):
            known.clear()

    def _make_alone(self, node: TapeNode, place: int) -> None:
        """The calls of one node."""
        if node.kind is Making.CONSTANT:
            self.buffers[node] = node.value
        elif node.kind is Making.VIEW:
            assert node.function is not None
            self.buffers[node] = node.function(self.buffers[node.operands[0]])
        elif node.kind in MADE:
            self._make(node, place)
        for look, arguments in self._seen[node]:
            self.calls.append((look, (self.buffers[node], *arguments)))

    def _make(self, node: TapeNode, place: int) -> None:
        out = self.buffers.get(node)
        if out is None:
            out = self._inherited(node, place)
        if out is None:
            out = self._allocated(node)
        self.buffers[node] = out
        arrays = tuple(self.buffers[part] for part in node.operands)
        if node.kind is Making.REDUCE:
            options = node.options
            initial = (options["initial"],) if "initial" in options else ()
            arguments = (*arrays, options["axis"], None, out, options["keepdims"], *initial)
            self.calls.append((options["ufunc"].reduce, arguments))
        elif node.name == "matmul" and worth_slicing(*(part.value for part in node.operands)):
            lowered = [self._double_of(part) for part in node.operands]
            x, y = arrays
            self.calls.append((SlicedProduct(x, y, out, (lowered[0], lowered[1])), ()))
        elif node.name == "reshape" and out.flags.c_contiguous:
            self.calls.append((np.copyto, (out.reshape(arrays[0].shape), arrays[0])))
        elif node.kind is Making.CALL:
            self.calls.append((_copy_result, (out, node.function, arrays)))
        else:
            self.calls += calls_of(node, arrays, out)

    def _double_of(self, node: TapeNode) -> Values | None:
        """The doubles of which a node's longdoubles are copies, if they are an input."""
        if node.kind is Making.VIEW and node.function is not None:
            base = self._double_of(node.operands[0])
            return None if base is None else node.function(base)
        source = node.operands[0].owner if node.kind is Making.CAST else node
        if source.kind is not Making.INPUT or source.value.dtype != np.float64:
            return None
        return self.buffers[node.operands[0]]

    def _make_blocked(self, chain: Sequence[TapeNode], place: int) -> bool:
        """The calls of a chain, block by block; False if its arrays are not all in one order."""
        kept = [node for node in chain if node in self._kept or self._last[node] > place]
        chunks = dict(self._chunks)
        for node in kept:
            if node not in self.buffers:
                self.buffers[node] = self._allocated(node)
        try:
            self.calls += Blocked(chain, self.buffers, set(kept), self._seen, self._memory).calls
        except ValueError:
            for node in self._chunks.keys() - chunks.keys():
                self._memory.give_back([self._chunks.pop(node)])
                del self.buffers[node]
            return False
        return True

    def _inherited(self, node: TapeNode, place: int) -> Values | None:
        """The buffer of an operand that is used for the last time, if the call may overwrite it."""
        if node.kind is Making.WHERE:
            candidates: tuple[TapeNode, ...] = node.operands[2:]
        elif node.kind is Making.UFUNC and node.name != "matmul":
            candidates = node.operands
        else:
            return None
        for part in candidates:
            if part in self._chunks and self._last[part] == place and _alike(part, node):
                self._chunks[node] = self._chunks.pop(part)
                return self.buffers[part]
        return None

    def _allocated(self, node: TapeNode) -> Values:
        self._chunks[node], array = self._memory.array(node.value)
        return array


def _last_uses(
    parts: Sequence[Sequence[TapeNode]], copied: Sequence[tuple[TapeNode, Values]]
) -> dict[TapeNode, int]:
    """The place of the last part that makes, reads or copies each node's own buffer."""
    last: dict[TapeNode, int] = {}
    for place, part in enumerate(parts):
        for node in part:
            last |= dict.fromkeys((node.owner, *(operand.owner for operand in node.operands)), place)
    return last | {node.owner: len(parts) for node, _ in copied}


def _alike(part: TapeNode, node: TapeNode) -> bool:
    one, other = part.value, node.value
    return one.shape == other.shape and one.dtype == other.dtype and one.strides == other.strides


def _copy_result(out: Values, function: Callable[..., Any], arrays: tuple[Values, ...]) -> None:
    np.copyto(out, function(*arrays))
