"""Twelve hand-written kernels, and what each is defined to be in plain PyTorch.

They are written as kernels are: one pass over the data, backward in closed form, sums in blocks of
`BLOCK` where a kernel has blocks, with a rest at the end.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

BLOCK, EPS, DELTA, GROUPS = 4, 1e-3, 0.7, 2
FULL = -math.inf


def low(x: Tensor) -> Tensor:
    """x rounded to a lower precision, as inside a kernel that saves bits."""
    return x.to(torch.float32 if x.dtype == torch.float64 else torch.bfloat16).to(x.dtype)


class RMSNorm(Function):
    @staticmethod
    def forward(ctx, x, w):
        total = 0
        for i in range(0, x.shape[-1], BLOCK):
            total = total + x[..., i : i + BLOCK].square().sum(-1, keepdim=True)
        r = 1 / (total / x.shape[-1] + EPS).sqrt()
        ctx.save_for_backward(x, w, r)
        return x * r * w

    @staticmethod
    def backward(ctx, g):
        x, w, r = ctx.saved_tensors
        h, gw = x * r, g * w
        dx = r * (gw - h * (gw * h).mean(-1, keepdim=True))
        dw = (g * h).reshape(-1, x.shape[-1]).sum(0)
        return dx, dw


def rms_norm(x, w):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * w


class LayerNorm(Function):
    @staticmethod
    def forward(ctx, x, w, b):
        mean = x.mean(-1, keepdim=True)
        var = (x - mean).square().mean(-1, keepdim=True)
        r = 1 / (var + EPS).sqrt()
        h = (x - mean) * r
        ctx.save_for_backward(h, w, r)
        return h * w + b

    @staticmethod
    def backward(ctx, g):
        h, w, r = ctx.saved_tensors
        gw = g * w
        dx = r * (gw - gw.mean(-1, keepdim=True) - h * (gw * h).mean(-1, keepdim=True))
        dw = (g * h).reshape(-1, h.shape[-1]).sum(0)
        db = g.reshape(-1, h.shape[-1]).sum(0)
        return dx, dw, db


def layer_norm(x, w, b):
    return F.layer_norm(x, w.shape, w, b, EPS)


class Softmax(Function):
    @staticmethod
    def forward(ctx, x):
        e = (x - x.amax(-1, keepdim=True)).exp()
        y = e / e.sum(-1, keepdim=True)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(-1, keepdim=True))


def softmax(x):
    return torch.softmax(x, -1)


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx, x, t):
        shifted = x - x.amax(-1, keepdim=True)
        lse = shifted.exp().sum(-1).log()
        ctx.save_for_backward(shifted, lse, t)
        return (lse - shifted.gather(-1, t[:, None])[:, 0]).mean()

    @staticmethod
    def backward(ctx, g):
        shifted, lse, t = ctx.saved_tensors
        p = (shifted - lse[:, None]).exp()
        hot = F.one_hot(t, p.shape[-1])
        return g * (p - hot) / p.shape[0], None


def cross_entropy(x, t):
    return F.cross_entropy(x, t)


class SwiGLU(Function):
    @staticmethod
    def forward(ctx, x, W, V):
        a, b = x @ W, x @ V
        s = torch.sigmoid(a)
        ctx.save_for_backward(x, W, V, a, b, s)
        return a * s * b

    @staticmethod
    def backward(ctx, g):
        x, W, V, a, b, s = ctx.saved_tensors
        da = g * b * (s + a * s * (1 - s))
        db = g * (a * s)
        dx = da @ W.T + db @ V.T
        return dx, x.T @ da, x.T @ db


def swiglu(x, W, V):
    return F.silu(x @ W) * (x @ V)


class Attention(Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scale = 1 / math.sqrt(q.shape[-1])
        m = q.new_full((*q.shape[:-1], 1), FULL)
        total, out = torch.zeros_like(m), 0
        for i in range(0, k.shape[-2], BLOCK):
            s = q @ k[..., i : i + BLOCK, :].mT * scale
            new = torch.maximum(m, s.amax(-1, keepdim=True))
            old, p = (m - new).exp(), (s - new).exp()
            total = total * old + p.sum(-1, keepdim=True)
            out = out * old + p @ v[..., i : i + BLOCK, :]
            m = new
        out = out / total
        ctx.save_for_backward(q, k, v, out, m + total.log())
        return out

    @staticmethod
    def backward(ctx, g):
        q, k, v, out, lse = ctx.saved_tensors
        scale = 1 / math.sqrt(q.shape[-1])
        rest = (g * out).sum(-1, keepdim=True)
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for i in range(0, k.shape[-2], BLOCK):
            part = slice(i, i + BLOCK)
            p = (q @ k[..., part, :].mT * scale - lse).exp()
            ds = p * (g @ v[..., part, :].mT - rest) * scale
            dq += ds @ k[..., part, :]
            dk[..., part, :] = ds.mT @ q
            dv[..., part, :] = p.mT @ g
        return dq, dk, dv


def attention(q, k, v):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1) @ v


class GELU(Function):
    @staticmethod
    def forward(ctx, x):
        cdf = 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
        ctx.save_for_backward(x, cdf)
        return x * cdf

    @staticmethod
    def backward(ctx, g):
        x, cdf = ctx.saved_tensors
        pdf = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return g * (cdf + x * pdf)


def gelu(x):
    return F.gelu(x)


class Rotary(Function):
    @staticmethod
    def forward(ctx, x, cos, sin):
        one, two = x.chunk(2, -1)
        ctx.save_for_backward(x, cos, sin)
        return torch.cat((one * cos - two * sin, one * sin + two * cos), -1)

    @staticmethod
    def backward(ctx, g):
        x, cos, sin = ctx.saved_tensors
        one, two = x.chunk(2, -1)
        g1, g2 = g.chunk(2, -1)
        dx = torch.cat((g1 * cos + g2 * sin, g2 * cos - g1 * sin), -1)
        dcos = (g1 * one + g2 * two).sum(0)
        dsin = (g2 * one - g1 * two).sum(0)
        return dx, dcos, dsin


def rotary(x, cos, sin):
    turned = torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), -1)
    return x * torch.cat((cos, cos), -1) + turned * torch.cat((sin, sin), -1)


class GroupNorm(Function):
    @staticmethod
    def forward(ctx, x, w, b):
        parts = x.reshape(x.shape[0], GROUPS, -1)
        mean = parts.mean(-1, keepdim=True)
        var = (parts - mean).square().mean(-1, keepdim=True)
        r = 1 / (var + EPS).sqrt()
        h = ((parts - mean) * r).reshape(x.shape)
        ctx.save_for_backward(h, w, r)
        return h * w[:, None] + b[:, None]

    @staticmethod
    def backward(ctx, g):
        h, w, r = ctx.saved_tensors
        shape = (h.shape[0], GROUPS, -1)
        gw, hp = (g * w[:, None]).reshape(shape), h.reshape(shape)
        dx = r * (gw - gw.mean(-1, keepdim=True) - hp * (gw * hp).mean(-1, keepdim=True))
        return dx.reshape(h.shape), (g * h).sum((0, 2)), g.sum((0, 2))


def group_norm(x, w, b):
    return F.group_norm(x, GROUPS, w, b, EPS)


class EmbeddingBag(Function):
    @staticmethod
    def forward(ctx, weight, bags):
        ctx.save_for_backward(weight, bags)
        total = 0
        for i in range(0, bags.shape[1], BLOCK):
            total = total + weight[bags[:, i : i + BLOCK]].sum(1)
        return total / bags.shape[1]

    @staticmethod
    def backward(ctx, g):
        weight, bags = ctx.saved_tensors
        rows = (g / bags.shape[1])[:, None].expand(-1, bags.shape[1], -1)
        dweight = torch.zeros_like(weight)
        dweight.index_add_(0, bags.reshape(-1), rows.reshape(-1, weight.shape[1]))
        return dweight, None


def embedding_bag(weight, bags):
    return weight[bags].mean(1)


class Huber(Function):
    @staticmethod
    def forward(ctx, x, y):
        d = x - y
        ctx.save_for_backward(d)
        small = 0.5 * d * d
        large = DELTA * (d.abs() - 0.5 * DELTA)
        return torch.where(d.abs() <= DELTA, small, large).mean()

    @staticmethod
    def backward(ctx, g):
        (d,) = ctx.saved_tensors
        dx = g * torch.clamp(d, -DELTA, DELTA) / d.numel()
        return dx, -dx


def huber(x, y):
    return F.huber_loss(x, y, delta=DELTA)


class LogSumExp(Function):
    @staticmethod
    def forward(ctx, x):
        m = x.amax(-1, keepdim=True)
        total = 0
        for i in range(0, x.shape[-1], BLOCK):
            total = total + (x[..., i : i + BLOCK] - m).exp().sum(-1)
        y = m[..., 0] + total.log()
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g[..., None] * (x - y[..., None]).exp()


def logsumexp(x):
    m = x.amax(-1, keepdim=True).detach()
    return (x - m).exp().sum(-1).log() + m[..., 0]


def inside(kernel):
    """The kernel as it is written for a format of storage: float32 inside, and one rounding out."""

    def stored(*inputs: Tensor) -> Tensor:
        floats = [x.float() if x.is_floating_point() else x for x in inputs]
        return kernel(*floats).to(inputs[0].dtype)

    return stored


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whole(high: int, *shape: int) -> Tensor:
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(9))


KERNELS = {
    "rms_norm": (RMSNorm, rms_norm, lambda: (normal(5, 7), normal(7, seed=1))),
    "layer_norm": (LayerNorm, layer_norm, lambda: (normal(5, 7), normal(7, seed=1), normal(7, seed=2))),
    "softmax": (Softmax, softmax, lambda: (normal(5, 6),)),
    "cross_entropy": (CrossEntropy, cross_entropy, lambda: (normal(5, 6), whole(6, 5))),
    "swiglu": (SwiGLU, swiglu, lambda: (normal(5, 7), normal(7, 3, seed=1), normal(7, 3, seed=2))),
    "attention": (
        Attention,
        attention,
        lambda: (normal(2, 6, 3), normal(2, 10, 3, seed=1), normal(2, 10, 4, seed=2)),
    ),
    "gelu": (GELU, gelu, lambda: (normal(5, 6),)),
    "rotary": (Rotary, rotary, lambda: (normal(3, 5, 8), normal(5, 4, seed=1), normal(5, 4, seed=2))),
    "group_norm": (GroupNorm, group_norm, lambda: (normal(3, 4, 5), normal(4, seed=1), normal(4, seed=2))),
    "embedding_bag": (EmbeddingBag, embedding_bag, lambda: (normal(8, 3), whole(8, 5, 6))),
    "huber": (Huber, huber, lambda: (normal(5, 6), normal(5, 6, seed=1))),
    "logsumexp": (LogSumExp, logsumexp, lambda: (normal(5, 6),)),
}
"""By name: the kernel, its definition, and inputs for both."""
