"""Which line of somebody's `step` last assigned each tensor that it shows: `tracer.py FOLDER REQUEST`.

Python tells a trace function of every line that runs. After each, the arrays that the frames of the
subject's own file can reach are looked at: a new one, or one with other numbers, was made by that line.
In a process of its own this stands alone, as `worker.py` beside it does, and writes `lines0.json`, …
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MOST_LINES = 200_000
"""Lines that are followed; of a program that runs more, nothing is said."""

MOST_ARRAYS = 1000
"""Arrays of one call that are given out with their lines."""


class LineTracer:
    """Follows one call of a function. `lines` has, by the tensor's name, the line that made it."""

    def __init__(self, file: str) -> None:
        self.file, self.lines = os.path.abspath(file), dict[str, int]()
        self._made: dict[int, tuple[object, bytes, int]] = {}
        self._at: dict[FrameType, int] = {}
        self._run = 0

    def call(self, function: Callable[..., object], *arguments: object) -> object:
        """What the function returns; the lines are noted on the way."""
        before = sys.gettrace()
        self._look(arguments, 0)
        sys.settrace(self._called)
        try:
            answer = function(*arguments)
        finally:
            sys.settrace(before)
        if self._run < MOST_LINES:
            self._name(answer)
        return answer

    def made(self) -> list[tuple[int, object]]:
        """What each line made, oldest first."""
        kept = [(line, array) for array, _, line in self._made.values() if line]
        return kept[:MOST_ARRAYS] if self._run < MOST_LINES else []

    def _called(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        if os.path.abspath(frame.f_code.co_filename) != self.file:
            return None
        self._at[frame] = frame.f_lineno
        return self._ran

    def _ran(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        """A line of a frame has run, or the frame returns."""
        self._run += 1
        if self._run >= MOST_LINES:
            sys.settrace(None)
            return None
        self._look(frame.f_locals, self._at[frame])
        if event == "return":
            self._look(argument, frame.f_lineno)
            del self._at[frame]
        else:
            self._at[frame] = frame.f_lineno
        return self._ran

    def _look(self, value: object, line: int) -> None:
        for array in arrays(value):
            numbers = content(array)
            known = self._made.get(id(array))
            if known is None or known[1] != numbers:
                self._made.pop(id(array), None)  # what is changed is made anew: it stands last
                self._made[id(array)] = (array, numbers, line)

    def _name(self, answer: object) -> None:
        """Notes the line of every tensor in what `step` returned."""
        for key, value in answer.items() if isinstance(answer, dict) else ():
            if key == "loss":
                self._note("loss", value)
            elif isinstance(value, list | tuple):
                after = "_next" if key in ("W", "b") else ""
                for layer, tensor in enumerate(value, 1):
                    self._note(f"{key}{layer}{after}", tensor)

    def _note(self, name: str, tensor: object) -> None:
        """By identity; of a copy, by its numbers, where only one array has them."""
        known = self._made.get(id(tensor))
        if known is None:
            numbers = content(tensor)
            same = [made for made in self._made.values() if made[1] == numbers]
            known = same[0] if len(same) == 1 else None
        if known is not None and known[2]:
            self.lines[name] = known[2]


def arrays(value: object, depth: int = 3) -> Iterator[object]:
    """The arrays in a value: itself, or what it holds; numbers and lists of numbers count as arrays."""
    if hasattr(value, "__array__") or isinstance(value, float):
        yield value
    elif depth and isinstance(value, list | tuple | dict):
        held = [*value.values()] if isinstance(value, dict) else [*value]
        if isinstance(value, list) and held and isinstance(held[0], int | float | list):
            yield value
        for part in held:
            yield from arrays(part, depth - 1)
    elif depth == 3 - 1 and hasattr(value, "__dict__") and not isinstance(value, ModuleType | type):
        yield from arrays(vars(value), depth)


def content(array: object) -> bytes:
    """The numbers of an array, to see whether they changed."""
    detach = getattr(array, "detach", None)  # a tensor of torch, which may be part of a graph
    held = detach().cpu() if callable(detach) else array
    if hasattr(held, "__array__"):
        return np.ascontiguousarray(held).tobytes()
    return repr(held).encode()


def main(folder: str, request: dict[str, str]) -> None:
    """Every call, traced; of one that raises, nothing is said."""
    # Run, and not imported: beside an imported file Python would look for its compiled form.
    worker = runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py"))
    function, layout = worker["load_subject"](request)
    file = request["file"] or str(sys.modules[request["module"]].__file__)
    for number in range(int(request["calls"])):
        tracer = LineTracer(file)
        tensors, facts = worker["read"](f"{folder}/call{number}.safetensors")

        def traced(*arguments: object, tracer: LineTracer = tracer) -> object:
            return tracer.call(function, *arguments)

        with np.errstate(all="ignore"):
            names = facts["activation"].split(",")
            shown = worker["call"](traced, request["layout"] or layout, tensors, names)
        worker["write"](f"{folder}/answer{number}.safetensors", shown)
        worker["report"](f"{folder}/lines{number}.json", tracer.lines)
        made = {}
        for place, (line, value) in enumerate(tracer.made()):
            with contextlib.suppress(worker["UnusableError"]):
                made[f"{place}:{line}"] = worker["as_array"](value, "", tensors["x"].dtype)
        worker["write"](f"{folder}/made{number}.safetensors", made)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
