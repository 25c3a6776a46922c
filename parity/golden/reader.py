"""Reading a golden that nobody vouches for: every size is checked before memory is taken for it.

The file's own header is read first, and only to be distrusted: how long it says it is, which tensors
it names, and whether they fill the file exactly. Then safetensors loads them, then the digest is held
against them, and only then is the config in it believed.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from parity.bounds.formats import COMPUTED, FORMATS
from parity.certify.certificate import Certifier
from parity.config.case import Case, build
from parity.config.config import Config, DataTable
from parity.errors import UsageError
from parity.golden.format import (
    MAX_BYTES,
    MAX_HEADER,
    SCHEMA,
    SIDES,
    Facts,
    Golden,
    digest,
    sidecar,
)
from reference.arrays import Array
from reference.trace import Trace

_NAME = re.compile(rf"(0|[1-9]\d{{0,8}})/({'|'.join(SIDES)})/(\w{{1,64}})")
_BYTES = {FORMATS[name].safetensors: FORMATS[name].numpy.itemsize for name in COMPUTED}
_ANEW = "record it anew with parity record"


def read(path: Path) -> Golden:
    """The golden in a file. Raises UsageError, in one line, for a file that is none.

    That is: missing, huge, truncated, of another schema, tampered with, incomplete; or beside a
    sidecar that describes another golden.
    """
    try:
        facts = _facts(path)
        arrays: dict[str, Array] = load_file(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise UsageError(f"{path}: not a safetensors file: {error}") from None
    if facts.get("digest") != digest(facts, arrays):
        raise UsageError(f"{path}: its contents are not what its digest says; it was changed or damaged")
    _check_sidecar(path, facts)
    steps = _steps(path, arrays, facts)
    config, case = _case(path, facts, steps)
    return Golden(facts, steps, config, case)


def _facts(path: Path) -> Facts:
    """The metadata, once the header's sizes add up to the file's."""
    if not stat.S_ISREG(path.stat().st_mode):  # looked at first: to open a pipe is to wait for it
        raise UsageError(f"{path}: not a file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise UsageError(f"{path}: {size:,} bytes; a golden has at most {MAX_BYTES:,}; not read")
        header, left = _header(path, file, size)
    metadata = header.pop("__metadata__", None)
    _check_sizes(path, header, left)
    text = metadata.get("parity") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise UsageError(f"{path}: a safetensors file, but no golden of parity's")
    facts = _parsed(path, text)
    schema = facts.get("schema")
    if schema != SCHEMA:
        raise UsageError(f"{path}: its schema is {_shown(schema)}, not {SCHEMA}; {_ANEW}")
    return facts


def _header(path: Path, file: BinaryIO, size: int) -> tuple[Facts, int]:
    """The header as safetensors defines it, and how many bytes the file has after it."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise UsageError(f"{path}: truncated, or not a safetensors file ({size:,} bytes)")
    if length > MAX_HEADER:
        raise UsageError(
            f"{path}: its header of {length:,} bytes is longer than a golden's ({MAX_HEADER:,})"
        )
    return _parsed(path, file.read(length)), size - 8 - length


def _parsed(path: Path, text: str | bytes) -> Facts:
    """JSON that must be an object and names nothing twice."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: its header is damaged: {str(error)[:80]}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: its header is damaged: not an object")
    return found


def _once(pairs: list[tuple[str, JsonValue]]) -> Facts:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _check_sizes(path: Path, header: Mapping[str, JsonValue], left: int) -> None:
    """Each tensor's place is as long as its shape says, and together they fill the file."""
    end = 0
    places = []
    for name, entry in header.items():
        if not _NAME.fullmatch(name):
            raise UsageError(f"{path}: {_shown(name)} is no tensor of a golden")
        kind, shape, place = _entry(path, name, entry)
        if place[1] - place[0] != _BYTES[kind] * math.prod(shape):
            raise UsageError(f"{path}: {name} has not the size that its shape says")
        places.append(place)
    for start, stop in sorted(places):
        if start != end:
            raise UsageError(f"{path}: its tensors overlap or leave gaps")
        end = stop
    if end != left:
        raise UsageError(f"{path}: truncated or padded: {left:,} bytes of tensors, where {end:,} are named")


