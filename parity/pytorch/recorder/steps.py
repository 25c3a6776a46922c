"""Steps out of what is heard: which call, pass and update belongs to which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Protocol

from parity.pytorch.recorder.data import Backward, Call, Step, Update


class Switch(Protocol):
    """What turns recording on and off."""

    recording: bool

    def resume(self) -> None:
        """Record from here on."""

    def pause(self) -> None:
        """Record no more."""

    def settle(self) -> None:
        """No operation is running: what could not be turned off inside of one is turned off now."""


class Steps:
    """The step that is being made, handed on once the next one begins."""

    def __init__(
        self,
        switch: Switch,
        wanted: Callable[[int], bool],
        on_step: Callable[[Step], None],
        on_call: Callable[[Call], None] | None,
        on_node: Callable[[Backward, int], None] | None,
        on_update: Callable[[Update], None] | None,
        *,
        keep: bool,
        module_hooks: Callable[[], tuple[tuple[str, str], ...]],
    ) -> None:
        self.wanted = cache(wanted)
        self._switch, self._keep, self._module_hooks = switch, keep, module_hooks
        self._on_step, self._on_call, self._on_node, self._on_update = on_step, on_call, on_node, on_update
        self._step = Step(0)
        self._calls: list[Call] = []
        self._own = 0  # how many of these calls are the step's for certain
        self._reached = False

    @property
    def recording(self) -> bool:
        """Whether what happens now is recorded."""
        return self._switch.recording

    def call(self, call: Call, *, begins: bool) -> None:
        """A call was recorded. After a backward pass the first one of a forward pass begins a step."""
        if self._reached and begins:
            self._next()
            if not self.recording:
                return
        if self._keep:
            self._calls.append(call)
        if self._on_call is not None:
            self._on_call(call)

    def begins(self, *, reaches: bool) -> None:
        """A backward pass is about to run. One that reaches a parameter begins a step, if the last did."""
        self._switch.settle()
        if reaches and self._reached:
            self._next()

    def ended(self, *, reaches: bool) -> None:
        """A backward pass is over."""
        if reaches:
            self._reached, self._own = True, len(self._calls)
            if not self.recording and self.wanted(self._step.index + 1):
                self._switch.resume()

    def backward(self, backward: Backward) -> None:
        """A backward pass was recorded."""
        self._step.backwards += (backward,)

    def node(self, backward: Backward, node: int) -> None:
        """A node of a backward pass ran."""
        if self._on_node is not None:
            self._on_node(backward, node)
        if not self._keep:
            backward.forget(node)

    def update(self, update: Update) -> None:
        """An optimizer made a step."""
        if self._on_update is not None:
            self._on_update(update)
            update = update if self._keep else replace(update, parameters=())
        self._step.updates += (update,)
        self._own = len(self._calls)

    def remark(self, text: str) -> None:
        """Something happened that could not be recorded."""
        if text not in self._step.remarks:
            self._step.remarks += (text,)

    def end(self) -> None:
        """The program is over, or nobody records it any more."""
        if self._reached:
            self._deliver(self._step, self._calls)

    def _next(self) -> None:
        """The next step begins: the calls since the last update, or backward pass, are its own."""
        over, calls = self._step, self._calls[: self._own]
        self._step, self._calls = Step(over.index + 1), self._calls[self._own :]
        self._own, self._reached = 0, False
        self._deliver(over, calls)  # who is told may end the program
        del over, calls
        if self.recording and not self.wanted(self._step.index):
            self._switch.pause()
            self._calls = []

    def _deliver(self, step: Step, calls: list[Call]) -> None:
        if self.wanted(step.index):
            step.calls, step.module_hooks = tuple(calls), self._module_hooks()
            self._on_step(step)
