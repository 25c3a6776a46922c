"""Trace files: the tensors of a run as safetensors, named `{step}/{side}/{name}`; no pickle anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import JsonValue
from safetensors.numpy import save_file

from parity.config.case import Case
from parity.errors import UsageError
from parity.lockstep.lockstep import TrainingStep
from parity.render.files import written_whole
from reference.arrays import Array
from reference.equations import shapes

SCHEMA = "parity-trace/1"
MAX_BYTES = 4 * 2**30
"""A trace is kept in memory until it is written whole; more than this is a slip of the keyboard."""


class TraceRecorder:
    """An observer of the lockstep that keeps every K-th step of every side, and writes them at the end."""

    def __init__(self, path: Path, case: Case, sides: int, every: int = 1) -> None:
        """Raises UsageError if the trace of all steps would not fit; better now than hours later."""
        self.path, self.every = path, every
        self._tensors: dict[str, Array] = {}
        batch = min(case.batch or case.x.shape[1], case.x.shape[1])
        numbers = sum(int(np.prod(shape)) for shape in shapes(case.architecture, batch).values())
        size = numbers * np.dtype(case.architecture.dtype).itemsize * sides * -(-case.steps // every)
        if size > MAX_BYTES:
            fewer = -(-case.steps // max(1, MAX_BYTES * every // size * (case.steps // every) or 1))
            raise UsageError(
                f"--trace: {size / 2**30:.1f} GiB of tensors; keep fewer with --trace-every {fewer} or more"
            )

    def __call__(self, seen: TrainingStep) -> None:
        if seen.step % self.every == 0:
            for side, trace in seen.traces.items():
                for name, tensor in trace.items():
                    self._tensors[f"{seen.step}/{side}/{name}"] = np.array(tensor, order="C")

    def write(self, facts: dict[str, JsonValue]) -> None:
        """Write the file: one metadata key, `parity`, holding canonical JSON."""
        canonical = json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, separators=(",", ":"))
        with written_whole(self.path) as temporary:
            save_file(self._tensors, temporary, metadata={"parity": canonical})
