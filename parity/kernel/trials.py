"""The inputs on which a kernel is tried: those given, and others made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeGuard

import numpy as np
import torch

from parity.bounds.formats import format_of

Kind: TypeAlias = Literal["given", "one", "strided", "large", "subnormal", "whole"]
Inputs: TypeAlias = "tuple[object, ...]"

LARGE = 2.0**10
"""The factor of the large inputs: e^x overflows there, unless the largest x is subtracted first."""

MOST = 3
"""The largest of the whole numbers."""


@dataclass(frozen=True)
class Trial:
    """Inputs of one kind."""

    kind: Kind
    inputs: Inputs

    def own(self, tensor: torch.Tensor) -> torch.Tensor:
        """The numbers of an input, or of an upstream gradient, in memory of their own."""
        return strided(tensor.detach()) if self.kind == "strided" else tensor.detach().clone()


def trials(inputs: Inputs) -> Iterator[Trial]:
    """The given inputs first. Of a kind that these inputs do not have, there is no trial.

    * one: the first sample alone, where the batch is the first axis of the first tensor, and of every
      other whose first axis is as long; not where another axis has that length too
    * strided: the given numbers in tensors that are not contiguous, as are the upstream gradients
    * large, subnormal: floats times a power of two
    * whole: floats replaced by whole numbers from −3 to 3
    """
    yield Trial("given", inputs)
    yield from _one(inputs)
    yield Trial("strided", inputs)
    floats = [value for value in inputs if is_float(value)]
    largest = max((float(tensor.detach().abs().max()) for tensor in floats), default=0.0)
    if 0 < largest < math.inf:
        yield Trial("large", _floats(inputs, lambda tensor: _scaled(tensor, LARGE)))
        least = max(format_of(_name(tensor.dtype)).least_normal for tensor in floats)
        factor = 2.0 ** (math.floor(math.log2(least)) - 2 - math.floor(math.log2(largest)))
        yield Trial("subnormal", _floats(inputs, lambda tensor: _scaled(tensor, factor)))
    if floats:
        random = np.random.default_rng(0)
        yield Trial("whole", _floats(inputs, lambda tensor: whole_numbers(tensor, random)))


def is_float(value: object) -> TypeGuard[torch.Tensor]:
    """Whether a value is a tensor of floats."""
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second place of a tensor twice as large."""
    room = tensor.new_zeros((*tensor.shape, 2))
    room[..., 0] = tensor
    return room[..., 0]


def whole_numbers(like: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Whole numbers without zero, in the shape and format of a tensor."""
    sign = random.choice((-1, 1), tuple(like.shape))
    whole = np.asarray(sign * random.integers(1, MOST + 1, tuple(like.shape)))
    return torch.from_numpy(whole).to(like.device, like.dtype)


def _one(inputs: Inputs) -> Iterator[Trial]:
    tensors = [value for value in inputs if isinstance(value, torch.Tensor)]
    first = next((tensor for tensor in tensors if tensor.ndim), None)
    if first is None or first.shape[0] < 2:
        return
    n = first.shape[0]
    if any(n in tensor.shape[1:] for tensor in tensors):
        return

    def alone(value: object) -> object:
        if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == n:
            return value[:1].detach().clone()
        return value

    yield Trial("one", tuple(map(alone, inputs)))


def _floats(inputs: Sequence[object], change: Callable[[torch.Tensor], torch.Tensor]) -> Inputs:
    return tuple(change(value) if is_float(value) else value for value in inputs)


def _scaled(tensor: torch.Tensor, factor: float) -> torch.Tensor:
    exact = tensor.detach().cpu().to(torch.float64)  # not every device has the format
    return (exact * factor).to(tensor.device, tensor.dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
