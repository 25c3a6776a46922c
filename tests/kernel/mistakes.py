"""Mistakes of hand-written kernels: edits of a kernel's source, and the tensor that is wrong first."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from tests.kernel import kernels


@dataclass(frozen=True)
class Mistake:
    """What is wrong, the edit that makes it, and the output or gradient that is wrong first."""

    kernel: str
    what: str
    right: str
    wrong: str
    told: str

    @property
    def planted(self):
        """The kernel's function with the mistake in it."""
        kernel = kernels.KERNELS[self.kernel][0]
        source = inspect.getsource(kernel)
        assert source.count(self.right) == 1, (self.kernel, self.what, source.count(self.right))
        space = dict(vars(kernels))
        exec(source.replace(self.right, self.wrong), space)
        return space[kernel.__name__].apply


def _of(kernel: str, *edits: tuple[str, str, str, str]) -> list[Mistake]:
    return [Mistake(kernel, *edit) for edit in edits]


MISTAKES = [
    *_of(
        "rms_norm",
        ("no mean term", "gw - h * (gw * h).mean(-1, keepdim=True)", "gw", "x"),
        (
            "eps outside the root",
            "(total / x.shape[-1] + EPS).sqrt()",
            "((total / x.shape[-1]).sqrt() + EPS)",
            "0",
        ),
        (
            "mean over the wrong axis",
            "(gw * h).mean(-1, keepdim=True)",
            "(gw * h).mean(0, keepdim=True)",
            "x",
        ),
        ("weight's gradient is None", "return dx, dw", "return dx, None", "w"),
        ("weight forgotten in dx", "gw = x * r, g * w", "gw = x * r, g", "x"),
        (
            "lower precision inside",
            "ctx.save_for_backward(x, w, r)",
            "ctx.save_for_backward(low(x), w, r)",
            "x",
        ),
        (
            "last block forgotten",
            "range(0, x.shape[-1], BLOCK)",
            "range(0, x.shape[-1] - BLOCK + 1, BLOCK)",
            "0",
        ),
    ),
    *_of(
        "layer_norm",
        ("no mean of the gradient", "- gw.mean(-1, keepdim=True) ", "", "x"),
        ("no variance term", " - h * (gw * h).mean(-1, keepdim=True)", "", "x"),
        ("eps outside the root", "(var + EPS).sqrt()", "(var.sqrt() + EPS)", "0"),
        ("weight forgotten in dx", "gw = g * w", "gw = g", "x"),
        (
            "unbiased variance",
            "square().mean(-1, keepdim=True)",
            "square().sum(-1, keepdim=True) / (x.shape[-1] - 1)",
            "0",
        ),
        (
            "bias's gradient is zeros",
            "db = g.reshape(-1, h.shape[-1]).sum(0)",
            "db = torch.zeros_like(w)",
            "b",
        ),
        (
            "lower precision inside",
            "ctx.save_for_backward(h, w, r)",
            "ctx.save_for_backward(low(h), w, r)",
            "x",
        ),
    ),
    *_of(
        "softmax",
        ("largest not subtracted", "(x - x.amax(-1, keepdim=True)).exp()", "x.exp()", "0"),
        ("no sum in backward", "y * (g - (g * y).sum(-1, keepdim=True))", "y * g", "x"),
        ("sum without y", "(g * y).sum", "g.sum", "x"),
        ("sum over the wrong axis", "e.sum(-1, keepdim=True)", "e.sum(0, keepdim=True)", "0"),
        (
            "sum in backward over the wrong axis",
            "(g * y).sum(-1, keepdim=True)",
            "(g * y).sum(0, keepdim=True)",
            "x",
        ),
        ("lower precision inside", "ctx.save_for_backward(y)", "ctx.save_for_backward(low(y))", "x"),
    ),
    *_of(
        "cross_entropy",
        ("not divided by the batch", " / p.shape[0]", "", "x"),
        ("divided by the classes", "/ p.shape[0]", "/ p.shape[1]", "x"),
        ("target not subtracted", "(p - hot)", "p", "x"),
        ("upstream gradient ignored", "g * (p - hot)", "(p - hot)", "x"),
        ("zeros", "return g * (p - hot) / p.shape[0], None", "return torch.zeros_like(p), None", "x"),
        ("largest not subtracted", "x - x.amax(-1, keepdim=True)", "x", "0"),
        (
            "lower precision inside",
            "p = (shifted - lse[:, None]).exp()",
            "p = low((shifted - lse[:, None]).exp())",
            "x",
        ),
    ),
    *_of(
        "swiglu",
        ("gate's slope is sigmoid's", "(s + a * s * (1 - s))", "s * (1 - s)", "x"),
        ("dropped term", "(s + a * s * (1 - s))", "s", "x"),
        ("one path of dx detached", "da @ W.T + db @ V.T", "da @ W.T", "x"),
        ("gradient of V is None", "x.T @ da, x.T @ db", "x.T @ da, None", "V"),
        ("gradients swapped", "x.T @ da, x.T @ db", "x.T @ db, x.T @ da", "W"),
        ("lower precision inside", "a, b = x @ W, x @ V", "a, b = low(x @ W), x @ V", "0"),
    ),
    *_of(
        "attention",
        (
            "last block forgotten",
            "0\n        for i in range(0, k.shape[-2], BLOCK)",
            "0\n        for i in range(0, k.shape[-2] - BLOCK + 1, BLOCK)",
            "0",
        ),
        (
            "last block of backward forgotten",
            "zeros_like(v)\n        for i in range(0, k.shape[-2], BLOCK)",
            "zeros_like(v)\n        for i in range(0, k.shape[-2] - BLOCK + 1, BLOCK)",
            "q",
        ),
        ("sum not rescaled", "total * old + p.sum", "total + p.sum", "0"),
        ("output not rescaled", "out * old + p", "out + p", "0"),
        ("no scale in ds", "- rest) * scale", "- rest)", "q"),
        ("no rest in ds", "(g @ v[..., part, :].mT - rest)", "(g @ v[..., part, :].mT)", "q"),
        ("lower precision inside", "p.mT @ g", "low(p).mT @ g", "v"),
    ),
    *_of(
        "gelu",
        ("no x pdf", "(cdf + x * pdf)", "cdf", "x"),
        (
            "tanh in its place",
            "0.5 * (1 + torch.erf(x * math.sqrt(0.5)))",
            "0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))",
            "0",
        ),
        ("pdf not normalised", " / math.sqrt(2 * math.pi)", "", "x"),
        ("pdf of another width", "torch.exp(-0.5 * x * x)", "torch.exp(-x * x)", "x"),
        ("zeros", "return g * (cdf + x * pdf)", "return torch.zeros_like(g)", "x"),
        (
            "lower precision inside",
            "ctx.save_for_backward(x, cdf)",
            "ctx.save_for_backward(x, low(cdf))",
            "x",
        ),
    ),
    *_of(
        "rotary",
        (
            "turned the wrong way",
            "(g1 * cos + g2 * sin, g2 * cos - g1 * sin)",
            "(g1 * cos - g2 * sin, g2 * cos + g1 * sin)",
            "x",
        ),
        (
            "halves swapped",
            "(one * cos - two * sin, one * sin + two * cos)",
            "(one * sin + two * cos, one * cos - two * sin)",
            "0",
        ),
        (
            "pairs interleaved",
            "one, two = x.chunk(2, -1)\n        ctx",
            "one, two = x[..., ::2], x[..., 1::2]\n        ctx",
            "0",
        ),
        ("gradient of cos is None", "return dx, dcos, dsin", "return dx, None, dsin", "cos"),
        ("sign of dsin", "(g2 * one - g1 * two)", "(g1 * two - g2 * one)", "sin"),
        ("dropped term", "(g1 * one + g2 * two)", "(g1 * one)", "cos"),
        (
            "lower precision inside",
            "ctx.save_for_backward(x, cos, sin)",
            "ctx.save_for_backward(x, low(cos), sin)",
            "x",
        ),
    ),
    *_of(
        "group_norm",
        ("no mean of the gradient", "- gw.mean(-1, keepdim=True) ", "", "x"),
        ("weight's sum misses the batch", "(g * h).sum((0, 2))", "(g * h)[0].sum(1)", "w"),
        ("weight forgotten in dx", "(g * w[:, None]).reshape(shape)", "g.reshape(shape)", "x"),
        ("eps outside the root", "(var + EPS).sqrt()", "(var.sqrt() + EPS)", "0"),
        (
            "one group",
            "parts = x.reshape(x.shape[0], GROUPS, -1)",
            "parts = x.reshape(x.shape[0], 1, -1)",
            "0",
        ),
        ("bias's gradient is zeros", "g.sum((0, 2))", "torch.zeros_like(w)", "b"),
        (
            "lower precision inside",
            "ctx.save_for_backward(h, w, r)",
            "ctx.save_for_backward(low(h), w, r)",
            "x",
        ),
    ),
    *_of(
        "embedding_bag",
        (
            "overwritten, not added",
            "dweight.index_add_(0, bags.reshape(-1), rows.reshape(-1, weight.shape[1]))",
            "dweight[bags.reshape(-1)] = rows.reshape(-1, weight.shape[1])",
            "weight",
        ),
        ("not divided by the bag", "rows = (g / bags.shape[1])", "rows = g", "weight"),
        (
            "last block forgotten",
            "range(0, bags.shape[1], BLOCK)",
            "range(0, bags.shape[1] - BLOCK + 1, BLOCK)",
            "0",
        ),
        ("divided by the batch", "total / bags.shape[1]", "total / bags.shape[0]", "0"),
        ("zeros", "return dweight, None", "return torch.zeros_like(weight), None", "weight"),
        ("lower precision inside", "rows = (g / bags.shape[1])", "rows = low(g / bags.shape[1])", "weight"),
    ),
    *_of(
        "huber",
        ("half of delta forgotten", "(d.abs() - 0.5 * DELTA)", "d.abs()", "0"),
        ("no clamp in backward", "torch.clamp(d, -DELTA, DELTA)", "d", "x"),
        ("not divided", " / d.numel()", "", "x"),
        ("divided by the batch", "d.numel()", "d.shape[0]", "x"),
        ("target's gradient is None", "return dx, -dx", "return dx, None", "y"),
        ("target's sign", "return dx, -dx", "return dx, dx", "y"),
        ("lower precision inside", "d = x - y", "d = low(x - y)", "0"),
    ),
    *_of(
        "logsumexp",
        (
            "last block forgotten",
            "range(0, x.shape[-1], BLOCK)",
            "range(0, x.shape[-1] - BLOCK + 1, BLOCK)",
            "0",
        ),
        ("largest not added again", "m[..., 0] + total.log()", "total.log()", "0"),
        ("largest not subtracted", "- m).exp().sum(-1)", ").exp().sum(-1) * (-m[..., 0]).exp()", "0"),
        ("upstream gradient ignored", "g[..., None] * (x", "(x", "x"),
        ("of the mean", "total.log()", "(total / x.shape[-1]).log()", "0"),
        ("zeros", "return g[..., None] * (x - y[..., None]).exp()", "return torch.zeros_like(x)", "x"),
        ("lower precision inside", "(x - y[..., None]).exp()", "low((x - y[..., None]).exp())", "x"),
    ),
]
