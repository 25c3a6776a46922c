"""Models drawn at random: graphs of the table's operations, with forks, sharing and writes in place."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from parity.campaign.drawn.networks import HARD_REGIMES

Layer = Callable[[Tensor], Tensor]
FAMILIES = ("rows", "images", "sequences")


@dataclass(frozen=True)
class DrawnModel:
    """A model, one batch of it, and its loss."""

    module: nn.Module
    batch: tuple[Tensor, Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizer: torch.optim.Optimizer


ELEMENTWISE: tuple[Layer, ...] = (
    torch.tanh, torch.sigmoid, F.relu, F.gelu, F.silu, F.elu, F.softplus, F.leaky_relu, F.mish, F.hardswish,
    F.hardtanh, F.logsigmoid, torch.sin, torch.cos, torch.abs, torch.square, F.softsign,
    lambda x: x.exp().clamp(max=9), lambda x: (x * x + 1).sqrt(), lambda x: (x * x + 1).rsqrt(),
    lambda x: (x.abs() + 0.5).log(), lambda x: 1 / (x * x + 0.7), lambda x: x.clamp(-0.8, 1.1),
    lambda x: (x.abs() + 0.1).pow(1.7), lambda x: torch.where(x > 0, x, 0.3 * x), lambda x: F.relu6(x),
    lambda x: torch.erf(x), lambda x: torch.expm1(0.5 * x), lambda x: torch.log1p(x * x),
    lambda x: torch.maximum(x, -0.5 * x), lambda x: x - x.mean(), lambda x: x.masked_fill(x > 1.5, 0.5),
    lambda x: torch.lerp(x, x.tanh(), 0.3), lambda x: torch.addcmul(x, x, x, value=0.1),
)  # fmt: skip

WRITES: tuple[Layer, ...] = (
    lambda x: x.clone().mul_(0.7), lambda x: F.relu_(x * 1.0), lambda x: x.clone().add_(x, alpha=0.5),
    lambda x: _row(x.clone()), lambda x: (x * 1.0).tanh_(), lambda x: x.clone().clamp_(-1, 1),
)  # fmt: skip

ROWS: tuple[Layer, ...] = (
    lambda x: x.softmax(-1), lambda x: x.log_softmax(-1), lambda x: F.normalize(x, dim=-1),
    lambda x: x.cumsum(-1), lambda x: x.flip(-1), lambda x: x.roll(1, -1), lambda x: x.sort(-1)[0],
    lambda x: x - x.logsumexp(-1, keepdim=True), lambda x: x / (x.std(-1, keepdim=True) + 0.5),
    lambda x: torch.cat([x[..., :1], x[..., 1:].square()], -1), lambda x: x * x.amax(-1, keepdim=True),
    lambda x: x[..., torch.arange(x.shape[-1] - 1, -1, -1)], lambda x: x.index_select(0, _order(x)),
    lambda x: torch.stack(x.chunk(2, 0), 0).flatten(0, 1) if len(x) % 2 == 0 else x,
    lambda x: x.gather(-1, (x.detach().argsort(-1))), lambda x: x + x.sum(0, keepdim=True) / len(x),
    lambda x: torch.zeros_like(x).scatter_add(-1, x.detach().argsort(-1), x),
    lambda x: x * x.var(-1, keepdim=True),
    lambda x: torch.einsum("...i,...j->...i", x, x) / x.shape[-1], lambda x: F.dropout(x, 0.2),
)  # fmt: skip


def _row(x: Tensor) -> Tensor:
    x[0] *= 0.5
    x[..., 1:].add_(x[..., :-1].clone())
    return x


def _order(x: Tensor) -> Tensor:
    return torch.arange(len(x)).flip(0)


class Chain(nn.Module):
    """Steps one after the other; some results are kept and added again later."""

    def __init__(self, steps: list[Layer], forks: dict[int, int], parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts, self._steps, self._forks = nn.ModuleList(parts), steps, forks

    def forward(self, x: Tensor) -> Tensor:
        kept: dict[int, Tensor] = {}
        for place, step in enumerate(self._steps):
            x = step(x)
            kept[place] = x
            earlier = kept.get(self._forks.get(place, -1))
            if earlier is not None and earlier.shape == x.shape:
                x = x + earlier if place % 2 else x * torch.sigmoid(earlier)
        return x


class SelfAttention(nn.Module):
    """Self-attention over the middle axis, in one kernel or written out."""

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        self.qkv, self.fused = nn.Linear(width, 3 * width), fused

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.fused:
            return F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], is_causal=True)[:, 0]
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        mixed: Tensor = scores.softmax(-1) @ v
        return mixed


def drawn(
    seed: int,
    dtype: torch.dtype,
    size: int = 1,
    *,
    family: str | None = None,
    batch: int | None = None,
    layers: int | None = None,
    regime: str = "ordinary",
) -> DrawnModel:
    """The model of a seed. `size` makes its batches larger; what else is given is not drawn."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    chosen = rng.choice(FAMILIES)
    family = family or chosen
    parts: list[nn.Module] = []
    steps: list[Layer] = []
    n = rng.randint(2, 6) * size
    n = batch or n

    def add(part: nn.Module) -> None:
        parts.append(part)
        steps.append(part)

    if family == "rows":
        width = rng.randint(3, 9)
        x = torch.randn(n, width)
    elif family == "sequences":
        width = rng.choice((4, 6, 8))
        x = torch.randn(n, rng.randint(2, 7), width)
    else:
        width = rng.choice((2, 4, 6))
        x = torch.randn(n, width, 8, 8)
    count = rng.randint(3, 9)
    for _ in range(layers or count):
        kind = rng.random()
        if kind < 0.35:
            steps.append(rng.choice(ELEMENTWISE))
        elif kind < 0.42:
            steps.append(rng.choice(WRITES))
        elif kind < 0.55:
            steps.append(rng.choice(ROWS))
        elif kind < 0.6 and parts:
            again = rng.choice(parts)
            width = _shared(again, steps, width)
        elif family == "images":
            width = _image(rng, width, add, steps)
        elif family == "sequences" and kind < 0.72:
            add(SelfAttention(width, fused=rng.random() < 0.5))
        elif family == "sequences" and kind < 0.78:
            recurrent = rng.choice((nn.LSTM, nn.GRU))(width, width, batch_first=True)
            parts.append(recurrent)
            steps.append(_first(recurrent))
        else:
            width = _row_layer(rng, width, add)
    if not parts:
        linear = nn.Linear(1, 1)
        add(linear)
        steps[-1] = lambda x: linear(x[..., :1])
    forks = {rng.randrange(1, max(2, len(steps))): rng.randrange(len(steps)) for _ in range(3)}
    module = Chain(steps, forks, parts).to(dtype)
    scale = rng.choice((1.0, 1.0, 30.0, 1e-3))
    x = (x * scale if regime == "ordinary" else _in_regime(regime, seed, x.to(dtype))).to(dtype)
    with torch.no_grad():
        shape = module(x).shape
    y = torch.randn(shape, dtype=dtype)
    loss = rng.choice((F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, _entropy))
    optimizer = rng.choice(
        (
            lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            lambda p: torch.optim.AdamW(p, lr=1e-3),
            lambda p: torch.optim.RMSprop(p, lr=1e-3),
        )
    )(module.parameters())
    return DrawnModel(module, (x, y), loss, optimizer)


