"""What a candidate gave, compared with the bounds of its definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from parity.certify.measure import Measured, measure
from parity.kernel.asked import Reply
from parity.kernel.recording import RecordedDefinition
from parity.kernel.result import Part
from parity.kernel.truths import Truths, against, strange_numbers
from parity.pytorch.recorder.snapshots import numbers
from parity.render.texts.message import Message


@dataclass(frozen=True)
class Held:
    """One tensor: what was measured, and in words what is wrong with it as a whole, if that can be said."""

    part: Part
    name: str
    measured: Measured | None = None
    complaint: Message | None = None
    wrong: bool = True


def compared(reply: Reply, recording: RecordedDefinition, truths: Truths) -> Iterator[Held]:
    """Every output, then every gradient, of a candidate whose outputs have the right shapes."""
    definition, own = recording.definition, recording.reply
    for place, (name, made) in enumerate(zip(definition.names, reply.outputs, strict=True)):
        yield _held("output", str(place), made, own.outputs[place], truths, name)
    for place, (made, seed) in enumerate(zip(reply.outputs, recording.upstream, strict=True)):
        if seed is not None and not made.requires_grad:
            yield Held("output", str(place), complaint=Message("kernel_detached"))
            return
    for name, gradient in reply.gradients.items():
        expected, makes = own.gradients[name], definition.gradient(name)
        if gradient is None:
            if expected is not None and makes is not None:
                yield Held("gradient", name, complaint=Message("kernel_none"))
        elif expected is None or makes is None:
            found = measure(numbers(gradient.detach()), np.zeros(tuple(gradient.shape)))
            yield Held("gradient", name, found, wrong=found.wrong)
        else:
            yield _held("gradient", name, gradient, expected, truths, makes)


def _held(
    part: Part, name: str, found: torch.Tensor, own: torch.Tensor, truths: Truths, makes: str
) -> Held:
    observed, of_definition = numbers(found.detach()), numbers(own.detach())
    measured = against(observed, of_definition, truths, makes)
    if measured is None:
        untold = Measured(observed.size, observed.size, vacuous=False, worst=None)
        return Held(part, name, untold, Message("kernel_deviates"), wrong=False)
    strange = strange_numbers(observed, of_definition)
    if strange.any():
        return Held(part, name, measured, Message("kernel_nan", count=int(strange.sum())))
    nothing = observed.dtype.kind == "f" and measured.wrong and not np.any(observed)
    return Held(part, name, measured, Message("kernel_zero") if nothing else None, wrong=measured.wrong)


def misshapen(reply: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> Held | None:
    """The first output that cannot be compared: of another shape or format, or missing."""
    if len(reply) != len(expected):
        complaint = Message("kernel_count", found=len(reply), expected=len(expected))
        return Held("output", str(min(len(reply), len(expected))), complaint=complaint)
    for place, (one, other) in enumerate(zip(reply, expected, strict=True)):
        name = f"output {place}"
        if one.shape != other.shape:
            found, wanted = tuple(one.shape), tuple(other.shape)
            complaint = Message("shape", name=name, found=found, expected=wanted)
            return Held("output", str(place), complaint=complaint)
        if one.dtype != other.dtype:
            kind, wanted_kind = str(one.dtype)[6:], str(other.dtype)[6:]
            complaint = Message("dtype", name=name, found=kind, expected=wanted_kind)
            return Held("output", str(place), complaint=complaint)
    return None
