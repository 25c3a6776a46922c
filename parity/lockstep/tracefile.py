"""Trace files: the tensors of whole steps as safetensors, with facts about them as JSON metadata.

Traces, goldens and recordings are such files. A tensor's name is `{step}/{side}/{name}`; one metadata
key, `parity`, holds the facts; pickle is never used. Files are not trusted: the header is checked first,
for its length, the tensors it names, and whether they fill the file exactly. No memory is allocated for
a size that has not been checked.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from parity.config.case import Case
from parity.errors import UsageError
from parity.lockstep.lockstep import TrainingStep
from parity.render.files import written_whole
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.equations import example
from reference.trace import Trace

SCHEMA = "parity-trace/1"
MAX_BYTES = 4 * 2**30
"""Largest trace, which is kept in memory until it is written; a larger one is probably a typing error."""
SIDES = ("subject", "reference", "torch")
"""The order in which sides are shown; others come first."""

Facts: TypeAlias = dict[str, JsonValue]
Steps: TypeAlias = Mapping[int, Mapping[str, Trace]]
"""Traces by step and side."""


class TraceFileError(ValueError):
    """A file is not a trace file, or not of the expected kind."""


@dataclass(frozen=True)
class Kind:
    """A kind of trace file: `tensor` describes its tensors, `sides` is a regular expression for sides."""

    name: str = Message("kind_trace")
    most_bytes: int = 2 * MAX_BYTES
    most_header: int = 100_000_000  # safetensors' own limit
    sides: str = r".{1,200}"
    tensor: str = Message("kind_numbers")
    item_sizes: Mapping[str, int] | None = None  # by safetensors' name of a format; None: every format
    most_axes: int = 32


ITEM_SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "F32": 4, "I32": 4}
ITEM_SIZES |= {"U32": 4, "F64": 8, "I64": 8, "U64": 8}
TRACE = Kind()


class TensorKey(NamedTuple):
    """The key of a tensor in a trace file: step, side and name."""

    step: int
    side: str
    name: str

    def __str__(self) -> str:
        return f"{self.step}/{self.side}/{self.name}"


def places(steps: Steps) -> dict[str, Array]:
    """All tensors by their names in the file, in row-major order."""
    return {
        str(TensorKey(step, side, name)): np.asarray(tensor, order="C")
        for step, traces in steps.items()
        for side, trace in traces.items()
        for name, tensor in trace.items()
    }


def canonical(facts: Mapping[str, JsonValue]) -> str:
    """Canonical JSON: sorted keys, no spaces."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def put(file: Path, tensors: Mapping[str, Array], facts: Mapping[str, JsonValue]) -> None:
    """Write the file directly; `save` writes it atomically."""
    save_file(dict(tensors), file, metadata={"parity": canonical(facts)})


def save(path: Path, steps: Steps, facts: Mapping[str, JsonValue]) -> None:
    """Write a trace file atomically. Raises UsageError if it cannot be written."""
    with written_whole(path) as temporary:
        put(temporary, places(steps), facts)


@dataclass(frozen=True)
class TraceFile:
    """A trace file with a checked header: its facts and the positions of its tensors."""

    path: Path
    facts: Facts
    places: tuple[TensorKey, ...]

    def table(self, key: str) -> Facts:
        """A table of the facts. Raises TraceFileError for an unknown name."""
        found = self.facts.get(key)
        if not isinstance(found, dict):
            raise TraceFileError(Message("tracefile_no_table", key=key))
        return found

    def steps(self, step: int | None = None, side: str | None = None) -> dict[int, dict[str, Trace]]:
        """The traces by step and side, all or those of one step or side. Raises TraceFileError."""
        found: dict[int, dict[str, Trace]] = {}
        wanted = [p for p in self.places if step in (None, p.step) and side in (None, p.side)]
        try:
            with safe_open(self.path, framework="numpy") as file:
                for place in sorted(wanted, key=lambda place: (place.step, _rank(place.side))):
                    trace = found.setdefault(place.step, {}).setdefault(place.side, Trace())
                    trace[place.name] = file.get_tensor(str(place))
        except SafetensorError as error:
            raise TraceFileError(Message("tracefile_no_safetensors", reason=error)) from None
        return found


def _rank(side: str) -> int:
    return SIDES.index(side) if side in SIDES else -1


