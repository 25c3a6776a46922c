"""A run with all that is kept of it: the steps that its page shows, and a trace file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from parity.config.case import Case
from parity.config.config import Config
from parity.lockstep import run as lockstep_run
from parity.lockstep.lockstep import Certify, Observer
from parity.lockstep.result import Result
from parity.lockstep.run import Peer
from parity.lockstep.tracefile import TraceRecorder
from parity.report import write
from parity.report.recorder import PageRecorder
from reference.architecture import Architecture


@dataclass(frozen=True)
class Keep:
    """What to keep of a run: steps for the result's `report`; every K-th step, whole, in a trace file."""

    pages: bool = True
    trace: Path | None = None
    every: int = 1


def run(
    config: Config,
    keep: Keep,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    *,
    keep_going: bool = False,
    certify: str = "every",
    threads: int = 1,
    witness: bool = False,
    reproduce: str | None = None,
    peer: Peer | None = None,
) -> Result:
    """Run a config's case, or a peer's, as `parity.lockstep.run.run` does; the result can report itself.

    Raises UsageError and EnvironmentUnfit as that does.
    """
    pages: list[PageRecorder] = []
    traces: list[TraceRecorder] = []

    def all_observers(case: Case) -> list[Observer]:
        if keep.pages and isinstance(case.architecture, Architecture):  # the lesson is about layers
            pages.append(PageRecorder.of(case))
        if keep.trace:
            traces.append(TraceRecorder(keep.trace, case, sides=2, every=keep.every))
        return [*traces, *pages, *observers(case)]

    result = lockstep_run.run(
        config,
        all_observers,
        keep_going=keep_going,
        certify=Certify.parse(certify),
        threads=threads,
        witness=witness,
        reproduce=reproduce,
        peer=peer,
    )
    facts: dict[str, JsonValue] = {"config": result.config, "environment": dict(result.environment)}
    facts["seed"] = config.training.seed
    for recorder in traces:
        recorder.write(facts)
    if not pages:
        return result
    kept = pages[0]
    return result.with_pages(lambda folder, lang: write(result, kept.recording(), folder, lang))
