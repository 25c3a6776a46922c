"""What a training did, as it comes: every call, node and step certified, and counted."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parity.lockstep.result import Fact
from parity.pytorch.recorder.data import Backward, Call, Recorded, Step, Update
from parity.watch import checks
from parity.watch.check import Check, Found, Left, guarded
from parity.watch.drawing import Drawing, StepGraph
from parity.watch.extent import Extent
from parity.watch.functions import PassedFunction, composed
from parity.watch.ranks.joining import Joining, Meet, alone
from parity.watch.ranks.making import is_held
from parity.watch.regions import PassedRegion
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
    """Certifies what it is told of, in the order of execution. It needs no torch, but to run a definition.

    `sample` is the share of the tensors that are certified, drawn anew in each step; `accept` names what
    need not be certified. `meet` finds the other ranks of a training. With `probes` every operation inside
    of compiled regions is certified too, in a program of its own.
    """

    def __init__(
        self,
        *,
        sample: float | None = None,
        accept: Collection[str] = (),
        meet: Meet = alone,
        probes: bool = False,
    ) -> None:
        self._share, self._random = sample, random.Random(0)
        self._tally = WatchTally(accept, sample or 1.0)
        self._extent, self._drawing, self._writes = Extent(), Drawing(), Writes()
        self._updates: list[Found] = []  # of the step that is being made
        self._accept = accept
        self._joining = Joining(meet, self._tally, self._drawn, frozenset(accept))
        self._waiting: list[PassedFunction] = []  # the same of functions with a registered definition
        self._regions: dict[tuple[int, int], PassedRegion] = {}  # that a pass is inside of
        self._probes, self._probed = probes, list[tuple[int, PassedRegion]]()
        self._registered: list[tuple[int, PassedFunction]] = []  # and the index of their step

    @property
    def steps(self) -> int:
        """How many steps are over."""
        return self._tally.steps

    def call(self, call: Call) -> None:
        """An operation ran."""
        self._writes.saw(call)
        self._joining.making.call(call)
        if is_held(call):  # by all ranks together
            self._extent.call(call, [])
        elif call.phase == "update":  # an optimizer's step is held to its rules, as a whole
            self._extent.inside_update(call)
        else:
            self._extent.call(call, list(checks.forward(call, self._drawn)))

    def node(self, passed: Backward, number: int) -> None:
        """Autograd went back through a node."""
        self._drawing.node(passed, number)
        self._joining.node(passed, number)
        found = checks.backward(passed, number, self._drawn, self._writes, self._custom, self._compiled)
        self._extent.node(passed, number, list(found))

    def _custom(self, function: PassedFunction) -> Iterable[Check | Left]:
        """A function of the user's own: accepted as it is, or held to a definition, now or at the end."""
        if function.name in self._accept:
            return [function.opaque]
        if function.definition is None:
            return composed(function, self._drawn)
        self._waiting.append(function)
        return []

    def _compiled(self, passed: Backward, number: int, call: Call) -> Iterable[Check | Left]:
        """A compiled region, once autograd went back through all of it."""
        key = id(passed), id(call)
        region = self._regions.setdefault(key, PassedRegion.of(passed, call))
        if not region.node(passed, number):
            return []
        del self._regions[key]
        if self._probes:
            self._probed.append((self._tally.steps, region))
        return region.checks(self._drawn)

    def update(self, update: Update) -> None:
        """An optimizer made a step."""
        self._extent.update(update)
        self._joining.making.update(update)
        self._updates.append(list(updated(update, self._drawn)))

    def step(self, step: Step) -> None:
        """A step is over. What it still has of its updates was not told before."""
        for update in step.updates:
            if update.parameters:
                self.update(update)
        self._tally.step = step.index
        self._registered += [(step.index, function) for function in self._waiting]
        self._waiting.clear()
        self._regions.clear()
        self._enter(self._extent.step(step))
        for remark in step.remarks:
            self._tally.operation([Left(remark, "unsupported", "", "")])
        for found in self._updates:
            self._tally.operation(found)
        self._updates.clear()
        self._joining.step(step)
        self._writes.forget()
        self._tally.steps += 1
        self._drawing.end()

    def end(self) -> None:
        """The training is over, and nothing is recorded any more: now registered definitions can run."""
        self._enter(self._extent.rest())
        for step, region in self._probed:
            from parity.watch.probes import probed

            where = region.call.operation, region.call.module, region.call.source
            self._certify(step, guarded(probed(region, self._drawn), *where))
            self._tally.probed += 1
        self._joining.end()
        for step, function in self._registered:
            from parity.watch.registered import held

            found = held(function, self._drawn)
            self._certify(step, guarded(found, function.name, function.module, function.source))

    def _certify(self, step: int, found: Iterable[Check | Left]) -> None:
        """Enter what was found late of a step that is over."""
        self._tally.step = step
        for one in found:
            if isinstance(one, Check):
                self._tally.check(one)
            else:
                self._tally.operation([one])

    def result(
        self,
        environment: Mapping[str, Fact],
        reason: str | None = None,
        arithmetic: Mapping[str, Fact] | None = None,
    ) -> WatchResult:
        """What all of it comes to; on rank 0 of several, with what the others came to.

        `arithmetic` is what the contract says of devices.
        """
        self._joining.hear(failed=reason is not None)
        found = self._tally.result(environment, reason, arithmetic)
        self._joining.tell(found)
        return found

    def part(self) -> None:
        """Nothing more is to be shown: all ranks may end."""
        self._joining.part()

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
