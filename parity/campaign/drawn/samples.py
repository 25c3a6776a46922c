"""PyTorch's own samples of its operators, from `torch.testing._internal`'s OpInfo, in any regime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from parity.campaign.drawn.networks import HARD_REGIMES
from parity.pytorch.recorder.signatures import tensors

MOST = 12
"""Samples of an operator."""

AS_GIVEN = "samples"
"""The regime of PyTorch's own numbers."""

FINEST = {"float64": np.float64, "float16": np.float16}
"""The formats that numpy draws for as they are; the others are drawn for as float32."""


class OperatorSample(Protocol):
    """Operands of one call."""

    input: object
    args: tuple[object, ...]
    kwargs: Mapping[str, object]

    def summary(self) -> str:
        """In words."""
        ...


class Operator(Protocol):
    """What is read of an OpInfo."""

    name: str
    variant_test_name: str
    supports_autograd: bool

    def __call__(self, *operands: object, **options: object) -> object:
        """Call the operator."""
        ...

    def supported_dtypes(self, device: str) -> set[torch.dtype]:
        """The formats that it takes."""
        ...

    def sample_inputs(
        self, device: str, dtype: torch.dtype, *, requires_grad: bool
    ) -> Iterator[OperatorSample]:
        """Samples, drawn at random."""
        ...


@cache
def operators() -> Mapping[str, Operator]:
    """Every differentiable operator by name and variant. Raises ImportError where PyTorch cannot say."""
    from torch.testing._internal.common_methods_invocations import op_db

    return {
        f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name: op
        for op in op_db
        if op.supports_autograd and "cpu" not in getattr(op, "skips_device", ())
    }


def samples(op: Operator, dtype: torch.dtype, seed: int | None = None) -> list[OperatorSample]:
    """The first samples of an operator; the same ones for the same seed."""
    if seed is not None:
        torch.manual_seed(seed)
    return list(islice(op.sample_inputs("cpu", dtype, requires_grad=True), MOST))


def in_regime(sample: OperatorSample, regime: str, seed: int) -> None:
    """Overwrite the numbers of a sample's differentiable operands."""
    random = np.random.default_rng(seed)
    for operand in tensors((sample.input, sample.args, dict(sample.kwargs))):
        overlapping = any(
            step == 0 and n > 1 for step, n in zip(operand.stride(), operand.shape, strict=True)
        )
        if operand.requires_grad and operand.is_floating_point() and not overlapping:
            kind = np.dtype(FINEST.get(str(operand.dtype).removeprefix("torch."), np.float32))
            values = np.asarray(HARD_REGIMES[regime](random, tuple(operand.shape), kind))
            with torch.no_grad(), np.errstate(over="ignore"):
                operand.copy_(torch.from_numpy(values))


def forward_and_back(op: Callable[..., object], sample: OperatorSample) -> bool:
    """Call an operator and go back from all that it made with random gradients; whether there was a way."""
    torch.manual_seed(5)
    made = op(sample.input, *sample.args, **sample.kwargs)
    outs: list[Tensor] = [t for t in tensors(made) if t.requires_grad and t.is_floating_point()]
    if outs:
        torch.autograd.backward(outs, [torch.randn_like(t) for t in outs])
    return bool(outs)
