"""Records a definition on some inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch

from parity.errors import UsageError
from parity.kernel.asked import Function, RefusedError, Reply, outputs_of, refusing
from parity.kernel.definition import NOTHING_DIFFERENTIATED, Definition, KernelOutput
from parity.pytorch.recorder.data import Call
from parity.pytorch.recorder.recorder import Recorder
from parity.render.texts.message import Message

Upstream: TypeAlias = "list[torch.Tensor | None]"


@dataclass(frozen=True)
class RecordedDefinition:
    """The recorded definition, what it gave, and the upstream gradients that were put on its outputs."""

    definition: Definition
    reply: Reply
    upstream: Upstream


def record(
    definition: Function,
    inputs: tuple[object, ...],
    learned: Mapping[str, torch.Tensor],
    named: Mapping[str, torch.Tensor],
    drawn: Callable[[torch.Tensor], torch.Tensor],
) -> RecordedDefinition:
    """Run the definition in eager PyTorch, forward and backward.

    `learned` are the tensors whose gradients are asked for, `named` all its tensors by name; `drawn`
    gives the upstream gradient of an output. Raises UsageError for what is no graph of operations of
    the table, RefusedError for what the definition raises.
    """
    calls: list[Call] = []
    recorder = Recorder(on_call=calls.append)
    with recorder:
        given = {name: recorder.recorded(tensor) for name, tensor in named.items()}
        outputs = outputs_of(definition, inputs)
        made = [recorder.recorded(output) for output in outputs]
        upstream: Upstream = [drawn(output) if output.requires_grad else None for output in outputs]
        seeds = [None if one is None else recorder.recorded(one) for one in upstream]
        with refusing("backward_raised"):
            reply = Reply(outputs, _backward(outputs, upstream, learned))
    if any(0 in output.shape for output in outputs):
        raise RefusedError(Message("output_empty"))
    passes = [passed for step in recorder.steps for passed in step.backwards]
    if len(passes) > 1:
        raise UsageError(Message("definition_backward"))
    passed = passes[0] if passes else NOTHING_DIFFERENTIATED
    roots = iter(passed.roots)
    endings = [
        KernelOutput(tensor, None if seed is None else next(roots).output, seed)
        for tensor, seed in zip(made, seeds, strict=True)
    ]
    return RecordedDefinition(Definition(calls, passed, given, endings), reply, upstream)


def _backward(
    outputs: tuple[torch.Tensor, ...], upstream: Upstream, learned: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor | None]:
    """The gradients that a backward pass leaves, which is what a recorder hears of; `.grad` is put back."""
    pairs = [(one, seed) for one, seed in zip(outputs, upstream, strict=True) if seed is not None]
    before = {name: tensor.grad for name, tensor in learned.items()}
    try:
        for tensor in learned.values():
            tensor.grad = None
        if pairs:
            torch.autograd.backward([one for one, _ in pairs], [seed for _, seed in pairs])
        return {name: tensor.grad for name, tensor in learned.items()}
    finally:
        for name, tensor in learned.items():
            tensor.grad = before[name]
