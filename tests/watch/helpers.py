"""Trainings that a test can watch, and operations of which the table can know nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

STRANGE = torch.library.Library("stranger", "DEF")
STRANGE.define("twice(Tensor x) -> Tensor")
STRANGE.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")


def twice(x: Tensor) -> Tensor:
    """An operation that is in nobody's table. It has no derivative."""
    return torch.ops.stranger.twice(x.detach())


class Net(nn.Module):
    """Two layers of unequal width."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 7)
        self.fc2 = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(x)))


def batch(seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 5, generator=generator), torch.randn(6, 3, generator=generator)


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net()


def train(
    module: nn.Module,
    steps: int = 2,
    lossy: Callable[[Tensor, Tensor], Tensor] = nn.functional.mse_loss,
    after: Callable[[nn.Module], object] = lambda module: None,
) -> None:
    """Plain steps of SGD; `after` is called between backward and update."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x, y = batch()
    for _ in range(steps):
        optimizer.zero_grad()
        lossy(module(x), y).backward()
        after(module)
        optimizer.step()


@contextmanager
def planted(name: str, kernel: Callable[..., Tensor]) -> Iterator[None]:
    """PyTorch's kernel of an operation, replaced."""
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        library.impl(name, kernel, "CPU")
    try:
        yield
    finally:
        library._destroy()
