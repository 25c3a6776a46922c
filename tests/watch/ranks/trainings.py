"""Trainings on two ranks: right ones of every usual kind, and mistakes that people make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel

N = 2


class Net(nn.Module):
    """Two layers of unequal width."""

    def __init__(self, *, normed: bool = False) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 7)
        self.norm = nn.BatchNorm1d(7) if normed else nn.Identity()
        self.fc2 = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.norm(self.fc1(x))))


def net(*, normed: bool = False, seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net(normed=normed)


def data(rank: int, samples: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rank + 1)
    return torch.randn(samples, 5, generator=generator), torch.randn(samples, 3, generator=generator)


def train(
    rank: int,
    module: nn.Module,
    *,
    steps: int = 2,
    samples: int = 6,
    loss: Callable[[Tensor, Tensor], Tensor] = mse_loss,
    after: Callable[[nn.Module], object] = lambda module: None,
    optimizer: type[torch.optim.Optimizer] = torch.optim.SGD,
) -> None:
    """Plain steps; `after` is called between backward and update."""
    made = optimizer(module.parameters(), lr=0.1)
    x, y = data(rank, samples)
    for _ in range(steps):
        made.zero_grad()
        loss(module(x), y).backward()
        after(module)
        made.step()


def gradients(module: nn.Module) -> Iterable[Tensor]:
    return [one.grad for one in module.parameters() if one.grad is not None]


def average(module: nn.Module) -> None:
    """By hand: the sum of the ranks, divided by their number."""
    for grad in gradients(module):
        distributed.all_reduce(grad)
        grad /= N


def accumulate(rank: int, module: nn.Module, *, passes: int = 3, by: int = 3) -> None:
    """Micro-batches, of which only the last one's backward pass is synchronised."""
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for step in range(2):
        optimizer.zero_grad()
        for micro in range(passes):
            waits = micro < passes - 1 and isinstance(module, DistributedDataParallel)
            x, y = data(10 * step + 2 * micro + rank)
            with module.no_sync() if waits else nullcontext():
                (mse_loss(module(x), y) / by).backward()
        optimizer.step()


# --- Right ------------------------------------------------------------------------------------------------


def ddp(rank: int) -> None:
    train(rank, DistributedDataParallel(net()))


def ddp_adam_bucket_view(rank: int) -> None:
    train(
        rank,
        DistributedDataParallel(net(), gradient_as_bucket_view=True),
        optimizer=torch.optim.AdamW,
        steps=3,
    )


def ddp_batch_norm(rank: int) -> None:
    train(rank, DistributedDataParallel(net(normed=True)), steps=3)


def ddp_clipped(rank: int) -> None:
    def clip(module: nn.Module) -> None:
        nn.utils.clip_grad_norm_(module.parameters(), 1e-2)

    train(rank, DistributedDataParallel(net()), after=clip)


def ddp_clipped_by_value(rank: int) -> None:
    def clip(module: nn.Module) -> None:
        nn.utils.clip_grad_value_(module.parameters(), 1e-3)

    train(rank, DistributedDataParallel(net(), gradient_as_bucket_view=True), after=clip)


def ddp_accumulating(rank: int) -> None:
    accumulate(rank, DistributedDataParallel(net(normed=True)))


def ddp_accumulating_bucket_view(rank: int) -> None:
    accumulate(rank, DistributedDataParallel(net(), gradient_as_bucket_view=True))


class Branches(nn.Module):
    """A branch that one rank takes alone, and one that nobody takes."""

    def __init__(self, taken: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.never = nn.Linear(5, 3), nn.Linear(5, 3), nn.Linear(5, 3)
        self.taken = taken

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.two(x) if self.taken else self.one(x)


def ddp_unused(rank: int) -> None:
    train(rank, DistributedDataParallel(Branches(rank == 1), find_unused_parameters=True))


def by_hand(rank: int) -> None:
    train(rank, net(), after=average)


def by_hand_flat_and_clipped(rank: int) -> None:
    def flat(module: nn.Module) -> None:
        grads = list(gradients(module))
        whole = torch.cat([grad.reshape(-1) for grad in grads])
        distributed.all_reduce(whole)
        whole /= N
        for grad, part in zip(grads, whole.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))
        nn.utils.clip_grad_norm_(module.parameters(), 1e-2)

    train(rank, net(), after=flat)


def by_hand_gathered(rank: int) -> None:
    def gather(module: nn.Module) -> None:
        for one in module.parameters():
            parts = [torch.empty_like(one) for _ in range(N)]
            distributed.all_gather(parts, one.grad)
            one.grad = torch.stack(parts).mean(0)

    train(rank, net(), after=gather)


def by_hand_of_all_samples(rank: int) -> None:
    """Unequal batches, each rank's gradient weighted by its own."""
    samples = 6 - 2 * rank

    def weigh(module: nn.Module) -> None:
        count = torch.tensor(float(samples))
        distributed.all_reduce(count)
        for grad in gradients(module):
            grad *= samples
            distributed.all_reduce(grad)
            grad /= count

    train(rank, net(), samples=samples, after=weigh)


def shares_added(rank: int) -> None:
    """Each rank's loss is its share of one mean over unequal batches: the gradients are added."""
    samples = 6 - 2 * rank

    def loss(z: Tensor, y: Tensor) -> Tensor:
        count = torch.tensor(float(z.numel()))
        distributed.all_reduce(count)
        return ((z - y) ** 2).sum() / count

    def add(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.all_reduce(grad)

    train(rank, net(), samples=samples, loss=loss, after=add)


def ddp_of_all_samples(rank: int) -> None:
    """Unequal batches under DDP, each loss scaled to what its samples are of all."""
    samples = 6 - 2 * rank

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return mse_loss(z, y) * (N * samples / 10)

    train(rank, DistributedDataParallel(net()), samples=samples, loss=loss)


# --- Mistakes ---------------------------------------------------------------------------------------------


def summed(rank: int) -> None:
    def add(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.all_reduce(grad)

    train(rank, net(), after=add)


def summed_and_clipped(rank: int) -> None:
    def add(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.all_reduce(grad)
        nn.utils.clip_grad_norm_(module.parameters(), 1e-2)

    train(rank, net(), after=add)


def added_again(rank: int) -> None:
    """DDP's mean, added up over the ranks once more."""

    def add(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.all_reduce(grad)

    train(rank, DistributedDataParallel(net()), after=add)


def divided_twice(rank: int) -> None:
    def divide(module: nn.Module) -> None:
        for grad in gradients(module):
            grad /= N

    train(rank, DistributedDataParallel(net()), after=divide)


def divided_in_the_loss_too(rank: int) -> None:
    train(rank, DistributedDataParallel(net()), loss=lambda z, y: mse_loss(z, y) / N)


def head_outside(rank: int) -> None:
    """DDP around a part of the model: the other part is not synchronised."""
    whole = net()
    whole.fc1 = DistributedDataParallel(whole.fc1)  # type: ignore[assignment]
    train(rank, whole)


def bypassed(rank: int) -> None:
    """The module inside is called, not the one that synchronises it."""
    train(rank, DistributedDataParallel(net()).module)


def other_start(rank: int) -> None:
    """Averaged by hand, and nobody made the ranks start from the same numbers."""
    train(rank, net(seed=rank), after=average)


def unequal_batches(rank: int) -> None:
    train(rank, DistributedDataParallel(net()), samples=6 - 2 * rank)


def drifting_buffers(rank: int) -> None:
    train(rank, DistributedDataParallel(net(normed=True), broadcast_buffers=False), steps=3)
