"""What a report keeps of a run: some whole steps, the others in brief, and two curves over all of them.

A `Recording` is all that the page needs beside the `Result`; it can be saved and loaded, so that a
page can be made again elsewhere, without PyTorch and without another run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue, TypeAdapter, ValidationError

from parity.config import names
from parity.config.case import described
from parity.config.config import Config
from parity.errors import UsageError
from parity.explain import Brief
from parity.golden.graph import graph_facts
from parity.lockstep import tracefile
from parity.lockstep.result import KEEP_MESSAGES, Result, Said
from parity.lockstep.tracefile import Facts
from parity.pytorch.imported.stored import of_json
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.model import Model
from reference.trace import Trace

SCHEMA = "parity-recording/2"


@dataclass(frozen=True)
class Curve:
    """At `step`: the loss of every side, and the largest share of its bound that any number used."""

    step: int
    loss: dict[str, float]
    worst: float


@dataclass(frozen=True)
class Told:
    """A wrong formula in words: what was done, how it should be, one number both ways."""

    formula: str
    slide: int
    layers: list[int]
    mistake: str
    lines: list[str]


@dataclass(frozen=True)
class LikelyLine:
    """The line of the examined code that last assigned a tensor shown, with the lines around it.

    `behind`: the line that made, behind what is shown, what the named mistake makes of a hidden tensor.
    """

    number: int
    first: int
    lines: list[str]
    behind: bool = False


@dataclass(frozen=True)
class Extras:
    """What a recording holds besides tensors.

    `said` has complaints by step, side and tensor, from when the tensors were read; `told` the wrong
    formulas by language; `source` the examined code; `lines`, by step and wrong tensor, the line of it
    that likely made that.
    """

    brief: dict[int, list[Brief]] = field(default_factory=dict)
    curve: list[Curve] = field(default_factory=list)
    said: dict[int, dict[str, dict[str, Said]]] = field(default_factory=dict)
    told: dict[str, list[Told]] = field(default_factory=dict)
    source: str = ""
    lines: dict[int, dict[str, LikelyLine]] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """Whole steps by number, each side's trace by its name; the network they are steps of; the rest."""

    architecture: Model
    lr: float
    findings: tuple[str, ...] = ()
    steps: dict[int, dict[str, Trace]] = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)

    def with_extras(self, **changes: object) -> Recording:
        """The same steps with other extras."""
        return replace(self, extras=replace(self.extras, **changes))  # type: ignore[arg-type]

    def save(self, path: Path, result: Result) -> None:
        """Write tensors `{step}/{side}/{name}` and, as metadata, the result, the network and the extras."""
        of = self.architecture
        network = {"network": _network(of, self.lr)} if isinstance(of, Architecture) else {}
        facts: Facts = {
            "schema": SCHEMA,
            "result": json.loads(result.model_dump_json(by_alias=True, context=KEEP_MESSAGES)),
            **network,
            **graph_facts(of),
            "extras": _EXTRAS.dump_python(self.extras, mode="json", context=KEEP_MESSAGES),
        }
        tracefile.save(path, self.steps, facts)


def _network(of: Architecture, lr: float) -> dict[str, JsonValue]:
    """The network as a config describes it; a case of a check has nothing that a name does not say."""
    network: dict[str, JsonValue] = {
        "activation": [f.name for f in of.activations],
        "dtype": str(np.dtype(of.dtype)),
    }
    training: dict[str, JsonValue] = {"loss": {"name": of.loss.name, "reduction": of.reduction}}
    return {"layers": "-".join(map(str, of.layers)), "lr": lr, "network": network, "training": training}


_EXTRAS = TypeAdapter(Extras)


def _stored(facts: Facts, result: Result, first: Trace) -> tuple[Model, float, tuple[str, ...]]:
    """A stored graph, its η and the accepted deviations. Raises ValueError for one that is damaged."""
    config = Config.model_validate({key: result.config[key] for key in ("network", "training")})
    lr = result.config["lr"]
    if not isinstance(lr, int | float):
        raise TypeError("lr")
    model = of_json(facts["graph"], first, names.optimizer_of(config.training.optimizer))
    return model, float(lr), tuple(config.training.accept)


def load(path: Path) -> tuple[Result, Recording]:
    """A saved recording and its result. Raises UsageError for a file that is none."""
    try:
        file = tracefile.read(path)
        steps = file.steps()
        result = Result.model_validate(file.table("result"))
        extras = _EXTRAS.validate_python(file.table("extras"))
        first = next((t for traces in steps.values() for t in traces.values()), None)
        if "graph" in file.facts and first is not None:
            return result, Recording(*_stored(file.facts, result, first), steps, extras)
        of_case = "cases" in result.config  # a subject's result is about several networks
        targets = 1 if first is None else first["y"].shape[0]
        known = described(file.table("network") if of_case else result.config, targets)
    except (OSError, KeyError, TypeError, ValueError, ValidationError, UsageError) as error:
        raise UsageError(Message("not_recording", file=path, reason=error)) from None
    return result, Recording(known.architecture, known.lr, known.findings, steps, extras)
