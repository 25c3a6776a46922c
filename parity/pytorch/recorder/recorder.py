"""The recorder: a program's own training, step by step, as data."""

from __future__ import annotations

import threading
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
from parity.pytorch.recorder.updates import Updates

PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})


class _Mode(internals.DispatchMode):
    """Sees every operation before it runs."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
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
    With `keep=False` a step holds no calls, and gradients are let go once `on_node` has seen them.

    Raises UsageError for a tensor that is not on the CPU.
    """

    def __init__(
        self,
        *modules: torch.nn.Module,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
        wanted: Callable[[int], bool] | None = None,
        on_step: Callable[[Step], None] | None = None,
        on_call: Callable[[Call], None] | None = None,
        on_node: Callable[[Backward, int], None] | None = None,
        keep: bool = True,
    ) -> None:
        self.steps: list[Step] = []
        self.recording = False
        self._wanted = wanted or (lambda step: True)
        self._on_step, self._on_call, self._on_node = on_step or self.steps.append, on_call, on_node
        self._keep = keep
        self._modules = modules
        self._places = Places(modules)
        self._snapshots = Snapshots()
        self._calls = Calls(self._places, self._snapshots, self._called)
        self._backwards = Backwards(self._calls, self)
        one = (optimizer,) if isinstance(optimizer, torch.optim.Optimizer) else tuple(optimizer or ())
        self._updates = Updates(self._calls, one, self._updated)
        self._regions = Regions(self._calls, modules)
        self._mode = _Mode(self)
        self._pushed = False
        self._step = Step(0)
        self._list: list[Call] = []
        self._own = 0  # how many of these calls belong to the step for certain
        self._reached = False
        self._thread, self._height = 0, 0

    # --- Entering and leaving ------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread, self._height = threading.get_ident(), internals.stack_height()
        self._backwards.enter()
        self._updates.enter()
        self._regions.enter()
        if self._wanted(0):
            self._resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._calls.settle()
        if self._reached:
            self._deliver()
        self.recording = False
        self._pull()
        self._regions.leave()
        self._updates.leave()
        self._backwards.leave()
        self._snapshots.freeze()

    def recorded(self, tensor: torch.Tensor) -> Recorded:
        """A tensor as the calls that use it will show it."""
        return self._snapshots.take(tensor)

    def _resume(self) -> None:
        """Look again, unless the program is inside a dispatch mode of its own: modes are a stack."""
        if not self._pushed:
            if internals.stack_height() != self._height:
                return
            self._mode.__enter__()
            self._pushed = True
        self.recording = self._updates.recording = self._regions.recording = True

    def _pause(self) -> None:
        self.recording = self._updates.recording = self._regions.recording = False
        self._snapshots.freeze()  # what is written from now on is not seen
        self._list.clear()

    def _pull(self) -> None:
        if self._pushed and not self.recording and internals.is_top(self._mode):
            self._mode.__exit__(None, None, None)
            self._pushed = False

    # --- What is heard --------------------------------------------------------------------------------

    def _dispatch(
        self, operation: torch._ops.OpOverload, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        if not self.recording or self._snapshots.reading or operation.namespace == "profiler":
            return operation(*args, **kwargs)
        return self._calls.run(operation, args, kwargs)

    def _called(self, call: Call, *, begins: bool) -> None:
        if self._reached and begins:
            self._next()
            if not self.recording:
                return
        if self._keep:
            self._list.append(call)
        if self._on_call is not None:
            self._on_call(call)

    def begins(self, *, reaches: bool) -> None:
        """A backward pass is about to run. One that reaches a parameter begins a step, if the last did."""
        self._pull()
        if reaches and self._reached:
            self._next()

    def ended(self, *, reaches: bool) -> None:
        """A backward pass is over."""
        if reaches:
            self._reached = True
            self._own = len(self._list)
            if not self.recording and self._wanted(self._step.index + 1):
                self._resume()

    def backward(self, backward: Backward) -> None:
        """A backward pass was recorded."""
        self._step.backwards += (backward,)

    def node(self, backward: Backward, node: int) -> None:
        """A node of a backward pass ran."""
        if self._on_node is not None:
            self._on_node(backward, node)
        if not self._keep:
            backward.forget(node)

    def _updated(self, update: Update) -> None:
        self._step.updates += (update,)
        self._own = len(self._list)

    # --- Steps ----------------------------------------------------------------------------------------

    def _next(self) -> None:
        """The next step begins. Calls since the last update, or backward pass, belong to it."""
        later = self._list[self._own :]
        self._deliver()
        self._step = Step(self._step.index + 1)
        self._list, self._own, self._reached = later, 0, False
        if self.recording and not self._wanted(self._step.index):
            self._pause()

    def _deliver(self) -> None:
        step = self._step
        if not self._wanted(step.index):
            return
        step.calls = tuple(self._list[: self._own] if self._own else self._list)
        step.module_hooks = tuple(
            (path, kind)
            for reference, path in self._places.modules.values()
            if (module := reference()) is not None and not internals.is_compiled(module)
            for kind in internals.module_hooks(module)
        )
        self._on_step(step)
