"""Elementwise losses, L = Σ term(ŷ, y) / n; each term is followed by its slope ∂term/∂ŷ."""

from __future__ import annotations

import math

import numpy as np

from reference.arrays import Array, Scalar, column, full_like, select
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import logsigmoid
from reference.operations.losses.loss import REDUCTIONS, Loss, elementwise, into


def mse(y_hat: Array, y: Array, n: Scalar) -> Array:
    r = np.subtract(y, y_hat)  # (outputs, batch)
    return np.divide(np.add.reduce(np.square(r), axis=None), n)


def mse_gradient(y_hat: Array, y: Array, n: Scalar, out: Array | None = None) -> Array:
    r = np.subtract(y_hat, y, out=out)  # (outputs, batch)
    return np.multiply(2 / n, r, out=out)


def l1(y_hat: Array, y: Array) -> Array:
    return np.absolute(y_hat - y)


def l1_slope(y_hat: Array, y: Array) -> Array:
    return np.sign(y_hat - y)


def smooth_l1(y_hat: Array, y: Array, beta: float) -> Array:
    r = np.absolute(y_hat - y)
    return select(np.less(r, beta), 0.5 * np.square(r) / beta, r - 0.5 * beta)


def smooth_l1_slope(y_hat: Array, y: Array, beta: float) -> Array:
    r = y_hat - y
    return select(np.less(np.absolute(r), beta), r / beta, np.sign(r))


def huber(y_hat: Array, y: Array, delta: float) -> Array:
    r = np.absolute(y_hat - y)
    return select(np.less_equal(r, delta), 0.5 * np.square(r), delta * (r - 0.5 * delta))


def huber_slope(y_hat: Array, y: Array, delta: float) -> Array:
    r = y_hat - y
    return select(np.less_equal(np.absolute(r), delta), r, delta * np.sign(r))


def bce(y_hat: Array, y: Array) -> Array:
    log, log_other = np.maximum(np.log(y_hat), -100), np.maximum(np.log1p(-y_hat), -100)
    return (y - 1) * log_other - y * log


def bce_slope(y_hat: Array, y: Array) -> Array:
    return (y_hat - y) / np.maximum((1 - y_hat) * y_hat, 1e-12)


def bce_with_logits(y_hat: Array, y: Array, pos_weight: tuple[float, ...] | None) -> Array:
    if pos_weight is None:
        return (1 - y) * y_hat - logsigmoid(y_hat)
    return (1 - y) * y_hat - (1 + (column(y_hat, pos_weight) - 1) * y) * logsigmoid(y_hat)


def bce_with_logits_slope(y_hat: Array, y: Array, pos_weight: tuple[float, ...] | None) -> Array:
    if pos_weight is None:
        return sigmoid(y_hat) - y
    t = column(y_hat, pos_weight) * y
    return (t + 1 - y) * sigmoid(y_hat) - t


def kl_div(y_hat: Array, y: Array, *, log_target: bool) -> Array:
    if log_target:
        return np.exp(y) * (y - y_hat)
    return select(np.equal(y, 0), full_like(y, 0.0), y * np.log(y)) - y * y_hat


def kl_div_slope(y_hat: Array, y: Array, *, log_target: bool) -> Array:
    return -np.exp(y) if log_target else -y


def poisson_nll(y_hat: Array, y: Array, *, log_input: bool, full: bool, eps: float) -> Array:
    loss = np.exp(y_hat) - y * y_hat if log_input else y_hat - y * np.log(y_hat + eps)
    if not full:
        return loss
    stirling = y * np.log(y) - y + 0.5 * np.log(2 * math.pi * y)
    return loss + select(np.greater(y, 1), stirling, 0.0)


def poisson_nll_gradient(
    y_hat: Array,
    y: Array,
    n: Scalar,
    out: Array | None = None,
    *,
    log_input: bool,
    full: bool,
    eps: float,
) -> Array:
    g = 1 / n  # divide each term separately, as autograd does
    if log_input:
        return into(out, g * np.exp(y_hat) - g * y)
    return into(out, g - g * y / (y_hat + eps))


def gaussian_nll(y_hat: Array, y: Array, *, var: float, full: bool, eps: float) -> Array:
    variance = full_like(y_hat, max(var, eps))
    loss = 0.5 * (np.log(variance) + np.square(y_hat - y) / variance)
    return loss + 0.5 * math.log(2 * math.pi) if full else loss


def gaussian_nll_slope(y_hat: Array, y: Array, *, var: float, full: bool, eps: float) -> Array:
    return (y_hat - y) / full_like(y_hat, max(var, eps))


def soft_margin(y_hat: Array, y: Array) -> Array:
    return np.log1p(np.exp(-y * y_hat))


def soft_margin_slope(y_hat: Array, y: Array) -> Array:
    return -y * sigmoid(-y * y_hat)  # e^−yŷ / (1 + e^−yŷ) = σ(−yŷ)


def hinge_embedding(y_hat: Array, y: Array, margin: float) -> Array:
    near = select(np.equal(y, -1), 0.0, y_hat)
    return near + select(np.equal(y, 1), 0.0, np.maximum(margin - y_hat, 0))


