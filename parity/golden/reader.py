"""Reads goldens from untrusted files: every size is checked before memory is allocated for it.

The header is checked first (`parity.lockstep.tracefile`), then the digest, and only then is the config
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from parity.certify.certificate import Certifier
from parity.config.case import Case, build
from parity.config.config import Config, DataTable, complaint
from parity.errors import UsageError, quoted
from parity.golden.format import MAX_BYTES, MAX_HEADER, SCHEMA, SIDES, Golden, digest, sidecar
from parity.golden.graph import stored_case
from parity.golden.script import SIDE, ScriptGolden
from parity.lockstep import tracefile
from parity.lockstep.tracefile import Facts, Kind, Steps, TraceFileError
from parity.pytorch.recorder.data import Step
from parity.render.texts.message import Message
from reference.trace import Trace

GOLDEN = Kind(
    Message("kind_golden"),
    MAX_BYTES,
    MAX_HEADER,
    "|".join(SIDES),
    Message("kind_golden_tensor"),
    {name: size for name, size in tracefile.ITEM_SIZES.items() if name not in ("F16", "BF16")},
    12,
)


def read(path: Path) -> Golden | ScriptGolden:
    """Read a golden, of a run or of a watched script. Raises UsageError, in one line, for no valid file.

    A file is invalid if it is missing, huge, truncated, of another schema, changed or incomplete, or if
    its sidecar describes another golden.
    """
    try:
        file = tracefile.read(path, GOLDEN)
        if file.facts.get("schema") != SCHEMA:
            its = tracefile.shortened(file.facts.get("schema"))
            raise UsageError(Message("golden_schema", file=path, found=its, schema=SCHEMA))
        found = file.steps()
    except OSError as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    except TraceFileError as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    facts = file.facts
    if facts.get("digest") != digest(facts, tracefile.places(found)):
        raise UsageError(Message("golden_digest", file=path))
    _check_sidecar(path, facts)
    steps = _steps(path, found, facts)
    if "recording" in facts:
        return _script(path, ScriptGolden(facts, steps))
    config, case = _case(path, facts, steps)
    return Golden(facts, steps, config, case)


def _check_sidecar(path: Path, facts: Facts) -> None:
    """Check that the sidecar, if there is one, describes this golden. Raises UsageError."""
    beside = sidecar(path)
    if not beside.exists():
        return
    if not beside.is_file() or beside.stat().st_size > 4 * MAX_HEADER:
        raise UsageError(Message("sidecar_no", file=beside))
    try:
        described = tracefile.parsed(beside.read_bytes())
    except TraceFileError as error:
        raise UsageError(Message("file_failed", file=beside, reason=error)) from None
    if described.get("digest") != facts["digest"]:
        raise UsageError(Message("sidecar_other", file=beside))


def _steps(path: Path, found: Steps, facts: Facts) -> list[dict[str, Trace]]:
    """The traces of all steps from 0, each with every side. Raises UsageError if one is missing."""
    sides = tuple(side for side in SIDES if side in found.get(0, {}))
    if facts.get("steps") != len(found) or facts.get("sides") != list(sides) or not found:
        raise UsageError(Message("golden_steps", file=path))
    steps = [dict(found.get(step, {})) for step in range(len(found))]
    if any(traces.keys() != set(sides) for traces in steps):
        raise UsageError(Message("golden_side", file=path))
    return [{side: traces[side] for side in sides} for traces in steps]


def _script(path: Path, golden: ScriptGolden) -> ScriptGolden:
    """The golden of a watched script, if its tables are a recording's. Raises UsageError."""
    try:
        ended = sum(isinstance(event, Step) for event in golden.events)
    except ValueError as error:
        raise UsageError(Message("golden_recording", file=path, reason=Message.about(error))) from None
    if ended != len(golden.steps) or golden.sides != (SIDE,):
        raise UsageError(Message("golden_steps", file=path))
    return golden


def _case(path: Path, facts: Facts, steps: list[dict[str, Trace]]) -> tuple[Config, Case]:
    """The config, and its case with the recorded initial parameters. Raises UsageError."""
    traces = [next(iter(sides.values())) for sides in steps]
    if "x" not in traces[0] or "y" not in traces[0]:
        raise UsageError(Message("golden_no_data", file=path))
    try:
        config = Config.model_validate(facts.get("config"))
        case = stored_case(facts, config, traces) if "graph" in facts else _chain(config, traces)
        certifier = Certifier(case.architecture, findings=case.findings)
        complaints = [
            Message("golden_complaint", step=step, side=side, complaint=wrong)
            for step, sides in enumerate(steps)
            for side, trace in sides.items()
            for wrong in certifier.complaints(trace).values()
        ]
    except ValidationError as error:
        raise UsageError(
            Message("golden_config_damaged", file=path, reason=complaint(error.errors()[0]))
        ) from None
    except UsageError as error:
        raise UsageError(Message("golden_config", file=path, reason=error)) from None
    except Exception as error:  # whatever a formula raises on options that no model has
        if "graph" not in facts:
            raise
        told = Message.about(error)
        said = told if told.key != "own_words" else quoted(error, 200) or type(error).__name__
        raise UsageError(Message("golden_graph", file=path, reason=said)) from None
    for wrong in complaints:
        raise UsageError(Message("file_failed", file=path, reason=wrong))
    return config, case


def _chain(config: Config, traces: Sequence[Trace]) -> Case:
    """The case of a layered network. Raises UsageError."""
    x, y = traces[0]["x"], traces[0]["y"]
    if x.ndim != 2 or y.ndim != 2 or 0 in (*x.shape, *y.shape):
        raise UsageError(Message("golden_no_samples"))
    if not (np.isfinite(x[:, :1]).all() and np.isfinite(y[:, :1]).all()):
        raise UsageError(Message("golden_not_finite"))
    layers = config.network.layers or []
    parameters = sum((i + 1) * o for i, o in pairwise(layers))
    if not layers or parameters > sum(tensor.size for tensor in traces[0].values()):
        raise UsageError(Message("golden_layers"))
    # One sample stands for the data, which are in the tensors: a golden needs no file but itself.
    data = DataTable(x=x[:, :1].T.tolist(), y=y[:, :1].T.tolist())
    case = build(config.model_copy(update={"data": data}))
    begin = {name: traces[0][name] for name in case.architecture.parameter_shapes()}
    return replace(case, parameters=begin, x=x, y=y, steps=len(traces), data="golden")
