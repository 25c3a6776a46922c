"""The contents of a golden, its digest, and the sidecar for review.

A golden is a trace file (safetensors, tensors named `{step}/{side}/{name}`, one metadata key
`parity`) of a whole run, every step of every side, that also carries the digest of its contents.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from parity.config.case import Case
from parity.config.config import Config
from parity.errors import UsageError
from parity.lockstep.result import Fact
from parity.lockstep.tracefile import Facts, canonical, places, put
from parity.render.files import writable, written_whole
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace

SCHEMA = "parity-golden/1"
SUFFIX = ".safetensors"
SIDES = ("reference", "torch")
MAX_BYTES = 256 * 2**20
"""Largest golden; goldens are committed and reviewed, so a larger file is an error or an attack."""
MAX_HEADER = 8 * 2**20
"""Largest header, which names every tensor and is parsed first."""
NAMED = 128
"""Upper bound of a header's bytes for one tensor: name, dtype, shape, offsets."""
TABLES = ("graph", "recording")
"""Facts that are not for reading; the sidecar has a line for each of their operations instead."""
FIRST = 3
"""Number of values of each tensor that the sidecar shows."""


@dataclass(frozen=True)
class Stored:
    """What a golden's file holds: `facts`, and the tensors of every side for every step."""

    facts: Facts
    steps: list[dict[str, Trace]]

    @property
    def sides(self) -> tuple[str, ...]:
        """The recorded sides: the reference, and PyTorch unless it was left out."""
        return tuple(self.steps[0])

    @property
    def environment(self) -> dict[str, Fact]:
        """The environment of the recording."""
        found = self.facts.get("environment")
        facts = found if isinstance(found, dict) else {}
        return {k: v for k, v in facts.items() if v is None or isinstance(v, str | int | float)}

    @cached_property
    def digest(self) -> str:
        """`sha256:…` of facts and tensors, independent of the file's layout."""
        return digest(self.facts, places(dict(enumerate(self.steps))))


@dataclass(frozen=True)
class Golden(Stored):
    """A recorded run, one trace per side for every step.

    `case` is the case of its config with the recorded initial parameters.
    """

    config: Config
    case: Case


def digest(facts: Mapping[str, JsonValue], arrays: Mapping[str, Array]) -> str:
    """SHA-256 of the facts (without a digest) and of every tensor's name, format, shape and bits."""
    rest = {key: value for key, value in facts.items() if key != "digest"}
    total = hashlib.sha256(canonical(rest).encode())
    for name in sorted(arrays):
        tensor = arrays[name]
        total.update(f"\n{name} {tensor.dtype.name} {tensor.shape} {tensor_digest(tensor)}".encode())
    return f"sha256:{total.hexdigest()}"


def tensor_digest(tensor: Array) -> str:
    """SHA-256 of a tensor's bits in row-major order, little-endian."""
    ordered = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
    return hashlib.sha256(ordered.tobytes()).hexdigest()


def sidecar(path: Path) -> Path:
    """The path of a golden's sidecar: the same name with `.json`."""
    return path.with_suffix(".json")


def place(path: Path) -> None:
    """Check a golden's path before the run. Raises UsageError."""
    if path.suffix != SUFFIX:
        raise UsageError(Message("golden_suffix", file=path, suffix=SUFFIX))
    for file in (path, sidecar(path)):
        writable(str(file))


def new(path: Path) -> None:
    """Check the path of a golden that is to be recorded. Raises UsageError if there is one already."""
    place(path)
    if path.exists():
        raise UsageError(Message("golden_exists", file=path))


def write(path: Path, facts: Facts, steps: list[dict[str, Trace]], operations: Sequence[str] = ()) -> str:
    """Write a golden and its sidecar atomically; returns its digest.

    `operations` says in a line each what a graph or a recording consists of, for the sidecar alone.
    Raises UsageError if the folder cannot be written to, and for a golden that would not be read again.
    """
    arrays = places(dict(enumerate(steps)))
    complete: Facts = {**facts, "digest": digest(facts, arrays)}
    header = len(json.dumps(canonical(complete))) + NAMED * len(arrays)
    size = header + sum(tensor.nbytes for tensor in arrays.values())
    if header > MAX_HEADER or size > MAX_BYTES:
        raise UsageError(
            Message(
                "golden_large",
                file=path,
                size=f"{size / 2**20:,.1f}",
                header=f"{header / 2**20:,.1f}",
                most=MAX_BYTES // 2**20,
                most_header=MAX_HEADER // 2**20,
            )
        )
    with written_whole(path) as golden, written_whole(sidecar(path)) as beside:
        put(golden, arrays, complete)
        beside.write_text(_review(complete, arrays, operations), encoding="utf-8")
    return str(complete["digest"])


def _review(facts: Facts, arrays: Mapping[str, Array], operations: Sequence[str]) -> str:
    """The sidecar: the facts, and one line per operation and per tensor, so that a review shows changes."""
    shown = {key: value for key, value in facts.items() if key not in TABLES}
    shown |= {"operations": list(operations)} if operations else {}
    head = json.dumps(shown, indent=2, ensure_ascii=False).rstrip("\n}")
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(_line(t))}" for name, t in arrays.items())
    return f'{head},\n  "tensors": {{\n{lines}\n  }}\n}}\n'


def _line(tensor: Array) -> dict[str, JsonValue]:
    wide = tensor.astype(np.float64)
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(np.sum(np.square(wide))))
    return {
        "shape": list(tensor.shape),
        "digest": tensor_digest(tensor)[:16],
        "min": _short(float(wide.min())) if wide.size else None,
        "max": _short(float(wide.max())) if wide.size else None,
        "norm": _short(norm),
        "first": [_short(float(value)) for value in wide.flat[:FIRST]],
    }


def _short(value: float) -> JsonValue:
    """A value with six digits for display; NaN and infinities as strings."""
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)
