"""Backward passes: the gradients that every node of autograd's graph took and gave, through its hooks."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakKeyDictionary

import torch
from torch.utils.hooks import RemovableHandle

from parity.pytorch.recorder import graph, internals
from parity.pytorch.recorder.asked import Asked, several
from parity.pytorch.recorder.calls import Calls, Tag
from parity.pytorch.recorder.data import Backward, Leaf, Output, Recorded, ReplicaState, Root
from parity.pytorch.recorder.places import calling
from parity.pytorch.recorder.senders import senders
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from torch.autograd.graph import GradientEdge
    from torch.autograd.graph import Node as GradNode

BACKWARD, GRAD = torch.autograd.backward, torch.autograd.grad
CODES = (BACKWARD.__code__, GRAD.__code__)


class BackwardListener(Protocol):
    """Who hears of backward passes that no other one runs inside."""

    @property
    def recording(self) -> bool:
        """Whether passes are recorded now."""

    def begins(self, *, reaches: bool) -> None:
        """A backward pass is about to run, which reaches a parameter or not."""

    def ended(self, *, reaches: bool) -> None:
        """The pass is over."""

    def backward(self, backward: Backward) -> None:
        """A backward pass, an inner one too, as it was recorded."""

    def node(self, backward: Backward, node: int) -> None:
        """A node ran."""

    def remark(self, text: str) -> None:
        """Something happened that could not be recorded."""


def _finish(manager: AbstractContextManager[object]) -> None:
    manager.__exit__(None, None, None)


@dataclass(eq=False)
class _Open:
    """A backward pass that is running."""

    backward: Backward
    handles: list[RemovableHandle] = field(default_factory=list)
    graph: list[GradNode] = field(default_factory=list)  # dropped when it ends, unless it is retained


class Backwards:
    """Records backward passes from when it is entered until it is left."""

    def __init__(self, calls: Calls, listener: BackwardListener) -> None:
        self._calls, self._listener = calls, listener
        self._running: list[_Open | None] = []
        self._early: WeakKeyDictionary[Tag, RemovableHandle] = WeakKeyDictionary()
        self._thread: int | None = None  # the one that entered

    # --- Where a pass begins --------------------------------------------------------------------------

    def enter(self) -> None:
        """Announce what calls `torch.autograd.backward` and `grad`, the public functions, by name.

        A caller that took hold of one of them before is noticed when its first node runs.
        """
        self._thread = threading.get_ident()
        torch.autograd.backward = internals.uncompiled(self._announced(BACKWARD))  # type: ignore[assignment]
        torch.autograd.grad = internals.uncompiled(self._announced(GRAD))  # type: ignore[assignment]
        self._calls.on_node = self._prepare

    def leave(self) -> None:
        """Give the functions back and remove every hook."""
        torch.autograd.backward, torch.autograd.grad = BACKWARD, GRAD
        self._calls.on_node, self._thread = None, None
        for handle in self._early.values():
            handle.remove()
        self._early.clear()

    def _announced(self, original: Callable[..., object]) -> Callable[..., object]:
        signature = inspect.signature(original)

        @functools.wraps(original)
        def announced(*args: object, **kwargs: object) -> object:
            asked = None
            with suppress(TypeError):  # wrong arguments: PyTorch says so
                asked = Asked.of(signature.bind(*args, **kwargs).arguments)
            if asked is None or not self._is_ours(asked):
                return original(*args, **kwargs)
            with self._pass(asked) as opened:
                found = original(*args, **kwargs)
                if opened is not None and found is not None:
                    results = cast("tuple[torch.Tensor | None, ...]", several(found))
                    opened.backward.found = tuple(map(self._recorded, results))
            return found

        return announced

    def _is_ours(self, asked: Asked) -> bool:
        """Whether a pass is to be recorded. One that cannot be is remarked on."""
        if threading.get_ident() != self._thread or not asked.answerable:
            return False
        if asked.plain and not asked.batched:
            return True
        if self._listener.recording and not self._calls.opaque and not internals.is_tracing():
            where = self._calls.places.here().source
            self._listener.remark(Message("pass_batched", where=where))
        return False

    def _prepare(self, node: GradNode, tag: Tag) -> None:
        self._early[tag] = node.register_prehook(functools.partial(self._unannounced, tag.id))

    def _unannounced(self, number: int, grads: tuple[torch.Tensor | None, ...]) -> None:
        """A node is about to run. Nobody said so: ask the frames who it is for."""
        del grads
        if self._running and (self._running[-1] is None or number in self._running[-1].backward.nodes):
            return
        arguments = calling(CODES)
        asked = None if arguments is None else Asked.of(arguments)
        if asked is not None and self._is_ours(asked):
            manager = self._pass(asked)
            manager.__enter__()
            internals.queue_callback(lambda: _finish(manager))

    @contextmanager
    def _pass(self, asked: Asked) -> Iterator[_Open | None]:
        self._calls.refuse_apart(Message("region_backward"))
        self._calls.settle()
        self._calls.functions.leave()
        outermost = not self._running
        with self._calls.snapshots.quietly():
            roots = [graph.edge(output) for output in asked.outputs]
        reaches = outermost and self._reaches(asked, roots)
        if outermost:
            self._listener.begins(reaches=reaches)
        opened = self._begin(asked, roots) if self._listener.recording else None
        del roots
        self._running.append(opened)
        ran = False
        try:
            yield opened
            ran = True
        finally:
            self._calls.settle()
            self._running.pop()
            if opened is not None:
                self._close(opened)
                if outermost and opened.backward.replica is not None:
                    opened.backward.replica = opened.backward.replica[0], self._replica()
                if ran:
                    self._listener.backward(opened.backward)
            if outermost:
                self._listener.ended(reaches=reaches and ran)

    def _reaches(self, asked: Asked, roots: list[tuple[GradNode, int]]) -> bool:
        if asked.inputs is None:
            return graph.reaches((node for node, _ in roots), self._calls)
        places = self._calls.places
        leaves = [one for one in asked.inputs if isinstance(one, torch.Tensor) and one.is_leaf]
        return any(
            places.is_parameter(leaf) and (places.knows_parameters or isinstance(leaf, torch.nn.Parameter))
            for leaf in leaves
        )

    # --- While it runs --------------------------------------------------------------------------------

    def _recorded(self, tensor: torch.Tensor | None) -> Recorded | None:
        return None if tensor is None else self._calls.snapshots.take(tensor)

    def _replica(self) -> ReplicaState:
        known = dict(self._calls.places.parameters())
        gradients = {name: one.grad for name, one in known.items() if one.grad is not None}
        take = self._calls.snapshots.take
        return ReplicaState(
            {name: take(one) for name, one in known.items()},
            {name: take(one) for name, one in gradients.items()},
            tuple(hook for module in self._calls.averaging for hook in internals.communication(module)),
        )

    def _begin(self, asked: Asked, roots: list[tuple[GradNode, int]]) -> _Open:
        reached = graph.reachable(node for node, _ in roots)
        nodes = {self._calls.tag(node).id: graph.described(node, self._calls) for node in reached}
        outputs = [Output(self._calls.tag(node).id, slot) for node, slot in roots]
        inputs = None if asked.inputs is None else self._inputs(asked.inputs, reached)
        users = senders(nodes)
        backward = Backward(
            nodes=nodes,
            roots=tuple(map(Root, outputs, map(self._recorded, asked.seeds))),
            inputs=inputs,
            source=self._calls.places.here().source,
            retained=asked.retained,
            needed=graph.needed(nodes, users, inputs),
            senders=users,
        )
        if internals.ranks()[1] > 1:
            backward.replica = (self._replica(),) * 2
        opened = _Open(backward, graph=[] if asked.retained else reached)
        for node in reached:
            number, leaf = self._calls.tag(node).id, internals.variable(node)
            if leaf is not None:
                before = functools.partial(self._before, opened, number, leaf)
                opened.handles.append(node.register_prehook(before))
                after = functools.partial(self._accumulated, opened, number)
                opened.handles.append(internals.after_accumulating(leaf, after))
            opened.handles.append(node.register_hook(functools.partial(self._ran, opened, number, leaf)))
        return opened

    def _inputs(
        self, targets: tuple[torch.Tensor | GradientEdge, ...], reached: list[GradNode]
    ) -> tuple[Output, ...]:
        """Where the inputs are in the graph. A leaf that is not in it has no node; it gets none either."""
        leaves = {id(leaf): node for node in reached if (leaf := internals.variable(node)) is not None}
        found = []
        for target in targets:
            if isinstance(target, torch.Tensor) and target.grad_fn is None:
                node = leaves.get(id(target))
                found.append(Output(-1 if node is None else self._calls.tag(node).id, 0))
            else:
                node, slot = graph.edge(target)
                found.append(Output(self._calls.tag(node).id, slot))
        return tuple(found)

    def _before(
        self, opened: _Open, number: int, leaf: torch.Tensor, grads: tuple[torch.Tensor | None, ...]
    ) -> None:
        """A leaf is about to take its gradient, into memory that becomes its `.grad`."""
        if self._running and self._running[-1] is opened:
            backward = opened.backward
            name = backward.nodes[number].parameter or ""
            backward.leaves[number] = Leaf(name, self._recorded(leaf.grad))
            backward.grad_out[number] = [self._recorded(grad) for grad in grads]

    def _accumulated(self, opened: _Open, number: int, leaf: torch.Tensor) -> None:
        """A leaf has its gradient, of which no hook of the node's, such as DDP's, has heard yet."""
        if self._running and self._running[-1] is opened:
            opened.backward.leaves[number].after = self._recorded(leaf.grad)

    def _ran(
        self,
        opened: _Open,
        number: int,
        leaf: torch.Tensor | None,
        grad_in: tuple[torch.Tensor | None, ...],
        grad_out: tuple[torch.Tensor | None, ...],
    ) -> None:
        if not self._running or self._running[-1] is not opened:
            return  # the same node in an inner pass, which has hooks of its own
        backward = opened.backward
        backward.grad_in[number] = [self._recorded(grad) for grad in grad_in]
        if leaf is None:
            backward.grad_out[number] = [self._recorded(grad) for grad in grad_out]
        self._listener.node(backward, number)

    def _close(self, opened: _Open) -> None:
        for handle in opened.handles:
            handle.remove()
        opened.handles.clear()
        for node in opened.graph:
            early = self._early.pop(self._calls.tag(node), None)
            if early is not None:
                early.remove()
            self._calls.untag(node)
        opened.graph.clear()
