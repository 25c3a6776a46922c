"""Turns recorded nodes into a straight line of numpy calls on kept buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from parity.certify.plan.layout import strides_order
from parity.certify.plan.node import Making, TapeNode, Values

Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]

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
    ) -> None:
        """Compile the `nodes`.

        `placed` are the buffers of some nodes, inputs among them; `copied` nodes are copied to an array
        at the end, or once if they are constants; a `seen` node's array is passed to a function, with more
        arguments, when the node is made.
        """
        self.calls: list[Call] = []
        self.buffers: dict[TapeNode, Values] = dict(placed)
        self._pool: dict[int, list[Values]] = defaultdict(list)
        self._chunks: dict[TapeNode, Values] = {}
        self.allocated = 0
        last, looks = _last_uses(nodes, copied), defaultdict(list)
        for node, look, arguments in seen:
            looks[node].append((look, arguments))
        for place, node in enumerate(nodes):
            dying = [
                part
                for part in {id(o.owner): o.owner for o in node.operands}.values()
                if last[part] == place
            ]
            if node.kind is Making.CONSTANT:
                self.buffers[node] = node.value
            elif node.kind is Making.VIEW:
                assert node.function is not None
                self.buffers[node] = node.function(self.buffers[node.operands[0]])
            elif node.kind in MADE:
                self._make(node, dying)
            for look, arguments in looks[node]:
                self.calls.append((look, (self.buffers[node], *arguments)))
            for part in [*dying, *([node] if last.get(node, place) == place else [])]:
                if part in self._chunks:
                    chunk = self._chunks.pop(part)
                    self._pool[chunk.nbytes].append(chunk)
        for node, out in copied:
            if node.kind is Making.CONSTANT:
                np.copyto(out, node.value)
            else:
                self.calls.append((np.copyto, (out, self.buffers[node])))

    def run(self) -> None:
        """Make all wanted nodes from what stands in the buffers of the inputs."""
        for function, arguments in self.calls:
            function(*arguments)

    def _make(self, node: TapeNode, dying: Sequence[TapeNode]) -> None:
        out = self.buffers.get(node)
        if out is None:
            out = self._inherited(node, dying)
        if out is None:
            out = self._allocated(node)
        self.buffers[node] = out
        arrays = tuple(self.buffers[part] for part in node.operands)
        if node.kind is Making.UFUNC:
            function = _POSITIONAL.get(node.name, node.function)
            assert function is not None
            self.calls.append((function, (*arrays, out)))
        elif node.kind is Making.REDUCE:
            options = node.options
            initial = (options["initial"],) if "initial" in options else ()
            self.calls.append(
                (
                    options["ufunc"].reduce,
                    (*arrays, options["axis"], None, out, options["keepdims"], *initial),
                )
            )
        elif node.kind is Making.CAST:
            self.calls.append((np.copyto, (out, *arrays, "unsafe")))
        elif node.kind is Making.WHERE:
            condition, yes, no = arrays
            if no is not out:
                self.calls.append((np.copyto, (out, no)))
            self.calls.append((np.copyto, (out, yes, "same_kind", condition)))
        else:
            self.calls.append((_copy_result, (out, node.function, arrays)))

    def _inherited(self, node: TapeNode, dying: Sequence[TapeNode]) -> Values | None:
        """The buffer of an operand that is used for the last time, if the call may overwrite it."""
        if node.kind is Making.WHERE:
            candidates: tuple[TapeNode, ...] = node.operands[2:]
        elif node.kind is Making.UFUNC and node.name != "matmul":
            candidates = node.operands
        else:
            return None
        for part in candidates:
            if part in dying and part in self._chunks and _alike(part, node):
                self._chunks[node] = self._chunks.pop(part)
                return self.buffers[part]
        return None

    def _allocated(self, node: TapeNode) -> Values:
        value = node.value
        free = self._pool[value.nbytes]
        if free:
            chunk = free.pop()
        else:
            chunk = np.empty(value.nbytes, np.uint8)
            self.allocated += value.nbytes
        self._chunks[node] = chunk
        order = strides_order(value)
        flat = chunk.view(value.dtype).reshape([value.shape[axis] for axis in order])
        return flat.transpose(np.argsort(order))


def _maximum(x: Values, y: Values, out: Values) -> None:
    np.maximum(x, y, out=out)


def _minimum(x: Values, y: Values, out: Values) -> None:
    np.minimum(x, y, out=out)


_POSITIONAL: dict[str, Callable[..., Any]] = {"matmul": np.matmul, "maximum": _maximum, "minimum": _minimum}
"""The ufuncs to call where a recorded one does not take its buffer as the last argument."""


def _last_uses(nodes: Sequence[TapeNode], copied: Sequence[tuple[TapeNode, Values]]) -> dict[TapeNode, int]:
    """The place of the last node that reads each node's own buffer."""
    last = {part.owner: place for place, node in enumerate(nodes) for part in node.operands}
    return last | {node.owner: len(nodes) for node, _ in copied}


def _alike(part: TapeNode, node: TapeNode) -> bool:
    one, other = part.value, node.value
    return one.shape == other.shape and one.dtype == other.dtype and one.strides == other.strides


def _copy_result(out: Values, function: Callable[..., Any], arrays: tuple[Values, ...]) -> None:
    np.copyto(out, function(*arrays))
