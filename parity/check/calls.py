"""Which cases a check uses: the chosen ones, or the one that a config describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from parity.bounds.formats import COMPUTED
from parity.check.cases import DEFAULT_ACTIVATIONS, SubjectCall, calls
from parity.config.case import Case, build
from parity.config.options import parse_names, read_config
from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.engine import Network
from reference.operations.activations import ACTIVATIONS
from reference.trace import Trace

MOST_STEPS = 3
"""Of a config: a mistake that needs more steps to show has not been seen."""


def asked_calls(
    config: Path | Mapping[str, object] | None, activation: str | None, dtype: str | None
) -> list[SubjectCall]:
    """The calls of a check. Raises UsageError for names that there are not."""
    if dtype not in (None, *COMPUTED):
        raise UsageError(Message("option_known", option="--dtype", name=dtype, known=", ".join(COMPUTED)))
    asked = parse_names(activation) if activation else ()
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    for name in names:
        if name not in ACTIVATIONS:
            raise UsageError(
                Message("option_known", option="--activation", name=name, known=", ".join(ACTIVATIONS))
            )
        if any(value != value for value in ACTIVATIONS[name].options.values()):
            raise UsageError(Message("no_defaults", name=name))
        if ACTIVATIONS[name].learned:
            raise _not_told(f"--activation {name}", "learned", name)
    if config is None:
        return calls(names or DEFAULT_ACTIVATIONS, np.dtype(dtype or "float64"))
    name = str(config) if isinstance(config, Path) else "config"
    return _calls(build(read_config(config, {"activation": activation, "dtype": dtype})), name)


def _not_told(where: str, what: str, name: str = "") -> UsageError:
    """For what a subject could only do if it were told more."""
    return UsageError(Message(f"step_not_told_{what}", where=where, name=name))


def _calls(case: Case, name: str) -> list[SubjectCall]:
    """The first steps of a config's case, each from where the deck's engine stands.

    Raises UsageError for a case that asks for more than slide 6's update of W and b.
    """
    architecture = case.architecture
    for f in architecture.activations:
        if f.learned:
            raise _not_told(name, "learned", f.name)
    if not architecture.optimizer.plain:
        raise _not_told(name, "optimizer", architecture.optimizer.name)
    if architecture.clipping:
        raise _not_told(name, "clipping")
    network = Network(case.architecture, case.parameters)
    found: list[SubjectCall] = []
    for step, (x, y) in zip(range(min(case.steps, MOST_STEPS)), case.batches(), strict=False):
        before = {key: parameter.copy() for key, parameter in network.parameters.items()}
        found.append(
            SubjectCall(
                name, step, case.architecture, case.lr, Trace({**before, "x": x.copy(), "y": y.copy()})
            )
        )
        with np.errstate(all="ignore"):
            network.step(x, y, case.lr)
    return found
