"""A kernel by hand, and candidates for it that are wrong only where nobody looks."""

from __future__ import annotations

import torch
from torch import Tensor


def definition(x, w):
    return torch.tanh(x @ w)


class Own(torch.autograd.Function):
    """The same by hand."""

    @staticmethod
    def forward(ctx, x, w):
        y = torch.tanh(x @ w)
        ctx.save_for_backward(x, w, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, w, y = ctx.saved_tensors
        d = g * (1 - y * y)
        return d @ w.T, x.T @ d


def with_backward(function):
    """The kernel with another backward."""
    return type("Changed", (Own,), {"backward": staticmethod(function)}).apply


def reads_as_contiguous(x: Tensor, w: Tensor) -> Tensor:
    return Own.apply(x.as_strided(x.shape, (x.shape[1], 1)), w)


def squeezes(x: Tensor, w: Tensor) -> Tensor:
    return Own.apply(x, w) if len(x) > 1 else Own.apply(x, w).squeeze(0)


def overflows(x: Tensor, w: Tensor) -> Tensor:
    z = x @ w
    return (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())


def flushes(x: Tensor, w: Tensor) -> Tensor:
    tiny = torch.finfo(x.dtype).tiny
    return Own.apply(torch.where(x.abs() < tiny, 0 * x, x), w)


def a_little_large(ctx, g):
    dx, dw = Own.backward(ctx, g)
    return dx * (1 + 4e-6), dw


nudged = with_backward(a_little_large)


def linear(x: Tensor, w: Tensor) -> Tensor:
    return x @ w


def rounds(x: Tensor, w: Tensor) -> Tensor:
    return x @ (w / 3) * 3
