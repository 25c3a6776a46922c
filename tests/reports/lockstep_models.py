"""The models of `tests.reports.lockstep`, as a user would write them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Digits(nn.Module):
    """Convolutions, batch norms, a residual and a pooling, on images of 8 × 8 pixels."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.second, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.third = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.out = nn.Linear(2 * width * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm1(self.first(x.view(-1, 1, 8, 8))))
        h = F.max_pool2d(F.relu(h + self.norm2(self.second(h))), 2)
        return self.out(F.max_pool2d(F.relu(self.third(h)), 2).flatten(1))


class Block(nn.Module):
    """A layer of a transformer, norms first, with a causal attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        n, places, width = h.shape
        parts = self.qkv(self.norm1(h)).view(n, places, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.mix(mixed.transpose(1, 2).reshape(n, places, width))
        return h + self.down(F.gelu(self.up(self.norm2(h))))


class Characters(nn.Module):
    """The next character of the sonnets from the 16 before it, which are one-hot."""

    def __init__(self, width: int = 16, heads: int = 2, layers: int = 2, characters: int = 34) -> None:
        super().__init__()
        self.characters = characters
        self.embed = nn.Linear(characters, width, bias=False)
        nn.init.normal_(self.embed.weight)  # as nn.Embedding
        self.places = nn.Parameter(0.1 * torch.randn(16, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x.view(-1, 16, self.characters)) + self.places
        for block in self.blocks:
            h = block(h)
        return self.out(self.norm(h[:, -1]))


def digits64() -> nn.Module:
    return Digits().double()


def characters64() -> nn.Module:
    return Characters().double()
