"""Trainings on two ranks: right ones of every usual kind, and mistakes that people make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook, fp16_compress_hook
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel

from tests.watch.helpers import planted

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


def by_hand_clipped(rank: int) -> None:
    def clip(module: nn.Module) -> None:
        average(module)
        nn.utils.clip_grad_norm_(module.parameters(), 1e-2)

    train(rank, net(), after=clip)


def by_hand_through_rank_0(rank: int) -> None:
    def reduce(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.reduce(grad, 0)
            grad /= N
            distributed.broadcast(grad, 0)

    train(rank, net(), after=reduce)


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


def ddp_hooked(rank: int) -> None:
    """A communication hook that does what DDP does without one."""
    module = DistributedDataParallel(net())
    module.register_comm_hook(None, allreduce_hook)
    train(rank, module)


def ddp_two_optimizers(rank: int) -> None:
    module = DistributedDataParallel(net())
    parts = (
        torch.optim.SGD(module.module.fc1.parameters(), lr=0.1),
        torch.optim.Adam(module.module.fc2.parameters()),
    )
    for step in range(2):
        x, y = data(rank + N * step)
        module.zero_grad()
        mse_loss(module(x), y).backward()
        for optimizer in parts:
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1e-2)
            optimizer.step()


def ddp_scaled(rank: int) -> None:
    """A scaled loss, whose gradients are scaled back and clipped before the update."""
    module, scaler = DistributedDataParallel(net()), torch.amp.GradScaler("cpu", init_scale=8.0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for step in range(2):
        x, y = data(rank + N * step)
        optimizer.zero_grad()
        scaler.scale(mse_loss(module(x), y)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(module.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()


def ddp_after_an_evaluation(rank: int) -> None:
    """One rank runs the module inside before, so that it comes by another name there."""
    module = DistributedDataParallel(net(normed=True))
    if rank == 0:
        module.module.eval()
        module.module(data(5)[0])
        module.module.train()
    train(rank, module)


def ddp_scaled_by_the_number_of_ranks(rank: int) -> None:
    def scale_back(module: nn.Module) -> None:
        for grad in gradients(module):
            grad /= N

    train(rank, DistributedDataParallel(net()), loss=lambda z, y: N * mse_loss(z, y), after=scale_back)


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


def mean_undone(rank: int) -> None:
    """DDP's mean, multiplied by the number of ranks as if it were to be undone."""

    def undo(module: nn.Module) -> None:
        for grad in gradients(module):
            grad *= N

    train(rank, DistributedDataParallel(net()), after=undo)


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


def loaded_on_rank_0(rank: int) -> None:
    """Weights that one rank loads after the ranks were made alike."""
    module = DistributedDataParallel(net())
    if rank == 0:
        module.module.load_state_dict(net(seed=1).state_dict())
    train(rank, module)


def other_start(rank: int) -> None:
    """Averaged by hand, and nobody made the ranks start from the same numbers."""
    train(rank, net(seed=rank), after=average)


def unequal_batches(rank: int) -> None:
    train(rank, DistributedDataParallel(net()), samples=6 - 2 * rank)


def drifting_buffers(rank: int) -> None:
    train(rank, DistributedDataParallel(net(normed=True), broadcast_buffers=False), steps=3)


def summed_by_a_hook(rank: int) -> None:
    def added(state, bucket):  # type: ignore[no-untyped-def]  # PyTorch reads annotations, and finds texts
        sent = distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
        return sent.then(lambda done: done.value()[0])

    module = DistributedDataParallel(net())
    module.register_comm_hook(None, added)
    train(rank, module)


def never_synchronised(rank: int) -> None:
    """Every backward pass under `no_sync`, the last one too."""
    module = DistributedDataParallel(net())
    with module.no_sync():
        train(rank, module)


def of_rank_0(rank: int) -> None:
    def send(module: nn.Module) -> None:
        for grad in gradients(module):
            distributed.broadcast(grad, 0)

    train(rank, net(), after=send)


