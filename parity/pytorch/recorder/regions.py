"""Modules that `torch.compile` made: each runs as it would have run, and is one opaque call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TypeAlias

import torch
from torch.utils.hooks import RemovableHandle

from parity.pytorch.recorder import internals
from parity.pytorch.recorder.calls import Calls

Done: TypeAlias = Callable[[object], None]


class Regions:
    """Records the compiled modules among the given ones."""

    def __init__(self, calls: Calls, modules: Iterable[torch.nn.Module]) -> None:
        self._calls, self._modules = calls, tuple(modules)
        self._handles: list[RemovableHandle] = []
        self._open: list[tuple[AbstractContextManager[Done], Done]] = []
        self.recording = False

    def enter(self) -> None:
        """Hook the compiled modules: the hooks run outside of what is compiled."""
        for module in {id(part): part for whole in self._modules for part in whole.modules()}.values():
            if internals.is_compiled(module):
                self._handles.append(module.register_forward_pre_hook(self._begins, with_kwargs=True))
                self._handles.append(
                    module.register_forward_hook(self._ended, with_kwargs=True, always_call=True)
                )

    def leave(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _begins(
        self, module: torch.nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        if not self.recording or self._calls.opaque:
            return
        given = {str(place): value for place, value in enumerate(args)} | dict(kwargs)
        manager = self._calls.region("compiled", module, given)
        self._open.append((manager, manager.__enter__()))

    def _ended(
        self, module: torch.nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object], found: object
    ) -> None:
        del module, args, kwargs
        if self._open:
            manager, done = self._open.pop()
            done(found)
            manager.__exit__(None, None, None)
