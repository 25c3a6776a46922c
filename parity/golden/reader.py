"""Reads goldens from untrusted files: every size is checked before memory is allocated for it.

The header is checked first (`parity.lockstep.tracefile`), then the digest, and only then is the config
used.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from parity.bounds.formats import COMPUTED, FORMATS
from parity.certify.certificate import Certifier
from parity.config.case import Case, build
from parity.config.config import Config, DataTable
from parity.errors import UsageError
from parity.golden.format import MAX_BYTES, MAX_HEADER, SCHEMA, SIDES, Golden, digest, sidecar
from parity.lockstep import tracefile
from parity.lockstep.tracefile import Facts, Kind, Steps, TraceFileError
from reference.trace import Trace

GOLDEN = Kind(
    "golden",
    MAX_BYTES,
    MAX_HEADER,
    "|".join(SIDES),
    "a float32 or float64 tensor of at most two axes",
    {FORMATS[name].safetensors: FORMATS[name].numpy.itemsize for name in COMPUTED},
    2,
)
_ANEW = "record it anew with parity record"


def read(path: Path) -> Golden:
    """Read a golden. Raises UsageError, with one line, for an invalid file.

    A file is invalid if it is missing, huge, truncated, of another schema, changed or incomplete, or if
    its sidecar describes another golden.
    """
    try:
        file = tracefile.read(path, GOLDEN)
        if file.facts.get("schema") != SCHEMA:
            its = tracefile.shortened(file.facts.get("schema"))
            raise UsageError(f"{path}: its schema is {its}, not {SCHEMA}; {_ANEW}")
        found = file.steps()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except TraceFileError as error:
        raise UsageError(f"{path}: {error}") from None
    facts = file.facts
    if facts.get("digest") != digest(facts, tracefile.places(found)):
        raise UsageError(f"{path}: its contents are not what its digest says; it was changed or damaged")
    _check_sidecar(path, facts)
    steps = _steps(path, found, facts)
    config, case = _case(path, facts, steps)
    return Golden(facts, steps, config, case)


def _check_sidecar(path: Path, facts: Facts) -> None:
    """Check that the sidecar, if there is one, describes this golden. Raises UsageError."""
    beside = sidecar(path)
    if not beside.exists():
        return
    if not beside.is_file() or beside.stat().st_size > 4 * MAX_HEADER:
        raise UsageError(f"{beside}: not a golden's sidecar")
    try:
        described = tracefile.parsed(beside.read_bytes())
    except TraceFileError as error:
        raise UsageError(f"{beside}: {error}") from None
    if described.get("digest") != facts["digest"]:
        raise UsageError(f"{beside}: describes another golden than the one beside it; {_ANEW}")


def _steps(path: Path, found: Steps, facts: Facts) -> list[dict[str, Trace]]:
    """The traces of all steps from 0, each with every side. Raises UsageError if one is missing."""
    sides = tuple(side for side in SIDES if side in found.get(0, {}))
    if facts.get("steps") != len(found) or facts.get("sides") != list(sides) or not found:
        raise UsageError(f"{path}: incomplete: not the steps and sides that it says it has")
    steps = [dict(found.get(step, {})) for step in range(len(found))]
    if any(traces.keys() != set(sides) for traces in steps):
        raise UsageError(f"{path}: incomplete: a side is missing in some step")
    return [{side: traces[side] for side in sides} for traces in steps]


def _case(path: Path, facts: Facts, steps: list[dict[str, Trace]]) -> tuple[Config, Case]:
    """The config, and its case with the recorded initial parameters. Raises UsageError."""
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
