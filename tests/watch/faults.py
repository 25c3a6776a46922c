"""Faults planted into what PyTorch really runs: its kernels, and its backward formulas, replaced.

A plant is a name, the operation whose kernel it replaces, and a function of the true kernel: under a
dispatch mode that lies below the recorder's, the program computes on with the wrong numbers. Nodes
whose backward formula is a kernel of its own (`native_layer_norm_backward`) are replaced by name;
others by changing the gradients on their way from a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import parity
from parity.pytorch.recorder.internals import in_backward
from parity.watch.result import WatchResult
from tests.pytorch.recorder.models import MODELS

Kernel = Callable[..., object]
LITTLE = 1 + 1e-5


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


def steps(name: str, plant: AbstractContextManager[list[str]] | None = None) -> tuple[WatchResult, int]:
    """One watched step of a model of the zoo: the result, and how often the plant ran."""
    torch.manual_seed(1)
    module, make_batch, loss = MODELS[name]()
    batch = make_batch(0)
    if plant is None:
        with parity.watch(module) as watched:
            loss(module, *batch).backward()
        return watched.result, 0
    with plant as planted, parity.watch(module) as watched:
        loss(module, *batch).backward()
    return watched.result, len(planted)


def kinds(name: str) -> list[str]:
    """The nodes that a model's loss has, by name."""
    torch.manual_seed(1)
    module, make_batch, loss = MODELS[name]()
    waiting, seen, found = [loss(module, *make_batch(0)).grad_fn], set(), set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
            if not hasattr(node, "variable"):
                found.add(node.name())
    return sorted(found)