def _entry(path: Path, name: str, entry: JsonValue) -> tuple[str, list[int], tuple[int, int]]:
    """One tensor's dtype, shape and place, of the types that they should have."""
    if isinstance(entry, dict):
        kind, shape, place = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if isinstance(kind, str) and kind in _BYTES and _counts(shape) and _counts(place):
            sizes, ends = list(map(int, shape)), list(map(int, place))  # type: ignore[arg-type]
            if len(sizes) <= 2 and len(ends) == 2:
                return kind, sizes, (ends[0], ends[1])
    raise UsageError(f"{path}: {name}: not a float32 or float64 tensor of at most two axes")


def _counts(value: JsonValue) -> bool:
    """Whether it is a list of natural numbers, none of them absurd."""
    return isinstance(value, list) and all(type(n) is int and 0 <= n <= MAX_BYTES for n in value)


def _check_sidecar(path: Path, facts: Facts) -> None:
    """A sidecar, where there is one, is this golden's; otherwise a review would look at another."""
    beside = sidecar(path)
    if not beside.exists():
        return
    if not beside.is_file() or beside.stat().st_size > 4 * MAX_HEADER:
        raise UsageError(f"{beside}: not a golden's sidecar")
    if _parsed(beside, beside.read_bytes()).get("digest") != facts["digest"]:
        raise UsageError(f"{beside}: describes another golden than the one beside it; {_ANEW}")


def _steps(path: Path, arrays: Mapping[str, Array], facts: Facts) -> list[dict[str, Trace]]:
    """The tensors by step and side; every step from 0, every side in each."""
    found: dict[int, dict[str, Trace]] = {}
    for key in arrays:
        step, side, name = key.split("/")
        found.setdefault(int(step), {}).setdefault(side, Trace())[name] = arrays[key]
    sides = tuple(side for side in SIDES if side in found.get(0, {}))
    if facts.get("steps") != len(found) or facts.get("sides") != list(sides) or not found:
        raise UsageError(f"{path}: incomplete: not the steps and sides that it says it has")
    steps = [found.get(step, {}) for step in range(len(found))]
    if any(traces.keys() != set(sides) for traces in steps):
        raise UsageError(f"{path}: incomplete: a side is missing in some step")
    return [{side: traces[side] for side in sides} for traces in steps]


def _case(path: Path, facts: Facts, steps: list[dict[str, Trace]]) -> tuple[Config, Case]:
    """The config, and the case that it describes, standing where the recorded run began."""
    first = next(iter(steps[0].values()))
    x, y = first.get("x"), first.get("y")
    if x is None or y is None or x.ndim != 2 or y.ndim != 2 or 0 in (*x.shape, *y.shape):
        raise UsageError(f"{path}: incomplete: no data in its first step")
    if not (np.isfinite(x[:, :1]).all() and np.isfinite(y[:, :1]).all()):
        raise UsageError(f"{path}: its data are not finite")
    try:
        config = Config.model_validate(facts.get("config"))
        layers = config.network.layers or []
        parameters = sum((i + 1) * o for i, o in pairwise(layers))
        if not layers or parameters > sum(tensor.size for tensor in first.values()):
            raise UsageError("its layers are not those of its tensors")
        # One sample stands for the data, which are in the tensors: a golden needs no file but itself.
        data = DataTable(x=x[:, :1].T.tolist(), y=y[:, :1].T.tolist())
        case = build(config.model_copy(update={"data": data}))
    except ValidationError as error:
        raise UsageError(f"{path}: its config is damaged: {error.errors()[0]['msg']}") from None
    except UsageError as error:
        raise UsageError(f"{path}: its config: {error}") from None
    certifier = Certifier(case.architecture, findings=case.findings)
    for step, traces in enumerate(steps):
        for side, trace in traces.items():
            for complaint in certifier.complaints(trace).values():
                raise UsageError(f"{path}: step {step}, {side}: {complaint}")
    begin = {name: first[name] for name in case.architecture.parameter_shapes()}
    return config, replace(case, parameters=begin, x=x, y=y, steps=len(steps), data="golden")


def _shown(value: JsonValue) -> str:
    return repr(value)[:60]
