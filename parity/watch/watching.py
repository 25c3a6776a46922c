"""Watching a training while it runs: recorded, checked as it goes, and let go."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Self

from parity.errors import UsageError
from parity.lockstep.environment import environment
from parity.watch import checks
from parity.watch.result import WatchResult
from parity.watch.tally import WatchTally
from parity.watch.updates import updated

if TYPE_CHECKING:
    import torch

    from parity.pytorch.recorder.data import Backward, Call, Recorded, Step

STEPS = 3
"""How many steps are certified where nobody says."""


class Watching:
    """Certifies the steps of a training that runs while it is entered; `result` is there afterwards.

    A step is a backward pass that reaches a parameter, what led to it and the updates that follow.
    `steps` of them are certified, from step `first` on, every `every`-th; None is all. `sample` is the
    share of the tensors that are certified, drawn anew in each step. `accept` names what need not be
    certified: an operation, or opaque, unsupported, altered. `seen` is called after each certified step.
    """

    def __init__(
        self,
        *modules: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        steps: int | None = None,
        first: int = 0,
        every: int = 1,
        sample: float | None = None,
        accept: Collection[str] = (),
        seen: Callable[[int], None] | None = None,
    ) -> None:
        """Raises UsageError for numbers that make no sense."""
        from parity.pytorch.recorder.recorder import Recorder

        if every < 1 or first < 0 or (steps is not None and steps < 1):
            raise UsageError("watch: steps and every are at least 1, and the first step is 0 or later")
        if sample is not None and not 0 < sample <= 1:
            raise UsageError(f"watch: sample is a share above 0 and up to 1, not {sample}")
        self._wanted = lambda step: (
            step >= first
            and (step - first) % every == 0
            and (steps is None or (step - first) // every < steps)
        )
        self._share, self._random = sample, random.Random(0)
        self._tally, self._seen = WatchTally(accept, sample or 1.0), seen
        self._recorder = Recorder(
            *modules,
            optimizer=optimizer,
            wanted=self._wanted,
            on_step=self._step,
            on_call=self._call,
            on_node=self._node,
            keep=False,
        )
        self._result: WatchResult | None = None
        self.reason: str | None = None

    def __enter__(self) -> Self:
        self._recorder.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recorder.__exit__(kind, error, trace)
        if error is not None and self.reason is None:
            self.reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        self._result = self._tally.result(environment(with_torch=True), self.reason)

    @property
    def result(self) -> WatchResult:
        """What was found. Raises UsageError before the training is over."""
        if self._result is None:
            raise UsageError("watch: there is no result before the end of the `with` block")
        return self._result

    def verify(self) -> WatchResult:
        """The result. Raises Mismatch where an operation is not its formula, or is not certified."""
        return self.result.verify()

    def _drawn(self, tensor: Recorded) -> bool:
        """Whether a tensor is to be checked: those without numbers are not."""
        return 0 not in tensor.shape and (self._share is None or self._random.random() < self._share)

    def _call(self, call: Call) -> None:
        if call.phase != "update":  # an optimizer's step is held to its rules, as a whole
            self._tally.operation(checks.forward(call, self._drawn))

    def _node(self, passed: Backward, number: int) -> None:
        self._tally.operation(checks.backward(passed, number, self._drawn))

    def _step(self, step: Step) -> None:
        for update in step.updates:
            self._tally.operation(updated(update))
        self._tally.steps += 1
        if self._seen is not None:
            self._seen(self._tally.steps)
