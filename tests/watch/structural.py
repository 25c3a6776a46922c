"""Wrong formulas, as people write them, in the place of PyTorch's kernels: forward, backward, junctions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Structural:
    """`wrong(true, *args)` for a kernel, in a model of the zoo; `row` is the operation that is accused."""

    name: str
    model: str
    kernel: str
    wrong: Callable[..., object]
    row: str
    check: str


def _moments(x, dims, correction=0):
    var, mean = torch.var_mean(x, dims, correction=correction, keepdim=True)
    return mean, var


def _normalised(x, mean, var, eps, w, b):
    return (x - mean) / torch.sqrt(var + eps) * w + b


def _layer_norm(change):
    def wrong(true, x, shape, w, b, eps):
        _, mean, rstd = true(x, shape, w, b, eps)
        return change(x, mean, rstd, w, b, eps), mean, rstd

    return wrong


def _batch_norm_unbiased(true, x, w, b, mean, var, train, momentum, eps):
    _, m, r = true(x, w, b, mean, var, train, momentum, eps)
    centre, spread = _moments(x, (0, 2, 3), 1)
    return _normalised(x, centre, spread, eps, w.view(-1, 1, 1), b.view(-1, 1, 1)), m, r


def _layer_norm_backward(true, g, x, shape, mean, rstd, w, b, mask):
    """Without the term of the mean."""
    _, dw, db = true(g, x, shape, mean, rstd, w, b, mask)
    z = (x - mean) * rstd
    return ((g * w) - z * (g * w * z).mean(-1, keepdim=True)) * rstd, dw, db


def _batch_norm_backward(n_less):
    def wrong(true, g, x, w, rm, rv, mean, rstd, train, eps, mask):
        _, dw, db = true(g, x, w, rm, rv, mean, rstd, train, eps, mask)
        if n_less is None:  # as in evaluation
            return g * (w * rstd).view(-1, 1, 1), dw, db
        n = x.numel() // x.shape[1] - n_less
        z = (x - mean.view(-1, 1, 1)) * rstd.view(-1, 1, 1)
        terms = g - db.view(-1, 1, 1) / n - z * dw.view(-1, 1, 1) / n
        return terms * (w * rstd).view(-1, 1, 1), dw, db

    return wrong


def _low(x, bits):
    """A number's significand cut to so many bits: what TF32 does to the factors of a product."""
    return (x.view(torch.int32) & -(1 << (23 - bits))).view(torch.float32)


def _at(place, change):
    """One of several results, changed."""

    def wrong(true, *args):
        found = list(true(*args))
        found[place] = change(found[place])
        return tuple(found)

    return wrong


