"""What a report keeps of a run: a bounded number of whole steps, and two curves over all of them.

A `Recording` is all that the page needs beside the `Result`; it can be saved and loaded, so that a
page can be made again elsewhere, without PyTorch and without another run.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from parity.errors import QuestionError
from parity.files import written_whole
from parity.lockstep import Moment
from parity.result import Result
from reference.arrays import Array
from reference.trace import Trace

SCHEMA = "parity-recording/1"
MAX_STEPS = 8
"""Steps that a report shows in full: a person looks at no more, and a page must stay small."""
MAX_POINTS = 400
"""Points of a curve: more than a screen has room for is thinned to every second one."""


@dataclass(frozen=True)
class Curve:
    """At `step`: the loss of every side, and the largest share of its bound that any number used."""

    step: int
    loss: dict[str, float]
    worst: float


@dataclass(frozen=True)
class Recording:
    """Whole steps by number, each side's trace by its name; and the curves."""

    steps: dict[int, dict[str, Trace]]
    curve: list[Curve] = field(default_factory=list)

    def save(self, path: Path, result: Result) -> None:
        """Write tensors `{step}/{side}/{name}` and, as metadata, the result and the curves."""
        tensors: dict[str, Array] = {
            f"{step}/{side}/{name}": np.array(tensor, order="C")
            for step, traces in self.steps.items()
            for side, trace in traces.items()
            for name, tensor in trace.items()
        }
        facts: dict[str, JsonValue] = {
            "schema": SCHEMA,
            "result": json.loads(result.to_json()),
            "curve": [{"step": c.step, "loss": dict(c.loss), "worst": str(c.worst)} for c in self.curve],
        }
        canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        with written_whole(path) as temporary:
            save_file(tensors, temporary, metadata={"parity": canonical})


def load(path: Path) -> tuple[Result, Recording]:
    """A saved recording and its result. Raises QuestionError for a file that is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})["parity"])
            steps: dict[int, dict[str, Trace]] = {}
            for key in file.keys():  # noqa: SIM118  (it is no dict, and cannot be iterated)
                step, side, name = key.split("/", 2)
                steps.setdefault(int(step), {}).setdefault(side, Trace())[name] = file.get_tensor(key)
        result = Result.model_validate(facts["result"])
        curve = [Curve(c["step"], c["loss"], float(c["worst"])) for c in facts["curve"]]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise QuestionError(f"{path}: not a recording: {error}") from None
    order = ["subject", "reference", "torch"]
    for step, traces in steps.items():
        known = sorted(traces, key=lambda side: order.index(side) if side in order else 1)
        steps[step] = {side: traces[side] for side in known}
    return result, Recording(dict(sorted(steps.items())), curve)


class Recorder:
    """An observer of the lockstep: keeps some steps, ever wider apart, the last, and the first alarm."""

    def __init__(self, planned: int, most: int = MAX_STEPS) -> None:
        self._wanted = spread(planned, most)
        self._alarmed = False
        self._every = max(1, -(-planned // MAX_POINTS))
        self._recording = Recording({})

    def __call__(self, moment: Moment) -> None:
        losses = {side: float(trace["loss"]) for side, trace in moment.traces.items() if "loss" in trace}
        bad = not moment.worst_ratio <= 1 or not all(map(math.isfinite, losses.values()))
        news = bad and not self._alarmed
        self._alarmed = self._alarmed or bad
        if moment.step in self._wanted or news:
            self._recording.steps[moment.step] = {side: t.kept() for side, t in moment.traces.items()}
        if moment.step % self._every == 0 or moment.step in self._wanted or news:
            self._recording.curve.append(Curve(moment.step, losses, moment.worst_ratio))

    def recording(self) -> Recording:
        """What was kept so far."""
        return self._recording


def spread(planned: int, most: int = MAX_STEPS) -> frozenset[int]:
    """Which of `planned` steps to keep, at most `most` (3 or more): ever wider apart, and the last."""
    if planned <= most:
        return frozenset(range(planned))
    gaps = max(1, most - 2)
    return frozenset({0, planned - 1, *(round((planned - 1) ** (i / gaps)) for i in range(most - 1))})