def read(path: Path, kind: Kind = TRACE) -> TraceFile:
    """Open a trace file and check its header. Raises TraceFileError, OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # checked first, because opening a pipe would block
        raise TraceFileError(Message("tracefile_no_file"))
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > kind.most_bytes:
            raise TraceFileError(
                Message("tracefile_large", size=f"{size:,}", kind=kind.name, most=f"{kind.most_bytes:,}")
            )
        header, left = _header(file, size, kind)
    metadata = header.pop("__metadata__", None)
    found = _checked(header, left, kind)
    text = metadata.get("parity") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise TraceFileError(Message("tracefile_not_ours", kind=kind.name))
    return TraceFile(path, parsed(text), found)


def _header(file: BinaryIO, size: int, kind: Kind) -> tuple[Facts, int]:
    """The header as defined by safetensors, and the number of bytes after it."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise TraceFileError(Message("tracefile_truncated", size=f"{size:,}"))
    if length > kind.most_header:
        raise TraceFileError(
            Message("tracefile_header", length=f"{length:,}", kind=kind.name, most=f"{kind.most_header:,}")
        )
    return parsed(file.read(length)), size - 8 - length


def parsed(text: str | bytes) -> Facts:
    """Parse JSON that must be an object without duplicate keys. Raises TraceFileError."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise TraceFileError(Message("tracefile_damaged", reason=Message.about(error))) from None
    if not isinstance(found, dict):
        raise TraceFileError(Message("tracefile_no_object"))
    return found


def _once(pairs: list[tuple[str, JsonValue]]) -> Facts:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(Message("tracefile_twice"))
    return found


def _checked(header: Mapping[str, JsonValue], left: int, kind: Kind) -> tuple[TensorKey, ...]:
    """The tensors, after checking that their sizes match their shapes and that they fill the file."""
    pattern = re.compile(rf"(0|[1-9]\d{{0,8}})/({kind.sides})/(\w{{1,64}})")
    found, extents = [], []
    for name, entry in header.items():
        match = pattern.fullmatch(name)
        if match is None:
            raise TraceFileError(Message("tracefile_name", name=shortened(name), kind=kind.name))
        numbers, extent = _entry(name, entry, kind)
        if extent[1] - extent[0] != numbers:
            raise TraceFileError(Message("tracefile_size", name=name))
        found.append(TensorKey(int(match[1]), match[2], match[3]))
        extents.append(extent)
    end = 0
    for start, stop in sorted(extents):
        if start != end:
            raise TraceFileError(Message("tracefile_gaps"))
        end = stop
    if end != left:
        raise TraceFileError(Message("tracefile_padded", left=f"{left:,}", end=f"{end:,}"))
    return tuple(found)


def _entry(name: str, entry: JsonValue, kind: Kind) -> tuple[int, tuple[int, int]]:
    """The size in bytes that a tensor's format and shape imply, and its extent in the file."""
    sizes = ITEM_SIZES if kind.item_sizes is None else kind.item_sizes
    if isinstance(entry, dict):
        code, shape, extent = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if isinstance(code, str) and code in sizes and _counts(shape, kind) and _counts(extent, kind):
            axes, ends = list(map(int, shape)), list(map(int, extent))  # type: ignore[arg-type]
            if len(axes) <= kind.most_axes and len(ends) == 2:
                return sizes[code] * math.prod(axes), (ends[0], ends[1])
    raise TraceFileError(Message("tracefile_not", name=name, kind=kind.tensor))


def _counts(value: JsonValue, kind: Kind) -> bool:
    """Whether a value is a list of nonnegative integers within the limits."""
    return isinstance(value, list) and all(type(n) is int and 0 <= n <= kind.most_bytes for n in value)


def shortened(value: JsonValue) -> str:
    """A value from a file, shortened for a message."""
    return repr(value)[:60]


def step_bytes(case: Case, sides: int) -> int:
    """Size in bytes of the tensors of one step of `sides` sides."""
    samples = case.architecture.samples(case.x)
    tensors = example(case.architecture, min(case.batch or samples, samples)).values()
    return sum(tensor.nbytes for tensor in tensors) * sides


class TraceRecorder:
    """An observer that keeps every K-th step of every side and writes them at the end."""

    def __init__(self, path: Path, case: Case, sides: int, every: int = 1) -> None:
        """Create the observer. Raises UsageError now, before the run, if the trace would be too large."""
        self.path, self.every = path, every
        self._steps: dict[int, dict[str, Trace]] = {}
        size = step_bytes(case, sides) * -(-case.steps // every)
        if size > MAX_BYTES:
            fewer = -(-case.steps // max(1, MAX_BYTES * every // size * (case.steps // every) or 1))
            raise UsageError(Message("trace_size", size=f"{size / 2**30:.1f}", fewer=fewer))

    def __call__(self, seen: TrainingStep) -> None:
        if seen.step % self.every == 0:
            self._steps[seen.step] = {side: trace.kept() for side, trace in seen.traces.items()}

    def write(self, facts: Facts) -> None:
        """Write the file. Raises UsageError if it cannot be written."""
        save(self.path, self._steps, {"schema": SCHEMA, **facts})