def _undilated(true, x, w, b, stride, padding, dilation, *rest):
    narrower = [p // d for p, d in zip(padding, dilation, strict=True)]
    return true(x, w, b, stride, narrower, [1] * len(dilation), *rest)


def _embedding_overwrites(true, g, indices, n, padding, scale):
    made = torch.zeros(n, g.shape[-1])
    made[indices.reshape(-1)] = g.reshape(-1, g.shape[-1])
    return made


def _swapped(true, *args):
    one, other, *rest = true(*args)
    return (other, one, *rest)


FORWARD = [
    ("batch norm divides by n − 1", "cnn_batch_norm", "native_batch_norm.default", _batch_norm_unbiased),
    (
        "batch norm's momentum the other way",
        "cnn_batch_norm",
        "native_batch_norm.default",
        lambda true, x, w, b, m, v, t, momentum, eps: true(x, w, b, m, v, t, 1 - momentum, eps),
    ),
    (
        "layer norm divides by n − 1",
        "gpt",
        "native_layer_norm.default",
        _layer_norm(lambda x, m, r, w, b, e: _normalised(x, *_moments(x, -1, 1), e, w, b)),
    ),
    (
        "layer norm's ε outside of the root",
        "gpt",
        "native_layer_norm.default",
        _layer_norm(lambda x, m, r, w, b, e: (x - m) / (_moments(x, -1)[1].sqrt() + e) * w + b),
    ),
    (
        "layer norm without the mean",
        "gpt",
        "native_layer_norm.default",
        _layer_norm(lambda x, m, r, w, b, e: x * r * w + b),
    ),
    (
        "group norm without ε",
        "autoencoder_group_norm",
        "native_group_norm.default",
        lambda true, *a: true(*a[:-1], 0.0),
    ),
    (
        "gelu's approximation",
        "mlp_classifier",
        "gelu.default",
        lambda true, x, **k: F.gelu(x, approximate="tanh"),
    ),
    ("softmax over the other axis", "gpt", "_softmax.default", lambda true, x, d, h: true(x, -2, h)),
    (
        "softmax without its sum",
        "gpt",
        "_softmax.default",
        lambda true, x, d, h: (x - x.amax(d, keepdim=True)).exp(),
    ),
    (
        "log-softmax without its sum",
        "mlp_classifier",
        "_log_softmax.default",
        lambda true, x, d, h: x - x.amax(d, keepdim=True),
    ),
    ("nll divides by n + 1", "mlp_classifier", "nll_loss_forward.default", _at(0, lambda y: y * (6 / 7))),
    (
        "mse summed, not averaged",
        "mlp_tanh",
        "mse_loss.default",
        lambda true, x, y, *r: ((x - y) ** 2).sum(),
    ),
    (
        "a convolution's kernel flipped",
        "cnn",
        "convolution.default",
        lambda true, x, w, *r: true(x, w.flip(-1), *r),
    ),
    ("a convolution's dilation ignored", "conv1d_dilated", "convolution.default", _undilated),
    (
        "a border reflected, not zero",
        "u_net",
        "convolution.default",
        lambda true, x, w, b, s, p, *r: (
            true(F.pad(x, (1, 1, 1, 1), mode="reflect"), w, b, s, [0, 0], *r)
            if list(p) == [1, 1]
            else true(x, w, b, s, p, *r)
        ),
    ),
    (
        "a convolution in bfloat16",
        "cnn",
        "convolution.default",
        lambda true, x, w, b, *r: true(x.bfloat16(), w.bfloat16(), b.bfloat16(), *r).float(),
    ),
    (
        "the least of a window",
        "cnn",
        "max_pool2d_with_indices.default",
        lambda true, x, *r: (-true(-x, *r)[0], true(-x, *r)[1]),
    ),
    (
        "a window's sum, not its mean",
        "cnn_batch_norm",
        "avg_pool2d.default",
        lambda true, x, *r: true(x, *r) * 4,
    ),
    (
        "indices off by one",
        "gpt",
        "embedding.default",
        lambda true, W, i, *r: true(W, (i + 1) % len(W), *r),
    ),
    ("a layer without its bias", "mlp_tanh", "addmm.default", lambda true, b, x, w: x @ w),
    ("factors of TF32", "mlp_tanh", "addmm.default", lambda true, b, x, w: b + _low(x, 10) @ _low(w, 10)),
    (
        "a product in bfloat16",
        "gpt",
        "mm.default",
        lambda true, x, w: true(x.bfloat16(), w.bfloat16()).float(),
    ),
    ("a slope below zero", "cnn", "relu.default", lambda true, x: F.leaky_relu(x, 1e-3)),
    ("a polynomial for tanh", "mlp_tanh", "tanh.default", lambda true, x: x - x**3 / 3 + 2 * x**5 / 15),
    ("a residual dropped", "gpt", "add.Tensor", lambda true, x, z: x.clone()),
    ("the scale of the scores missing", "gpt", "div.Tensor", lambda true, x, z: x.clone()),
    ("the future not masked", "gpt", "masked_fill.Scalar", lambda true, x, m, v: x.clone()),
    (
        "attention that sees the future",
        "gpt_fused_attention",
        "_scaled_dot_product_flash_attention_for_cpu.default",
        lambda true, q, k, v, p=0.0, causal=False: true(q, k, v, p, False),
    ),
    (
        "attention without its scale",
        "gpt_fused_attention",
        "_scaled_dot_product_flash_attention_for_cpu.default",
        lambda true, q, k, v, p=0.0, causal=False: true(q, k, v, p, causal, scale=1.0),
    ),
    ("an LSTM's last state doubled", "lstm", "mkldnn_rnn_layer.default", _at(1, lambda h: h * 2)),
    ("parts joined in another order", "u_net", "cat.default", lambda true, parts, d: true(parts[::-1], d)),
]
"""Name, model, kernel, replacement: of the forward pass."""

BACKWARD = [
    (
        "layer norm's mean forgotten",
        "gpt",
        "native_layer_norm_backward.default",
        _layer_norm_backward,
        "native_layer_norm",
    ),
    (
        "batch norm with n − 1",
        "cnn_batch_norm",
        "native_batch_norm_backward.default",
        _batch_norm_backward(1),
        "native_batch_norm",
    ),
    (
        "batch norm as in evaluation",
        "cnn_batch_norm",
        "native_batch_norm_backward.default",
        _batch_norm_backward(None),
        "native_batch_norm",
    ),
    ("dW flipped", "cnn", "convolution_backward.default", _at(1, lambda w: w.flip(-1)), "convolution"),
    (
        "dW divided by the batch",
        "cnn",
        "convolution_backward.default",
        _at(1, lambda w: w / 3),
        "convolution",
    ),
    ("tanh′ = 1 − a", "mlp_tanh", "tanh_backward.default", lambda true, g, a: g * (1 - a), "tanh"),
    ("σ′ = a", "mlp_double", "sigmoid_backward.default", lambda true, g, a: g * a, "sigmoid"),
    (
        "gelu's approximation, back",
        "mlp_classifier",
        "gelu_backward.default",
        lambda true, g, x, **k: torch.ops.aten.gelu_backward(g, x, approximate="tanh"),
        "gelu",
    ),
    ("ReLU′ = 1", "cnn", "threshold_backward.default", lambda true, g, x, t: g.clone(), "relu"),
    (
        "softmax's sum forgotten",
        "gpt",
        "_softmax_backward_data.default",
        lambda true, g, y, d, t: g * y,
        "_softmax",
    ),
    (
        "log-softmax's sum forgotten",
        "mlp_classifier",
        "_log_softmax_backward_data.default",
        lambda true, g, y, d, t: g - y.exp(),
        "_log_softmax",
    ),
    (
        "nll divides by n + 1, back",
        "mlp_classifier",
        "nll_loss_backward.default",
        lambda true, *a: true(*a) * (6 / 7),
        "nll_loss_forward",
    ),
    (
        "mse without its 2",
        "mlp_tanh",
        "mse_loss_backward.default",
        lambda true, *a: true(*a) / 2,
        "mse_loss",
    ),
    (
        "an embedding overwrites",
        "gpt",
        "embedding_dense_backward.default",
        _embedding_overwrites,
        "embedding",
    ),
    (
        "a maximum's gradient one to the side",
        "cnn",
        "max_pool2d_with_indices_backward.default",
        lambda true, *a: true(*a).roll(1, -1),
        "max_pool2d_with_indices",
    ),
    (
        "a mean's gradient not divided",
        "cnn_batch_norm",
        "avg_pool2d_backward.default",
        lambda true, *a: true(*a) * 4,
        "avg_pool2d",
    ),
    (
        "group norm's dx doubled",
        "autoencoder_group_norm",
        "native_group_norm_backward.default",
        _at(0, lambda g: g * 2),
        "native_group_norm",
    ),
    (
        "dq and dk exchanged",
        "gpt_fused_attention",
        "_scaled_dot_product_flash_attention_for_cpu_backward.default",
        _swapped,
        "_scaled_dot_product_flash_attention_for_cpu",
    ),
]
"""The same of the backward pass, and the operation whose vector-Jacobian product it is."""

STRUCTURAL = [
    *(
        Structural(name, model, f"aten.{kernel}", wrong, kernel.split(".")[0], "forward")
        for name, model, kernel, wrong in FORWARD
    ),
    *(
        Structural(name, model, f"aten.{kernel}", wrong, row, "vjp")
        for name, model, kernel, wrong, row in BACKWARD
    ),
]
