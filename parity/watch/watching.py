"""Watching a training while it runs: recorded, checked as it goes, and let go."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from parity.errors import UsageError
from parity.lockstep.environment import environment
from parity.render.texts.message import Message
from parity.watch.certifying import Certifying, Witnessed
from parity.watch.ranks.exchange import Exchange, Store
from parity.watch.result import WatchResult

if TYPE_CHECKING:
    import torch

    from parity.pytorch.recorder.data import Step

STEPS = 3
"""How many steps are certified where nobody says."""


class Watching:
    """Certifies the steps of a training that runs while it is entered; `result` is there afterwards.

    A step is a backward pass that reaches a parameter, what led to it and the updates that follow.
    `steps` of them are certified, from step `first` on, every `every`-th; None is all. `sample` is the
    share of the tensors that are certified, drawn anew in each step. `accept` names what need not be
    certified: an operation, or opaque, unsupported, altered. `seen` is called after each certified step;
    `finish` is given the result and what it rests on, and may add pages to it.
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
        probes: bool = False,
        seen: Callable[[int], None] | None = None,
        finish: Callable[[WatchResult, Witnessed], WatchResult] = lambda result, witnessed: result,
    ) -> None:
        """Raises UsageError for numbers that make no sense."""
        from parity.pytorch.recorder.recorder import Recorder

        if every < 1 or first < 0 or (steps is not None and steps < 1):
            raise UsageError(Message("watch_numbers"))
        if sample is not None and not 0 < sample <= 1:
            raise UsageError(Message("watch_sample", value=sample))
        self._wanted = lambda step: (
            step >= first
            and (step - first) % every == 0
            and (steps is None or (step - first) // every < steps)
        )
        self._certifying = Certifying(sample=sample, accept=accept, meet=_meet, probes=probes)
        self._seen, self._finish = seen, finish
        self._recorder = Recorder(
            *modules,
            optimizer=optimizer,
            wanted=self._wanted,
            on_step=self._step,
            on_call=self._certifying.call,
            on_node=self._certifying.node,
            on_update=self._certifying.update,
            keep=False,
        )
        self._result: WatchResult | None = None

    def __enter__(self) -> Self:
        self._recorder.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from parity.pytorch.devices import arithmetic_of

        self._recorder.__exit__(kind, error, trace)
        self._certifying.end()
        reason = _why(error)
        if reason is None and not self._certifying.steps:
            reason = Message("watch_no_step")
        devices = arithmetic_of(self._recorder.devices)
        result = self._certifying.result(environment(with_torch=True), reason, devices)
        self._result = self._finish(result, self._certifying.witnessed)

    @property
    def result(self) -> WatchResult:
        """What was found. Raises UsageError before the training is over."""
        if self._result is None:
            raise UsageError(Message("watch_no_result"))
        return self._result

    def part(self) -> None:
        """The result has been shown: rank 0 lets the other ranks end, and these wait until it does."""
        self._certifying.part()

    def verify(self) -> WatchResult:
        """The result. Raises Mismatch where an operation is not its formula, or is not certified."""
        return self.result.verify()

    def _step(self, step: Step) -> None:
        self._certifying.step(step)
        if self._seen is not None:
            self._seen(self._certifying.steps)


def _meet() -> Exchange | None:
    """The other ranks of the process group that there is."""
    from parity.pytorch.recorder import internals

    rank, ranks = internals.ranks()
    return Exchange(cast("Store", internals.store()), rank, ranks) if ranks > 1 else None


def _why(error: BaseException | None) -> str | None:
    """Why watching ended early. What is no Exception ends a program that may be content."""
    if isinstance(error, KeyboardInterrupt):
        return Message("watch_interrupted")
    if not isinstance(error, Exception) and not (isinstance(error, SystemExit) and error.code):
        return None
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
