"""Losses for classification, where y holds the class or classes of each sample.

Class indices are numbers in a single row of y; [y = k] is 1 in row k of a sample's column. Sums over
classes are within a sample; a mean divides by the number of samples or by their total weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from reference.arrays import Array, Scalar, column, full_like, labels, select
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import logsigmoid
from reference.operations.activations.softmax import log_softmax, log_softmax_jacobian
from reference.operations.losses.loss import Loss, into

Weights = tuple[float, ...] | None


def _hot(y_hat: Array, y: Array) -> Array:
    """[y = k], (outputs, batch), of class indices y (1, batch)."""
    classes = tuple(float(k) for k in range(y_hat.shape[0]))
    return select(np.equal(y, column(y_hat, classes)), full_like(y_hat, 1.0), 0.0)


def _weights(y_hat: Array, weight: Weights) -> Array:
    return column(y_hat, weight or (1.0,) * y_hat.shape[0])  # (outputs, 1)


def _counted(y_hat: Array, y: Array, ignore_index: float) -> Array:
    """[y = k], with 0 for all classes where y is `ignore_index`."""
    return select(np.equal(y, ignore_index), 0.0, _hot(y_hat, y))


def _divided(shares: Array, n: Scalar) -> Array:
    """shares / n, and 0 if n is 0: the loss is then 0/0, and PyTorch's gradient 0."""
    return select(np.equal(n, 0), 0.0, shares / n)


def _shares(
    y_hat: Array, y: Array, weight: Weights, ignore_index: float, label_smoothing: float
) -> tuple[Array, Array]:
    """The weight of each class of each sample, and the total by which a mean divides.

    Class indices: w_k ((1 − ε)[y = k] + ε/K), total Σ w_y; probabilities: w_k ((1 − ε)y_k + ε/K).
    """
    w, K = _weights(y_hat, weight), y_hat.shape[0]
    indices = y.shape[0] != K  # as in PyTorch, y's shape decides between indices and probabilities
    hot: Array = _counted(y_hat, y, ignore_index) if indices else y
    spread: Array = (1 - label_smoothing) * hot + label_smoothing / K if label_smoothing else hot
    if not indices:
        return w * spread, full_like(np.add.reduce(y, axis=None), float(y.shape[1]))
    if label_smoothing:
        spread = select(np.equal(y, ignore_index), 0.0, spread)
    return w * spread, np.add.reduce(w * hot, axis=None)


def cross_entropy(y_hat: Array, y: Array, n: Scalar, *, mean: bool, **options: object) -> Array:
    shares, together = _shares(y_hat, y, **options)  # type: ignore[arg-type]
    terms: Array = shares * log_softmax(y_hat)
    if y.shape[0] != y_hat.shape[0] and not options["label_smoothing"]:  # log 0 elsewhere is not looked at
        terms = select(np.greater(_hot(y_hat, y), 0), terms, 0.0)
    total = np.add.reduce(terms, axis=None)
    return -total / (together if mean else n)


def cross_entropy_gradient(
    y_hat: Array, y: Array, n: Scalar, out: Array | None = None, *, mean: bool, **options: object
) -> Array:
    shares, together = _shares(y_hat, y, **options)  # type: ignore[arg-type]
    g = -_divided(shares, together if mean else n)  # what comes back to log softmax
    return into(out, log_softmax_jacobian(g, y_hat, log_softmax(y_hat)))


def nll(y_hat: Array, y: Array, n: Scalar, *, mean: bool, weight: Weights, ignore_index: float) -> Array:
    counted = _counted(y_hat, y, ignore_index)
    w = _weights(y_hat, weight)
    together = np.add.reduce(w * counted, axis=None)
    terms = select(np.greater(counted, 0), w * y_hat, 0.0)
    return -np.add.reduce(terms, axis=None) / (together if mean else n)


def nll_gradient(
    y_hat: Array,
    y: Array,
    n: Scalar,
    out: Array | None = None,
    *,
    mean: bool,
    weight: Weights,
    ignore_index: float,
) -> Array:
    shares = _weights(y_hat, weight) * _counted(y_hat, y, ignore_index)
    together = np.add.reduce(shares, axis=None)
    return into(out, -_divided(shares, together if mean else n))


Larger: TypeAlias = Callable[[Array, float], Array]
"""max(·, 0) of the margins: `np.maximum`, or `np.fmax`, which gives 0 for NaN and 0."""


def _margins(y_hat: Array, hot: Array, margin: float, larger: Larger) -> Array:
    """max(0, m − ŷ_y + ŷ_k) for every class k other than y, and 0 for k = y."""
    belongs = np.greater(hot, 0)
    own = np.add.reduce(select(belongs, y_hat, 0.0), axis=0, keepdims=True)  # (1, batch)
    return select(belongs, 0.0, larger(margin - own + y_hat, 0))


def multi_margin(
    y_hat: Array,
    y: Array,
    n: Scalar,
    *,
    p: float,
    margin: float,
    weight: Weights,
    larger: Larger = np.maximum,
) -> Array:
    hot = _hot(y_hat, y)
    z = _margins(y_hat, hot, margin, larger)
    w = np.add.reduce(hot * _weights(y_hat, weight), axis=0, keepdims=True)  # (1, batch)
    return np.add.reduce(w * (z if p == 1 else np.square(z)), axis=None) / y_hat.shape[0] / n


