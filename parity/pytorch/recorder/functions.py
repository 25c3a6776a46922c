"""Calls of `torch.autograd.Function`: what each was given, what ran inside, and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import ref

import torch

from parity.pytorch.recorder import internals
from parity.pytorch.recorder.data import Application, Argument, Call
from parity.pytorch.recorder.places import Applied

if TYPE_CHECKING:
    from torch.autograd.graph import Node as GradNode


class Functions:
    """Gathers the operations that run inside of a function, and notes them on its node.

    The node is there before the function returns; which tensors are its outputs is seen at the next
    event.
    """

    def __init__(self, value: Callable[[object], Argument]) -> None:
        self._value, self._key = value, object()
        self._running: tuple[Applied, Application] | None = None
        self._made: list[ref[torch.Tensor]] = []

    def inside(self, applied: Applied | None) -> Application | None:
        """The function that an operation is about to run in, if it runs in one."""
        if self._running is not None and (applied is None or self._running[0].given is not applied.given):
            self.leave()
        if applied is None:
            return None
        if self._running is None:
            self._running = applied, Application(tuple(map(self._value, applied.given)))
        return self._running[1]

    def saw(self, application: Application, call: Call, made: Sequence[torch.Tensor]) -> None:
        """An operation inside has run."""
        application.calls.append(call)
        self._made += map(ref, made)

    def leave(self) -> None:
        """No function is running: what the last one gave is known now."""
        running, self._running = self._running, None
        made, self._made = self._made, []
        if running is None:
            return
        applied, application = running
        for tensor in (one for reference in made if (one := reference()) is not None):
            node = tensor.grad_fn
            if node is not None and internals.forward_class(node) is applied.function:
                application.outputs[tensor.output_nr] = self._value(tensor)
                internals.notes(node)[self._key] = application

    def of(self, node: GradNode) -> Application | None:
        """The call of the function that a node is of."""
        known = internals.notes(node).get(self._key)
        return known if isinstance(known, Application) else None

    def forget(self, node: GradNode) -> None:
        """Let go of it: the node's graph will not run again."""
        internals.notes(node).pop(self._key, None)
