"""Functions with a registered definition: held to it once the training is over, when it can be run."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from parity.errors import UsageError
from parity.kernel.asked import RefusedError
from parity.kernel.recording import record
from parity.kernel.truths import Truths
from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from parity.watch.check import Check, Draw, Left
from parity.watch.functions import PassedFunction


def held(function: PassedFunction, drawn: Draw) -> Iterator[Check | Left]:
    """Its outputs and the gradients that it sent, against the definition's from the same numbers."""
    definition = function.definition
    assert definition is not None
    inputs = [_tensor(one) if isinstance(one, Recorded) else one for one in function.application.given]
    learned = {
        str(place): one.requires_grad_()
        for place, one in enumerate(inputs)
        if place in function.sent and isinstance(one, torch.Tensor)
    }
    named = {str(place): one for place, one in enumerate(inputs) if isinstance(one, torch.Tensor)}
    arrived = iter(function.arrived)

    def upstream(output: torch.Tensor) -> torch.Tensor:
        given = next(arrived, None)
        return torch.zeros_like(output) if given is None else _tensor(given)

    try:
        recorded = record(definition, tuple(inputs), learned, named, upstream)
    except (UsageError, RefusedError) as error:
        yield Left(
            Message("op_defined", operation=function.name, reason=error),
            "unsupported",
            function.module,
            function.source,
        )
        return
    truths = Truths(recorded.definition, exactly=False)
    for slot, made in function.application.outputs.items():
        if isinstance(made, Recorded) and drawn(made):
            measured = truths.measured(recorded.definition.names[slot], made.array)
            yield Check("forward", function.name, str(slot), "", function.source, measured)
    yield from function.checks(truths, recorded.definition, drawn)


def _tensor(recorded: Recorded) -> torch.Tensor:
    return torch.tensor(recorded.array).to(getattr(torch, recorded.dtype))