def multi_margin_gradient(
    y_hat: Array,
    y: Array,
    n: Scalar,
    out: Array | None = None,
    *,
    p: float,
    margin: float,
    weight: Weights,
    larger: Larger = np.maximum,
) -> Array:
    hot = _hot(y_hat, y)
    z = _margins(y_hat, hot, margin, larger)
    w = np.add.reduce(hot * _weights(y_hat, weight), axis=0, keepdims=True)
    slope = select(np.greater(z, 0), full_like(z, 1.0), 0.0) if p == 1 else 2 * z
    share = w * slope * (1 / (y_hat.shape[0] * n))
    own = np.add.reduce(share, axis=0, keepdims=True)
    return into(out, select(np.greater(hot, 0), share - own, share))


def multilabel_margin(y_hat: Array, y: Array, n: Scalar, *, larger: Larger = np.maximum) -> Array:
    z, times = _pairs(y_hat, labels(y), larger)
    return np.add.reduce(times * z, axis=None) / y_hat.shape[0] / n


def multilabel_margin_gradient(
    y_hat: Array, y: Array, n: Scalar, out: Array | None = None, *, larger: Larger = np.maximum
) -> Array:
    z, times = _pairs(y_hat, labels(y), larger)  # (outputs, outputs, batch)
    share = times * select(np.greater(z, 0), full_like(z, 1.0), 0.0) * (1 / (y_hat.shape[0] * n))
    return into(out, np.add.reduce(share, axis=0) - np.add.reduce(share, axis=1))


def _pairs(y_hat: Array, belongs: Array, larger: Larger) -> tuple[Array, Array]:
    """max(0, 1 − (ŷ_j − ŷ_i)) for each label j and non-label i, and how often j is listed."""
    gap = 1 - (y_hat[:, None] - y_hat[None])
    pair = np.logical_and(np.greater(belongs[:, None], 0), np.equal(belongs[None], 0))
    return select(pair, larger(gap, 0), 0.0), belongs[:, None]  # (j, i, batch), (j, 1, batch)


def multilabel_soft_margin(y_hat: Array, y: Array, n: Scalar, *, weight: Weights) -> Array:
    terms = y * logsigmoid(y_hat) + (1 - y) * logsigmoid(-y_hat)
    return -np.add.reduce(_weights(y_hat, weight) * terms, axis=None) / y_hat.shape[0] / n


def multilabel_soft_margin_gradient(
    y_hat: Array, y: Array, n: Scalar, out: Array | None = None, *, weight: Weights
) -> Array:
    g = _weights(y_hat, weight) * (1 / (y_hat.shape[0] * n))
    return into(out, g * (1 - y) * sigmoid(y_hat) - g * y * sigmoid(-y_hat))


CLASSES = (
    Loss(
        "cross_entropy",
        cross_entropy,
        cross_entropy_gradient,
        r"-\frac{1}{n} \sum_i \sum_k t_{ki} \log \frac{e^{\hat{y}_{ki}}}{\sum_j e^{\hat{y}_{ji}}}",
        r"\frac{1}{n} \left(\operatorname{softmax}(\hat{y}) \textstyle\sum_k t_k - t\right)",
        "torch.nn.CrossEntropyLoss",
        target="either",
        options={"weight": None, "ignore_index": -100.0, "label_smoothing": 0.0},
        integers=("ignore_index",),
        mean_over="samples",
        counts=True,
        remark="It contains the softmax. With class indices a mean divides by Σ w_y, not by the samples.",
    ),
    Loss(
        "nll",
        nll,
        nll_gradient,
        r"-\frac{1}{n} \sum_i w_{y_i} \hat{y}_{y_i i}",
        r"-\frac{1}{n} w_k [y = k]",
        "torch.nn.NLLLoss",
        target="class",
        options={"weight": None, "ignore_index": -100.0},
        integers=("ignore_index",),
        mean_over="samples",
        counts=True,
        remark="No logarithm is taken: ŷ is one already.",
    ),
    Loss(
        "multi_margin",
        multi_margin,
        multi_margin_gradient,
        r"\frac{1}{n} \sum_i \frac{w_{y_i}}{K} \sum_{k \ne y_i} \max(0, m - \hat{y}_{y_i} + \hat{y}_k)^p",
        r"\frac{1}{n} \frac{w_y}{K} \left(h_k - [y = k] \textstyle\sum_j h_j\right), \; "
        r"h = p \max(0, m - \hat{y}_y + \hat{y})^{p-1}",
        "torch.nn.MultiMarginLoss",
        target="class",
        options={"p": 1.0, "margin": 1.0, "weight": None},
        choices={"p": (1.0, 2.0)},
        integers=("p",),
        mean_over="samples",
        remark="Divided by the number of classes, which the textbook's is not.",
    ),
    Loss(
        "multilabel_margin",
        multilabel_margin,
        multilabel_margin_gradient,
        r"\frac{1}{n} \sum \tfrac{1}{K} \sum_{j \in y, i \notin y} \max(0, 1 - \hat{y}_j + \hat{y}_i)",
        r"\frac{1}{n K} \left(\textstyle\sum_j [\ldots > 0] - \sum_i [\ldots > 0]\right)",
        "torch.nn.MultiLabelMarginLoss",
        target="labels",
        mean_over="samples",
    ),
    Loss(
        "multilabel_soft_margin",
        multilabel_soft_margin,
        multilabel_soft_margin_gradient,
        r"-\frac{1}{n} \sum \tfrac{1}{K} \sum_k y_k \log \sigma(\hat{y}_k)"
        r" + (1 - y_k) \log \sigma(-\hat{y}_k)",
        r"\frac{1}{n K} ((1 - y) \sigma(\hat{y}) - y \, \sigma(-\hat{y}))",
        "torch.nn.MultiLabelSoftMarginLoss",
        options={"weight": None},
        mean_over="samples",
    ),
)
