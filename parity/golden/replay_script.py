"""Replays the golden of a watched script: its operations are certified again, and run again by PyTorch.

The first gate needs the file alone: every recorded tensor, forward and backward, accumulated and updated,
is its formula of the recorded operands, by today's table of operations. For the second, today's PyTorch
runs every forward operation on the recorded operands, and its results are certified, and compared bit by
bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from parity.errors import UsageError
from parity.golden import bits
from parity.golden import environment as causes
from parity.golden.result import BitDifference, Cause, Replay
from parity.golden.script import SIDE, ScriptGolden, certified
from parity.pytorch.recorder.data import Call, Recorded, Step, flat
from parity.render.texts.message import Message
from parity.watch import checks
from parity.watch.check import Left, short
from parity.watch.result import WatchResult
from parity.watch.tally import WatchTally


def replay_script(
    golden: ScriptGolden,
    name: str,
    *,
    torch: bool,
    bitwise: bool = False,
    threads: int = 1,
    reproduce: str | None = None,
) -> Replay:
    """Certify a golden's operations again; with `torch`, run its forward operations again too."""
    if bitwise and not torch:
        raise UsageError(Message("bitwise_torch_only", file=name))
    with causes.fit(with_torch=torch, threads=threads) as facts:
        now = causes.facts(facts)
        operations = certified(golden.events, golden.accepted, now)
        again = _Again(golden) if torch else None
    results = [operations, *([again.tally.result(now)] if again and again.tally.seen else [])]
    differing = again.differing if again else 0
    return Replay(
        golden=name,
        digest=golden.digest,
        verdict="mismatch" if bitwise and differing else _gravest(results),
        steps=len(golden.steps),
        bitwise=bitwise,
        tensors_compared=sum(row.calls for result in results for row in result.rows),
        numbers_compared=sum(result.numbers_compared for result in results),
        undecided=sum(result.undecided for result in results),
        bits_compared=again.numbers if again else 0,
        differing=differing,
        first_divergence=None,
        first_difference=again.first_difference if again else None,
        formulas=[],
        against_golden=[],
        wrong_formulas=[],
        causes=[
            Cause(side=SIDE, fact=fact, then=before, now=after)
            for fact, (before, after) in causes.changes(SIDE, golden.environment, now).items()
            if torch
        ],
        reproduce=reproduce,
        contract=operations.contract,
        recorded=golden.environment,
        environment=now,
        config={"script": golden.facts.get("script"), "accepted": list(golden.accepted)},
        torch_side="calls" if torch else None,
        operations=operations,
        operations_again=results[1] if len(results) > 1 else None,
    )


def _gravest(results: list[WatchResult]) -> Literal["match", "mismatch", "undecided", "incomplete"]:
    """The worst verdict; of what ran again nothing need be decided where all of it is movement."""
    verdicts = {result.verdict for result in results}
    if "mismatch" in verdicts:
        return "mismatch"
    return "incomplete" if "incomplete" in verdicts else results[0].verdict


class _Again:
    """The forward operations of a golden, run again by today's PyTorch."""

    def __init__(self, golden: ScriptGolden) -> None:
        self.tally = WatchTally(golden.accepted)
        self.numbers = self.differing = 0
        self.first_difference: BitDifference | None = None
        steps = iter([event.index for event in golden.events if isinstance(event, Step)])
        self.tally.step = next(steps)
        with np.errstate(all="ignore"):
            for event in golden.events:
                if isinstance(event, Call):
                    self._call(event)
                elif isinstance(event, Step):
                    self.tally.steps += 1
                    self.tally.step = next(steps, self.tally.step)

    def _call(self, call: Call) -> None:
        from parity.pytorch.again import call_again, can_run_again

        if call.phase == "update" or not can_run_again(call):
            return
        try:
            here = call_again(call)
        except Exception:  # whatever PyTorch raises today
            self.tally.operation([Left(call.operation, "unsupported", call.module, call.source)])
            return
        self.tally.operation(list(checks.forward(here, lambda tensor: 0 not in tensor.shape)))
        for then, now in zip(_made(call), _made(here), strict=False):
            self._compare(call, then, now)

    def _compare(self, call: Call, then: Recorded, now: Recorded) -> None:
        """Bit by bit; a result of another shape or format is no formula's."""
        if then.dtype != now.dtype or then.shape != now.shape or then.array.dtype.kind == "c":
            return
        found = bits.compare(np.asarray(then.array), np.asarray(now.array))
        self.numbers += then.array.size
        self.differing += found.differing
        if found.index is not None and self.first_difference is None:
            where = ", ".join(filter(None, (call.module, call.source)))
            self.first_difference = BitDifference(
                step=self.tally.step,
                side=SIDE,
                quantity=f"{short(call.operation)} ({where})",
                layer=None,
                index=list(found.index),
                golden=float(then.array[found.index]),
                here=float(now.array[found.index]),
                ulps=found.ulps,
            )


def _made(call: Call) -> Iterator[Recorded]:
    """What a call made, and what it wrote to."""
    yield from call.tensors()
    yield from flat(tuple(call.written.values()))
