"""What a training did, as it comes: every call, node and step certified, and counted."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parity.lockstep.result import Fact
from parity.pytorch.recorder.data import Backward, Call, Recorded, Step, Update
from parity.watch import checks
from parity.watch.check import Check, Found
from parity.watch.drawing import Drawing, StepGraph
from parity.watch.extent import Extent
from parity.watch.result import WatchResult
from parity.watch.tally import Evidence, WatchTally
from parity.watch.updates import updated
from parity.watch.writes import Writes


@dataclass(frozen=True)
class Witnessed:
    """What a page shows beside the result: what each of its rows rests on, and the first step's graph."""

    evidence: Sequence[Evidence]
    graph: StepGraph


class Certifying:
    """Certifies what it is told of, in the order of execution. It needs no torch.

    `sample` is the share of the tensors that are certified, drawn anew in each step; `accept` names what
    need not be certified.
    """

    def __init__(self, *, sample: float | None = None, accept: Collection[str] = ()) -> None:
        self._share, self._random = sample, random.Random(0)
        self._tally = WatchTally(accept, sample or 1.0)
        self._extent, self._drawing, self._writes = Extent(), Drawing(), Writes()
        self._updates: list[Found] = []  # of the step that is being made

    @property
    def steps(self) -> int:
        """How many steps are over."""
        return self._tally.steps

    def call(self, call: Call) -> None:
        """An operation ran."""
        self._writes.saw(call)
        if call.phase == "update":  # an optimizer's step is held to its rules, as a whole
            self._extent.inside_update(call)
        else:
            self._extent.call(call, list(checks.forward(call, self._drawn)))

    def node(self, passed: Backward, number: int) -> None:
        """Autograd went back through a node."""
        self._drawing.node(passed, number)
        self._extent.node(passed, number, list(checks.backward(passed, number, self._drawn, self._writes)))

    def update(self, update: Update) -> None:
        """An optimizer made a step."""
        self._extent.update(update)
        self._updates.append(list(updated(update, self._drawn)))

    def step(self, step: Step) -> None:
        """A step is over. What it still has of its updates was not told before."""
        for update in step.updates:
            if update.parameters:
                self.update(update)
        self._tally.step = step.index
        self._enter(self._extent.step(step))
        for found in self._updates:
            self._tally.operation(found)
        self._updates.clear()
        self._writes.forget()
        self._tally.steps += 1
        self._drawing.end()

    def end(self) -> None:
        """The training is over."""
        self._enter(self._extent.rest())

    def result(self, environment: Mapping[str, Fact], reason: str | None = None) -> WatchResult:
        """What all of it comes to."""
        return self._tally.result(environment, reason)

    @property
    def witnessed(self) -> Witnessed:
        """What the result rests on."""
        return Witnessed(self._tally.evidence, self._drawing.graph)

    def _enter(self, found: Iterable[tuple[Found, bool]]) -> None:
        """Of what belongs to no step, only what could be checked."""
        for one, own in found:
            if own:
                self._tally.operation(one)
            else:
                for check in one:
                    if isinstance(check, Check):
                        self._tally.check(check)

    def _drawn(self, tensor: Recorded) -> bool:
        """Whether a tensor is to be checked: those without numbers are not."""
        return 0 not in tensor.shape and (self._share is None or self._random.random() < self._share)