def hinge_embedding_slope(y_hat: Array, y: Array, margin: float) -> Array:
    one = full_like(y_hat, 1.0)
    inside = select(np.greater_equal(margin - y_hat, 0), -one, 0.0)
    return select(np.equal(y, -1), 0.0, one) + select(np.equal(y, 1), 0.0, inside)


def _loss(
    name: str, pair: tuple[object, object], latex: str, latex_gradient: str, source: str, **more: object
) -> Loss:
    return Loss(name, *pair, latex, latex_gradient, f"torch.nn.{source}", **more)  # type: ignore[arg-type]


MEAN = r"\frac{1}{n}\sum_{i=1}^{n} "
HALF = r"\begin{{cases}} {} & |r_i| {} \\ {} & \end{{cases}}, \; r = \hat{{y}} - y"

ELEMENTWISE = (
    _loss(
        "mse", (mse, mse_gradient), MEAN + r"(y_i - \hat{y}_i)^2", r"\frac{2}{n}(\hat{y} - y)", "MSELoss"
    ),
    _loss(
        "l1",
        elementwise(l1, l1_slope),
        MEAN + r"|\hat{y}_i - y_i|",
        r"\frac{1}{n} \operatorname{sign}(\hat{y} - y)",
        "L1Loss",
    ),
    _loss(
        "smooth_l1",
        elementwise(smooth_l1, smooth_l1_slope),
        MEAN + HALF.format(r"r_i^2 / 2\beta", r"< \beta", r"|r_i| - \beta/2"),
        r"\frac{1}{n} " + HALF.format(r"r_i / \beta", r"< \beta", r"\operatorname{sign} r_i"),
        "SmoothL1Loss",
        options={"beta": 1.0},
    ),
    _loss(
        "huber",
        elementwise(huber, huber_slope),
        MEAN + HALF.format(r"r_i^2 / 2", r"\le \delta", r"\delta (|r_i| - \delta/2)"),
        r"\frac{1}{n} " + HALF.format(r"r_i", r"\le \delta", r"\delta \operatorname{sign} r_i"),
        "HuberLoss",
        options={"delta": 1.0},
    ),
    _loss(
        "bce",
        elementwise(bce, bce_slope),
        r"-" + MEAN + r"y_i \log \hat{y}_i + (1 - y_i) \log(1 - \hat{y}_i)",
        r"\frac{1}{n} \frac{\hat{y} - y}{\max(\hat{y}(1 - \hat{y}), 10^{-12})}",
        "BCELoss",
        probabilities=True,
        remark="PyTorch holds each logarithm above −100, and the denominator of the gradient above 1e−12.",
    ),
    _loss(
        "bce_with_logits",
        elementwise(bce_with_logits, bce_with_logits_slope),
        MEAN + r"(1 - y_i) \hat{y}_i - (1 + (p - 1) y_i) \log \sigma(\hat{y}_i)",
        r"\frac{1}{n} ((p y + 1 - y) \sigma(\hat{y}) - p y)",
        "BCEWithLogitsLoss",
        options={"pos_weight": None},
    ),
    _loss(
        "kl_div",
        elementwise(kl_div, kl_div_slope),
        MEAN + r"y_i (\log y_i - \hat{y}_i)",
        r"-\frac{1}{n} y",
        "KLDivLoss",
        reductions=REDUCTIONS,
        options={"log_target": False},
        remark="ŷ is a logarithm already. A mean over all terms is not the divergence: that is batchmean.",
    ),
    _loss(
        "poisson_nll",
        (elementwise(poisson_nll, poisson_nll)[0], poisson_nll_gradient),
        MEAN + r"e^{\hat{y}_i} - y_i \hat{y}_i",
        r"\frac{1}{n} (e^{\hat{y}} - y)",
        "PoissonNLLLoss",
        options={"log_input": True, "full": False, "eps": 1e-8},
        remark="Without log y!, save with `full`, where Stirling's formula stands for it above y = 1.",
    ),
    _loss(
        "gaussian_nll",
        elementwise(gaussian_nll, gaussian_nll_slope),
        MEAN + r"\tfrac{1}{2} \left(\log v + \frac{(\hat{y}_i - y_i)^2}{v}\right), "
        r"\; v = \max(\mathrm{var}, \epsilon)",
        r"\frac{1}{n} \frac{\hat{y} - y}{v}",
        "GaussianNLLLoss",
        options={"var": 1.0, "full": False, "eps": 1e-6},
        per_call=("var",),
        remark="The variance is one number here; the constant ½ log 2π is left out, save with `full`.",
    ),
    _loss(
        "soft_margin",
        elementwise(soft_margin, soft_margin_slope),
        MEAN + r"\log(1 + e^{-y_i \hat{y}_i})",
        r"-\frac{1}{n} y \, \sigma(-y \hat{y})",
        "SoftMarginLoss",
    ),
    _loss(
        "hinge_embedding",
        elementwise(hinge_embedding, hinge_embedding_slope),
        MEAN + r"\begin{cases} \hat{y}_i & y_i = 1 \\ \max(0, m - \hat{y}_i) & y_i = -1 \end{cases}",
        r"\frac{1}{n} \begin{cases} 1 & y_i = 1 \\ -[\hat{y}_i \le m] & y_i = -1 \end{cases}",
        "HingeEmbeddingLoss",
        options={"margin": 1.0},
    ),
)
