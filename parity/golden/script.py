"""Goldens of watched scripts: recorded steps, certified again from the file alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from parity.errors import UsageError
from parity.golden import environment as causes
from parity.golden.format import MAX_BYTES, SCHEMA, Stored, new, write
from parity.golden.result import RecordedGolden
from parity.lockstep.environment import environment, require_torch
from parity.lockstep.result import Fact
from parity.lockstep.tracefile import Facts
from parity.pytorch.recorder.data import Call, Step
from parity.pytorch.recorder.frozen import Event, FrozenRecording, NodeRan, freeze, step_bytes_of
from parity.pytorch.recorder.thawed import thaw
from parity.render.texts.message import Message
from parity.watch.certifying import Certifying
from parity.watch.result import WatchResult
from parity.watch.script import EnoughError, readable, run_inside
from reference.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.pytorch.recorder.data import Backward

STEPS = 1
"""Default number of steps of a watched script that are recorded."""

SIDE = "torch"
"""The one side of a watched script."""


@dataclass(frozen=True)
class ScriptGolden(Stored):
    """The recorded steps of a script."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names of what need not be certified."""
        found = self.facts.get("accepted")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @cached_property
    def events(self) -> list[Event]:
        """What happened in the steps. Raises ValueError for a recording that is damaged."""
        tensors = {name: tensor for sides in self.steps for name, tensor in sides[SIDE].items()}
        tables = self.facts.get("recording")
        if not isinstance(tables, dict):
            raise ValueError(Message("golden_no_tables"))
        return thaw(tables, tensors)


def certified(
    events: Sequence[Event], accepted: Sequence[str], environment: Mapping[str, Fact]
) -> WatchResult:
    """Every operation of recorded steps, certified by the table of operations as it is now."""
    certifying = Certifying(accept=accepted)
    with np.errstate(all="ignore"):
        for event in events:
            if isinstance(event, Call):
                certifying.call(event)
            elif isinstance(event, NodeRan):
                certifying.node(*event)
            else:
                certifying.step(event)
    return certifying.result(environment)


class Tape:
    """Records the first `steps` steps of a training that runs while it is entered, and then ends it."""

    def __init__(self, steps: int) -> None:
        from parity.pytorch.recorder.recorder import Recorder

        self.events: list[Event] = []
        self.too_large = ""
        self._steps, self._count, self._size = steps, 0, 0
        self._recorder = Recorder(
            wanted=lambda step: step < steps,
            on_step=self._step,
            on_call=self.events.append,
            on_node=self._node,
        )

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

    def _node(self, passed: Backward, number: int) -> None:
        self.events.append(NodeRan(passed, number))

    def _step(self, step: Step) -> None:
        self.events.append(step)
        self._count += 1
        self._size += step_bytes_of(step)
        if self._size > MAX_BYTES:
            self.too_large = (
                f"its first {self._count:,} steps have {self._size / 2**20:,.0f} MiB of tensors; "
                f"a golden has at most {MAX_BYTES // 2**20}: "
                "take fewer steps, a smaller batch or a smaller model"
            )
        if self.too_large or self._count == self._steps:
            raise EnoughError


def record_script(
    script: Path, arguments: Sequence[str], path: Path, *, steps: int, accept: Sequence[str] = ()
) -> RecordedGolden:
    """Run a script up to the end of its step number `steps`, and freeze the steps if all of them hold.

    `accept` names what need not be certified. Raises UsageError for a script that is not there, that makes
    no step, that fails before, and for steps that are too large; EnvironmentUnfit without torch.
    """
    readable(script)
    new(path)
    require_torch()
    tape = Tape(steps)
    ending = run_inside(tape, script, arguments)
    if ending.interrupted:
        raise KeyboardInterrupt
    if tape.too_large:
        raise UsageError(Message("file_failed", file=script, reason=tape.too_large))
    found = sum(isinstance(event, Step) for event in tape.events)
    if ending.failed and found < steps:
        raise UsageError(Message("script_failed", script=script, step=found))
    if not found:
        raise UsageError(Message("script_no_step", script=script))
    frozen = freeze(tape.events)
    facts = environment(with_torch=True)
    events = thawed(frozen)
    result = certified(events, accept, facts)
    if result.verdict != "match":
        return RecordedGolden(path, "refused", result=result)
    known: Facts = {
        "schema": SCHEMA,
        "script": script.name,
        "accepted": list(accept),
        "environment": dict(causes.facts(facts)),
        "sides": [SIDE],
        "steps": found,
        "recording": frozen.tables,
    }
    digest = write(path, known, traces_of(frozen), _lines(events))
    return RecordedGolden(path, "recorded", digest, result)


def _lines(events: Sequence[Event]) -> list[str]:
    """The recorded calls, one a line."""
    calls = (event for event in events if isinstance(event, Call) and event.phase != "update")
    return [f"{call.operation}  {call.module}  {call.source}" for call in calls]


def traces_of(frozen: FrozenRecording) -> list[dict[str, Trace]]:
    """The tensors of a recording as the steps of a golden."""
    return [{SIDE: Trace(cast("dict[str, np.ndarray]", tensors))} for tensors in frozen.tensors]


def thawed(frozen: FrozenRecording) -> list[Event]:
    """What a golden of this recording would hold."""
    return thaw(frozen.tables, {name: one for step in frozen.tensors for name, one in step.items()})
