"""Small PyTorch models of many kinds: `MODELS` maps a name to a factory.

A factory returns a module, `make_batch(seed)`, the arguments of one step, and `loss(module, *batch)`,
a scalar. Modules are made of the global generator: seed it first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Batch = Callable[[int], tuple[Tensor, ...]]
Factory = Callable[[], tuple[nn.Module, Batch, Callable[..., Tensor]]]
MODELS: dict[str, Factory] = {}


def model(make: Callable[[], tuple[nn.Module, Batch, Callable[..., Tensor]]]) -> Factory:
    MODELS[make.__name__] = make
    return make


def real(*shape: int) -> Callable[[torch.Generator], Tensor]:
    return lambda generator: torch.randn(shape, generator=generator)


def whole(high: int, *shape: int) -> Callable[[torch.Generator], Tensor]:
    return lambda generator: torch.randint(high, shape, generator=generator)


def batch(*parts: Callable[[torch.Generator], Tensor]) -> Batch:
    def made(seed: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        return tuple(part(generator) for part in parts)

    return made


def mse(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(module(x), y)


def classes(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(module(x), y)


def tokens(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(module(x).flatten(0, 1), y.flatten())


class Of(nn.Module):
    """A module whose forward is a function of its parts."""

    def __init__(self, forward: Callable[..., Tensor], **parts: Any) -> None:
        super().__init__()
        self._forward = forward
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, Tensor) else part)

    def forward(self, *args: Tensor) -> Tensor:
        return self._forward(self, *args)


# --- Multilayer perceptrons ---------------------------------------------------------------------------


@model
def mlp_tanh():
    net = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3))
    return net, batch(real(5, 6), real(5, 3)), mse


@model
def mlp_classifier():
    net = nn.Sequential(nn.Linear(7, 11), nn.ReLU(), nn.Linear(11, 8), nn.GELU(), nn.Linear(8, 4))
    return net, batch(real(6, 7), whole(4, 6)), classes


@model
def mlp_dropout():
    net = nn.Sequential(nn.Linear(7, 12), nn.SiLU(), nn.Dropout(0.3), nn.Linear(12, 3))
    return net, batch(real(6, 7), real(6, 3)), mse


@model
def mlp_double():
    net = nn.Sequential(nn.Linear(6, 9), nn.Sigmoid(), nn.Linear(9, 3)).double()
    return net, lambda seed: tuple(t.double() for t in batch(real(5, 6), real(5, 3))(seed)), mse


@model
def weight_sharing():
    def forward(self, x):
        for _ in range(3):
            x = torch.tanh(self.cell(x))
        return x @ self.cell.weight

    return Of(forward, cell=nn.Linear(6, 6)), batch(real(4, 6), real(4, 6)), mse


@model
def residual_in_place():
    def forward(self, x):
        h = self.a(x)
        h += x
        h = F.relu_(h)
        return self.b(h).mul_(0.5).add_(x)

    return Of(forward, a=nn.Linear(6, 6), b=nn.Linear(6, 6)), batch(real(4, 6), real(4, 6)), mse


@model
def in_place_on_views():
    def forward(self, x):
        h = self.a(x) * 1.0
        h[:, :3] *= self.scale
        h[:, 3:].add_(h[:, :3])
        h[0].zero_()
        return torch.tanh(h) + h

    parts = dict(a=nn.Linear(5, 6), scale=torch.linspace(0.5, 1.5, 3))
    return Of(forward, **parts), batch(real(4, 5), real(4, 6)), mse


@model
def in_place_on_saved():
    def forward(self, x):
        h = torch.tanh(self.a(x))
        g = self.b(x)
        g.mul_(h)  # autograd saves what g was
        return g.div_(self.scale.exp())

    parts = dict(a=nn.Linear(5, 6), b=nn.Linear(5, 6), scale=torch.zeros(6))
    return Of(forward, **parts), batch(real(4, 5), real(4, 6)), mse


@model
def data_dependent():
    def forward(self, x):
        h = self.a(x)
        if h.mean().item() > 0:
            h = h * 2
        for _ in range(int(h.detach().abs().sum().item()) % 3 + 1):
            h = torch.tanh(self.b(h))
        return h

    return Of(forward, a=nn.Linear(5, 6), b=nn.Linear(6, 6)), batch(real(4, 5), real(4, 6)), mse


@model
def mixture_of_experts():
    def forward(self, x):
        gate = self.gate(x).softmax(-1)
        weight, chosen = gate.topk(2, -1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(chosen == number)
            if len(row):
                out = out.index_add(0, row, expert(x[row]) * weight[row, place, None])
        return out

    experts = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
    return Of(forward, gate=nn.Linear(6, 3), experts=experts), batch(real(7, 6), real(7, 6)), mse


# --- Convolutions -------------------------------------------------------------------------------------


@model
def cnn():
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3),
                        nn.LeakyReLU(), nn.Flatten(), nn.Linear(20, 3))  # fmt: skip
    return net, batch(real(3, 2, 8, 8), whole(3, 3)), classes


@model
def cnn_batch_norm():
    net = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
                        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3))  # fmt: skip
    return net, batch(real(5, 2, 8, 8), whole(3, 5)), classes


@model
def resnet_block():
    def forward(self, x):
        h = self.bn1(self.conv1(x)).relu_()
        h = self.bn2(self.conv2(h))
        h += self.down(x)
        return self.head(F.adaptive_avg_pool2d(h.relu_(), 1).flatten(1))

    parts = dict(
        conv1=nn.Conv2d(2, 4, 3, stride=2, padding=1),
        bn1=nn.BatchNorm2d(4),
        head=nn.Linear(4, 3),
        conv2=nn.Conv2d(4, 4, 3, padding=1),
        bn2=nn.BatchNorm2d(4),
        down=nn.Conv2d(2, 4, 1, stride=2),
    )
    return Of(forward, **parts), batch(real(4, 2, 8, 8), whole(3, 4)), classes


@model
def cnn_channels_last():
    net = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=2),
                        nn.Flatten(), nn.Linear(216, 3)).to(memory_format=torch.channels_last)  # fmt: skip
    made = batch(real(2, 3, 8, 8), whole(3, 2))
    return net, lambda seed: (made(seed)[0].to(memory_format=torch.channels_last), made(seed)[1]), classes


@model
def depthwise_separable():
    net = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.Hardswish(), nn.Conv2d(4, 6, 1),
                        nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))  # fmt: skip
    return net, batch(real(3, 4, 6, 6), whole(3, 3)), classes


@model
def conv1d_dilated():
    net = nn.Sequential(nn.Conv1d(2, 5, 3, dilation=2, padding=2), nn.ELU(), nn.Conv1d(5, 3, 1))
    return net, batch(real(3, 2, 9), real(3, 3, 9)), mse


@model
def conv3d():
    net = nn.Sequential(nn.Conv3d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(81, 2))
    return net, batch(real(2, 1, 5, 5, 5), real(2, 2)), mse


@model
def u_net():
    def forward(self, x):
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        up = torch.cat([self.up(b), a], 1)
        fine = F.interpolate(F.relu(self.mix(up)), scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(F.interpolate(fine, scale_factor=0.5, mode="nearest"))

    parts = dict(
        down1=nn.Conv2d(1, 4, 3, padding=1),
        down2=nn.Conv2d(4, 6, 3, padding=1),
        out=nn.Conv2d(4, 2, 1),
        up=nn.ConvTranspose2d(6, 4, 2, stride=2),
        mix=nn.Conv2d(8, 4, 3, padding=1),
    )
    return Of(forward, **parts), batch(real(2, 1, 8, 8), real(2, 2, 8, 8)), mse


@model
def autoencoder_group_norm():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.SiLU(),
                        nn.Conv2d(4, 2, 3, padding=1), nn.Upsample(scale_factor=2),
                        nn.InstanceNorm2d(2, affine=True),
                        nn.ConvTranspose2d(2, 1, 3, padding=1), nn.Sigmoid())  # fmt: skip
    return net, batch(real(2, 1, 8, 8)), lambda module, x: F.l1_loss(module(x), x)


@model
def pixel_shuffle():
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.PReLU(8), nn.PixelShuffle(2),
                        nn.ReflectionPad2d(1), nn.Conv2d(2, 1, 3))  # fmt: skip
    return net, batch(real(2, 1, 5, 5), real(2, 1, 10, 10)), mse


# --- Recurrence ---------------------------------------------------------------------------------------


@model
def lstm():
    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])

    return Of(forward, rnn=nn.LSTM(4, 6, batch_first=True), head=nn.Linear(6, 3)), \
        batch(real(3, 5, 4), whole(3, 3)), classes  # fmt: skip


@model
def gru():
    def forward(self, x):
        return self.head(self.rnn(x)[1][-1])

    parts = dict(rnn=nn.GRU(4, 6, num_layers=2, batch_first=True), head=nn.Linear(6, 3))
    return Of(forward, **parts), batch(real(3, 5, 4), real(3, 3)), mse


@model
def lstm_cell():
    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 6)
        for step in x.unbind(1):
            h, c = self.cell(step, (h, c))
        return self.head(h)

    return Of(forward, cell=nn.LSTMCell(4, 6), head=nn.Linear(6, 3)), batch(real(3, 5, 4), real(3, 3)), mse


@model
def gru_cell():
    def forward(self, x):
        h = x.new_zeros(x.shape[0], 6)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return self.head(h)

    return Of(forward, cell=nn.GRUCell(4, 6), head=nn.Linear(6, 3)), batch(real(3, 5, 4), real(3, 3)), mse


# --- Attention ----------------------------------------------------------------------------------------


class Block(nn.Module):
    """A GPT block in plain torch."""

    def __init__(self, width: int, heads: int, *, fused: bool = False) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.heads, self.fused = heads, fused

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for part in self.qkv(self.ln1(x)).split(C, dim=2)
        )
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.shape[-1])
            future = torch.ones(T, T, dtype=torch.bool).triu(1)
            y = scores.masked_fill(future, float("-inf")).softmax(-1) @ v
        x = x + self.proj(y.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(self.ln2(x))


class SmallGPT(nn.Module):
    """A GPT in plain torch, its head tied to its embedding."""

    def __init__(
        self, vocabulary: int, width: int, heads: int, layers: int, length: int, *, fused: bool = False
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(Block(width, heads, fused=fused) for _ in range(layers))
        self.ln = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        for block in self.h:
            h = block(h)
        return F.linear(self.ln(h), self.wte.weight)


@model
def gpt():
    return SmallGPT(13, 8, 2, 2, 6), batch(whole(13, 2, 6), whole(13, 2, 6)), tokens


@model
def gpt_fused_attention():
    return SmallGPT(13, 8, 2, 1, 6, fused=True), batch(whole(13, 2, 6), whole(13, 2, 6)), tokens


@model
def vit():
    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.place
        return self.head(self.encoder(h)[:, 0])

    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu")
    parts = dict(patch=nn.Conv2d(1, 8, 4, stride=4), token=torch.zeros(1, 1, 8), place=torch.zeros(1, 5, 8),
                 encoder=layer, head=nn.Linear(8, 3))  # fmt: skip
    return Of(forward, **parts), batch(real(2, 1, 8, 8), whole(3, 2)), classes


@model
def transformer_encoder_layer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    return layer, batch(real(2, 5, 8), real(2, 5, 8)), mse


@model
def multihead_attention():
    def forward(self, x):
        return self.attention(x, x, x)[0]

    return Of(forward, attention=nn.MultiheadAttention(8, 2, batch_first=True)), \
        batch(real(2, 5, 8), real(2, 5, 8)), mse  # fmt: skip


# --- Embeddings, indices, sums ------------------------------------------------------------------------


@model
def embedding_mean():
    def forward(self, x):
        return self.head(self.table(x).mean(1))

    return Of(forward, table=nn.Embedding(11, 5, padding_idx=0), head=nn.Linear(5, 3)), \
        batch(whole(11, 4, 6), whole(3, 4)), classes  # fmt: skip


@model
def embedding_bag():
    def forward(self, x):
        return self.head(self.table(x))

    return Of(forward, table=nn.EmbeddingBag(11, 5, mode="sum"), head=nn.Linear(5, 3)), \
        batch(whole(11, 4, 6), whole(3, 4)), classes  # fmt: skip


@model
def embedding_sparse():
    def forward(self, x):
        return self.table(x).sum(1)

    return Of(forward, table=nn.Embedding(11, 5, sparse=True)), batch(whole(11, 4, 6), real(4, 5)), mse


@model
def index_gather_scatter():
    def forward(self, x, place):
        h = self.a(x)
        picked = h.gather(1, place) + h[torch.arange(4), place[:, 0], None]
        return torch.zeros_like(h).scatter_add(1, place, picked) + h.index_select(
            0, torch.tensor([2, 0, 1, 1])
        )

    return Of(forward, a=nn.Linear(5, 6)), batch(real(4, 5), whole(6, 4, 3), real(4, 6)), \
        lambda module, x, place, y: F.smooth_l1_loss(module(x, place), y)  # fmt: skip


@model
def einsum_bilinear():
    def forward(self, x):
        return torch.einsum("bi,oij,bj->bo", x, self.W, x) + torch.einsum("bi,oi->bo", x, self.V)

    parts = dict(W=torch.randn(3, 5, 5) * 0.1, V=torch.randn(3, 5))
    return Of(forward, **parts), batch(real(4, 5), real(4, 3)), mse


@model
def variational():
    def forward(self, x):
        mean, spread = self.encode(x).chunk(2, -1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        self.kl = 0.5 * (spread.exp() + mean.square() - 1 - spread).sum(-1).mean()
        return self.decode(z)

    def loss(module, x):
        return F.binary_cross_entropy_with_logits(module(x), x.sigmoid()) + module.kl

    return Of(forward, encode=nn.Linear(6, 8), decode=nn.Linear(4, 6)), batch(real(5, 6)), loss


@model
def triplet_norm():
    def forward(self, x):
        return F.normalize(self.a(x), dim=-1)

    def loss(module, a, p, n):
        return F.triplet_margin_loss(module(a), module(p), module(n), margin=0.7)

    return Of(forward, a=nn.Linear(5, 4)), batch(real(6, 5), real(6, 5), real(6, 5)), loss


@model
def weight_norm():
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 6)), nn.Mish(), nn.Linear(6, 2))
    return net, batch(real(4, 5), real(4, 2)), mse


# --- Other ways through autograd ----------------------------------------------------------------------


def _checkpointed(*, reentrant: bool) -> tuple[nn.Module, Batch, Callable[..., Tensor]]:
    def forward(self, x):
        h = torch.tanh(self.a(x))
        return self.c(checkpoint(self.b, h, use_reentrant=reentrant))

    inner = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Dropout(0.2), nn.Linear(9, 6))
    return Of(forward, a=nn.Linear(5, 6), b=inner, c=nn.Linear(6, 3)), batch(real(4, 5), real(4, 3)), mse


@model
def checkpoint_reentrant():
    return _checkpointed(reentrant=True)


@model
def checkpoint_not_reentrant():
    return _checkpointed(reentrant=False)


@model
def gradient_penalty():
    def loss(module, x, y):
        x = x.requires_grad_()
        out = module(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        return F.mse_loss(out, y) + (slope.norm(dim=1) - 1).square().mean()

    net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    return net, batch(real(4, 5), real(4, 2)), loss
