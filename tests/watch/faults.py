"""Faults planted into what PyTorch really runs: its kernels, and its backward formulas, replaced.

A plant is a name, the operation whose kernel it replaces, and a function of the true kernel: under a
dispatch mode that lies below the recorder's, the program computes on with the wrong numbers. Nodes
whose backward formula is a kernel of its own (`native_layer_norm_backward`) are replaced by name;
others by changing the gradients on their way from a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from parity.pytorch.recorder.internals import in_backward

Kernel = Callable[..., object]


class _Below(TorchDispatchMode):
    """Runs a replacement of one operation: what is entered first is asked last."""

    def __init__(self, operation: str, wrong: Callable[..., object], *, back: bool | None) -> None:
        super().__init__()
        self._operation, self._wrong, self._back = operation, wrong, back
        self.touched: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        back = in_backward()
        if str(func) != self._operation or self._back not in (None, back):
            return func(*args, **(kwargs or {}))
        self.touched.append(str(func))
        return self._wrong(lambda *a, **k: func(*a, **{**(kwargs or {}), **k}), *args)


@contextmanager
def kernel(
    operation: str, wrong: Callable[..., object], *, back: bool | None = None
) -> Iterator[list[str]]:
    """`wrong(true, *args)` stands for an operation: everywhere, in a backward pass only, or not there."""
    mode = _Below(operation, wrong, back=back)
    with mode:
        yield mode.touched


@dataclass(frozen=True)
class Scaled:
    """Every tensor of floats that an operation makes, a little larger."""

    factor: float = 1 + 1e-5
    place: int | None = None

    def __call__(self, true: Kernel, *args: object) -> object:
        found = true(*args)
        if isinstance(found, Tensor):
            return self._larger(found)
        assert isinstance(found, (tuple, list))
        return type(found)(
            self._larger(part) if self.place in (None, place) else part for place, part in enumerate(found)
        )

    def _larger(self, tensor: object) -> object:
        return tensor * self.factor if isinstance(tensor, Tensor) and tensor.is_floating_point() else tensor


@contextmanager
def gradients(node: str, factor: float, edge: int | None = None) -> Iterator[list[str]]:
    """What nodes of a kind send on, a little larger: their vector-Jacobian product is another one's.

    The hook is on the node itself, put there before the recorder's own, so that it is part of the node.
    """
    touched: list[str] = []
    original = torch.Tensor.backward

    def wrong(
        grad_in: tuple[Tensor | None, ...], grad_out: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...]:
        del grad_out
        touched.append(node)
        return tuple(
            g * factor if g is not None and edge in (None, place) else g for place, g in enumerate(grad_in)
        )

    def backward(tensor: Tensor, *args: object, **kwargs: object) -> object:
        waiting, seen = [tensor.grad_fn], set()
        while waiting:
            one = waiting.pop()
            if one is None or one in seen:
                continue
            seen.add(one)
            if one.name() == node:
                one.register_hook(wrong)
            waiting += [after for after, _ in one.next_functions]
        return original(tensor, *args, **kwargs)

    torch.Tensor.backward = backward  # type: ignore[method-assign]
    try:
        yield touched
    finally:
        torch.Tensor.backward = original  # type: ignore[method-assign]