def _in_regime(regime: str, seed: int, like: Tensor) -> Tensor:
    values = HARD_REGIMES[regime](
        np.random.default_rng(seed), tuple(like.shape), np.dtype(like.numpy().dtype)
    )
    return torch.from_numpy(np.ascontiguousarray(values))


def _first(recurrent: nn.Module) -> Layer:
    return lambda x: recurrent(x)[0]


def _entropy(found: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(found.flatten(1), y.flatten(1).argmax(1))


def _shared(part: nn.Module, steps: list[Layer], width: int) -> int:
    """The same weights again, where they fit."""
    if isinstance(part, nn.Linear) and part.in_features == part.out_features == width:
        steps.append(part)
    return width


def _row_layer(rng: random.Random, width: int, add: Callable[[nn.Module], None]) -> int:
    kind = rng.randrange(4)
    if kind == 0:
        add(nn.LayerNorm(width))
        return width
    other = rng.choice((width, width, rng.randint(2, 10)))
    add(nn.Linear(width, other, bias=rng.random() < 0.7))
    return other


def _image(rng: random.Random, width: int, add: Callable[[nn.Module], None], steps: list[Layer]) -> int:
    kind = rng.randrange(9)
    if kind == 0:
        add(nn.BatchNorm2d(width))
    elif kind == 1:
        add(nn.GroupNorm(2, width))
    elif kind == 2:
        steps.append(lambda x: F.max_pool2d(x, 2, stride=1) if x.shape[-1] > 2 else x)
    elif kind == 3:
        steps.append(lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False))
    elif kind == 4:
        steps.append(
            lambda x: F.interpolate(F.avg_pool2d(x, 2, ceil_mode=True), scale_factor=2, mode="nearest")
        )
    elif kind == 5:
        add(nn.Conv2d(width, width, 3, padding=2, dilation=2, groups=rng.choice((1, 2))))
    elif kind == 6:
        add(nn.ConvTranspose2d(width, width, 3, padding=1))
    else:
        other = rng.choice((2, 4, 6))
        add(nn.Conv2d(width, other, rng.choice((1, 3)), padding=1, bias=rng.random() < 0.7))
        return other
    return width
