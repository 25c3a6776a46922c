"""Reads a saved run, a golden or a trace file, as steps of sides and the network that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from parity.config.case import described
from parity.errors import UsageError
from parity.golden.reader import read as read_golden
from parity.golden.script import ScriptGolden
from parity.lockstep import tracefile
from parity.lockstep.result import Fact
from parity.lockstep.tracefile import Steps, TraceFileError
from parity.render.texts.message import Message
from reference.architecture import Architecture


@dataclass(frozen=True)
class SavedRun:
    """A run as it was saved: the recorded steps of each side, with the network, η and the environment."""

    name: str
    steps: Steps
    architecture: Architecture
    lr: float
    findings: tuple[str, ...]  # names of accepted deviations of PyTorch
    config: Mapping[str, JsonValue]
    environment: Mapping[str, Fact]

    @property
    def sides(self) -> list[str]:
        """Every side of the first step."""
        return list(next(iter(self.steps.values())))


def read(path: Path) -> SavedRun:
    """A golden, or a trace file of `parity run --trace`. Raises UsageError for anything else."""
    try:
        file = tracefile.read(path)
        if file.facts.get("schema") != tracefile.SCHEMA:
            return _golden(path)
        steps, config = file.steps(), file.table("config")
        environment = file.facts.get("environment")
    except (OSError, TraceFileError) as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    if not steps:
        raise UsageError(Message("saved_no_steps", file=path))
    try:
        trace = next(iter(next(iter(steps.values())).values()))
        known = described(config, trace["y"].shape[0])
    except (UsageError, KeyError, IndexError):
        raise UsageError(Message("trace_no_network", file=path)) from None
    given = environment if isinstance(environment, dict) else {}
    facts = {k: v for k, v in given.items() if v is None or isinstance(v, str | int | float)}
    return SavedRun(str(path), steps, known.architecture, known.lr, known.findings, config, facts)


def _golden(path: Path) -> SavedRun:
    """A golden of a run. Raises UsageError for one of a watched script, which has no network."""
    golden = read_golden(path)
    if isinstance(golden, ScriptGolden):
        raise UsageError(Message("saved_script", file=path))
    case, steps = golden.case, dict(enumerate(golden.steps))
    config = golden.config.to_json()
    name = str(path)
    return SavedRun(name, steps, case.architecture, case.lr, case.findings, config, golden.environment)
