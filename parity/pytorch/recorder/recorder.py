"""The recorder: a program's own training, step by step, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import torch

from parity.pytorch.recorder import internals
from parity.pytorch.recorder.backwards import Backwards
from parity.pytorch.recorder.calls import Calls
from parity.pytorch.recorder.data import Backward, Call, Recorded, Step, Update
from parity.pytorch.recorder.places import Places
from parity.pytorch.recorder.regions import Regions
from parity.pytorch.recorder.snapshots import Snapshots
from parity.pytorch.recorder.steps import Steps
from parity.pytorch.recorder.updates import Updates

PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})


class _Mode(internals.DispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation before it runs."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Compiled code is to run compiled; under any other mode PyTorch runs it eagerly."""
        return True

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if not PLAIN.issuperset(types):  # a subclass: its own operations come back here one by one
            return NotImplemented
        return self._recorder._dispatch(func, args, kwargs or {})


class Recorder:
    """Records the steps of a training that runs while it is entered.

    A step is a backward pass that reaches a parameter of `modules` (of any leaf, where none are
    given), what led to it and the updates that followed, up to the next forward pass. `wanted` says
    which steps are recorded, by index; between them the program runs as if nobody looked.

    `on_step` is called with every recorded step, once the next one begins or the recorder is left;
    without it they are kept in `steps`. `on_call` is called as soon as an operation's outputs are
    final, `on_node` as soon as a node of a backward pass has run, with the pass and the node's id.
    `on_update` is called after every step of an optimizer; then the calls inside of it are not recorded.
    With `keep=False` a step holds no calls, and gradients and updates are let go once `on_node` and
    `on_update` have seen them.

    Raises UsageError for a tensor on a device whose numbers cannot be read.
    """

    def __init__(
        self,
        *modules: torch.nn.Module,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
        wanted: Callable[[int], bool] = lambda step: True,
        on_step: Callable[[Step], None] | None = None,
        on_call: Callable[[Call], None] | None = None,
        on_node: Callable[[Backward, int], None] | None = None,
        on_update: Callable[[Update], None] | None = None,
        keep: bool = True,
    ) -> None:
        self.steps: list[Step] = []
        self.recording = False
        optimizers = (
            (optimizer,) if isinstance(optimizer, torch.optim.Optimizer) else tuple(optimizer or ())
        )
        self._modules = modules  # they are known by their identity, so they must live as long
        self._places = Places(modules)
        self._snapshots = Snapshots()
        self._steps = Steps(
            self,
            wanted,
            on_step or self.steps.append,
            on_call,
            on_node,
            on_update,
            keep=keep,
            module_hooks=self._places.module_hooks,
        )
        self._calls = Calls(
            self._places, self._snapshots, self._steps.call, inside_updates=on_update is None
        )
        self._backwards = Backwards(self._calls, self._steps)
        self._updates = Updates(self._calls, optimizers, self._steps)
        self._regions = Regions(self._calls, self._steps.remark)
        self._mode, self._pushed, self._height = _Mode(self), False, 0

    def __enter__(self) -> Self:
        self._height = internals.stack_height()
        self._backwards.enter()
        self._updates.enter()
        self._regions.enter()
        if self._steps.wanted(0):
            self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._calls.settle()
            self._steps.end()
        finally:  # also where somebody who listens has heard enough, and raises
            self.pause()
            self.settle()
            self._regions.leave()
            self._updates.leave()
            self._backwards.leave()

    @property
    def devices(self) -> frozenset[str]:
        """The kinds of devices that tensors were on."""
        return frozenset(self._snapshots.devices)

    def recorded(self, tensor: torch.Tensor) -> Recorded:
        """A tensor as the calls that use it will show it."""
        return self._snapshots.take(tensor)

    def resume(self) -> None:
        """Record from here on, unless the program entered a dispatch mode since: modes are a stack."""
        if not self._pushed and internals.stack_height() == self._height:
            internals.enter(self._mode)
            self._pushed = True
        self.recording = self._regions.recording = self._pushed

    def pause(self) -> None:
        """Record no more. What is written from here on is not seen, so snapshots are made independent."""
        self.recording = self._regions.recording = False
        self._snapshots.freeze()

    def settle(self) -> None:
        """Leave the dispatch mode, if nothing is recorded. Inside an operation that is impossible."""
        if self._pushed and not self.recording and internals.is_top(self._mode):
            internals.leave(self._mode)
            self._pushed = False

    def _dispatch(
        self, operation: torch._ops.OpOverload, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        if not self._snapshots.reading:
            self._calls.settle()  # the last call may have been the first of a step that is not wanted
        if not self.recording or self._snapshots.reading or operation.namespace == "profiler":
            return operation(*args, **kwargs)
        return self._calls.run(operation, args, kwargs)