def forgotten_bias(rank: int) -> None:
    def weights(module: nn.Module) -> None:
        for one in module.parameters():
            if one.ndim > 1:
                distributed.all_reduce(one.grad)
                one.grad /= N

    train(rank, net(), after=weights)


def other_rate(rank: int) -> None:
    """Each rank has a learning rate of its own."""
    module = DistributedDataParallel(net())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1 * (rank + 1))
    x, y = data(rank)
    mse_loss(module(x), y).backward()
    optimizer.step()


def same_batches(rank: int) -> None:
    """Nobody gave each rank a part of the data of its own."""
    train(0, DistributedDataParallel(net()))


def accumulating_undivided(rank: int) -> None:
    accumulate(rank, DistributedDataParallel(net()), by=1)


def clipped_and_zeroed_on_rank_0(rank: int) -> None:
    """One rank loses its gradients; those of the other are clipped, and right."""

    def clip(module: nn.Module) -> None:
        nn.utils.clip_grad_norm_(module.parameters(), 1e-2)
        if rank == 0:
            module.module.fc2.weight.grad.zero_()  # type: ignore[union-attr]

    train(rank, DistributedDataParallel(net()), steps=1, after=clip)


def largest_of_means(rank: int) -> None:
    """After DDP's mean another exchange, of which the mean is not the result."""

    def exchange(module: nn.Module) -> None:
        for grad in gradients(module):
            grad *= rank + 3
            distributed.all_reduce(grad, op=distributed.ReduceOp.MAX)

    train(rank, DistributedDataParallel(net()), after=exchange)


# --- What is not the mean, and no mistake -----------------------------------------------------------------


def compressed(rank: int) -> None:
    module = DistributedDataParallel(net())
    module.register_comm_hook(None, fp16_compress_hook)
    train(rank, module)


def updated_by_hand(rank: int) -> None:
    module = DistributedDataParallel(net())
    x, y = data(rank)
    for _ in range(2):
        module.zero_grad()
        mse_loss(module(x), y).backward()
        with torch.no_grad():
            for one in module.parameters():
                one -= 0.1 * one.grad


def uneven(rank: int) -> None:
    module = DistributedDataParallel(net())
    with module.join():
        train(rank, module, steps=2 + rank)


def local(rank: int) -> None:
    """Each rank on its own for two steps; then the parameters are averaged."""
    module = net()
    train(rank, module)
    for one in module.parameters():
        distributed.all_reduce(one.data)
        one.data /= N


def sharded(rank: int) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    train(rank, fully_shard(net(), mesh=init_device_mesh("cpu", (N,))))


def planted_on_rank_1(rank: int) -> None:
    """PyTorch's tanh is wrong on one rank."""
    wrong = planted("tanh", lambda x: torch.sin(x) / torch.cos(x) * 0.5) if rank else nullcontext()
    with wrong:
        train(rank, DistributedDataParallel(net()), steps=1)


def sharded_states(rank: int) -> None:
    """Each rank's optimizer updates parameters of its own, inside of another that all have."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    module = DistributedDataParallel(net())
    optimizer = ZeroRedundancyOptimizer(module.parameters(), torch.optim.SGD, lr=0.1)
    x, y = data(rank)
    for _ in range(2):
        optimizer.zero_grad()
        mse_loss(module(x), y).backward()
        optimizer.step()


def altered_on_rank_1(rank: int) -> None:
    module = net()
    if rank:
        module.fc1.weight.register_hook(lambda g: g.clamp(-0.01, 0.01))
    train(rank, DistributedDataParallel(module))


def exchanged_late(rank: int) -> None:
    """An exchange that is not waited for, to which one rank comes late."""

    def late(module: nn.Module) -> None:
        for grad in gradients(module):
            time.sleep(0.1 * rank)
            sent = distributed.all_reduce(grad, async_op=True)
            assert sent.is_completed()  # watched, it is waited for
            sent.wait()
            grad /= N

    train(rank, net(), steps=1, after=late)
