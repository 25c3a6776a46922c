"""Mistakes that only one formula invites: a term or a factor missing, or its neighbour's formula.

Each row computes the whole formula wrongly, from what the right one is given.
"""

from __future__ import annotations

import math

import numpy as np

from reference.optimizers.rule import Hyper

erf = np.vectorize(math.erf)


def expit(z):
    return 1 / (1 + np.exp(-z))


def _phi(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _mish_t(z):
    return np.tanh(np.log1p(np.exp(z)))


def _inner(z):
    return np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))


DERIVATIVES = {
    "sigmoid": {"1 − a missing": lambda z, a: a, "tanh's": lambda z, a: 1 - a * a},
    "tanh": {"square missing": lambda z, a: 1 - a, "sigmoid's": lambda z, a: a * (1 - a)},
    "relu": {"kink at 1": lambda z, a: 1.0 * (z > 1), "below 0": lambda z, a: 1.0 * (z < 0)},
    "leaky_relu": {"ReLU's": lambda z, a, negative_slope: 1.0 * (z > 0)},
    "prelu": {"ReLU's": lambda z, a: 1.0 * (z > 0)},
    "relu6": {"no upper end": lambda z, a: 1.0 * (z > 0), "no lower end": lambda z, a: 1.0 * (z < 6)},
    "hardtanh": {
        "no upper end": lambda z, a, min_val, max_val: 1.0 * (z > min_val),
        "no lower end": lambda z, a, min_val, max_val: 1.0 * (z < max_val),
    },
    "hardsigmoid": {
        "1/6 missing": lambda z, a: 1.0 * (abs(z) < 3),
        "no ends": lambda z, a: np.full_like(z, 1 / 6),
    },
    "hardswish": {
        "z/3 missing": lambda z, a: np.where(z > -3, np.where(z < 3, 0.5, 1), 0),
        "half of z/3": lambda z, a: np.where(z > -3, np.where(z < 3, z / 6 + 0.5, 1), 0),
        "no ends": lambda z, a: z / 3 + 0.5,
    },
    "hardshrink": {"of z, not |z|": lambda z, a, lambd: 1.0 * (z > lambd)},
    "softshrink": {"of z, not |z|": lambda z, a, lambd: 1.0 * (z > lambd)},
    "threshold": {"kink at −threshold": lambda z, a, threshold, value: 1.0 * (z > -threshold)},
    "elu": {"α added": lambda z, a, alpha: np.where(z > 0, 1, np.exp(z) + alpha)},
    "celu": {"e^z": lambda z, a, alpha: np.where(z > 0, 1, np.exp(z))},
    "selu": {
        "λ missing": lambda z, a: np.where(z > 0, 1, 1.6732632423543772 * np.exp(z)),
        "α missing": lambda z, a: 1.0507009873554805 * np.where(z > 0, 1, np.exp(z)),
    },
    "softplus": {
        "β missing": lambda z, a, beta, threshold: expit(z),
        "β twice": lambda z, a, beta, threshold: beta * expit(beta * z),
        "threshold on z": lambda z, a, beta, threshold: np.where(z > threshold / 20, 1, expit(beta * z)),
    },
    "logsigmoid": {"σ(z)": lambda z, a: expit(z), "e^a": lambda z, a: np.exp(a)},
    "silu": {
        "z σ′ missing": lambda z, a: expit(z),
        "σ missing": lambda z, a: z * expit(z) * expit(-z),
        "z missing": lambda z, a: expit(z) * (1 + expit(-z)),
    },
    "mish": {
        "t missing": lambda z, a: z * expit(z) * (1 - _mish_t(z) ** 2),
        "z t′ missing": lambda z, a: _mish_t(z),
        "σ missing": lambda z, a: _mish_t(z) + z * (1 - _mish_t(z) ** 2),
    },
    "gelu": {
        "z φ missing": lambda z, a: (1 + erf(z / math.sqrt(2))) / 2,
        "Φ missing": lambda z, a: z * _phi(z),
        "z missing": lambda z, a: (1 + erf(z / math.sqrt(2))) / 2 + _phi(z),
        "GELU tanh's": lambda z, a: (
            (1 + _inner(z)) / 2
            + z / 2 * (1 - _inner(z) ** 2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * z * z)
        ),
    },
    "gelu_tanh": {
        "cubic's slope missing": lambda z, a: (
            (1 + _inner(z)) / 2 + z / 2 * (1 - _inner(z) ** 2) * math.sqrt(2 / math.pi)
        ),
        "second term missing": lambda z, a: (1 + _inner(z)) / 2,
        "3 missing": lambda z, a: (
            (1 + _inner(z)) / 2
            + z / 2 * (1 - _inner(z) ** 2) * math.sqrt(2 / math.pi) * (1 + 0.044715 * z * z)
        ),
    },
    "softsign": {
        "square missing": lambda z, a: 1 / (1 + abs(z)),
        "|z| squared": lambda z, a: 1 / (1 + z * z),
        "of z, not |z|": lambda z, a: 1 / np.square(1.5 + z),
    },
    "tanhshrink": {"tanh's": lambda z, a: 1 - np.tanh(z) ** 2, "square missing": lambda z, a: np.tanh(z)},
}
"""By name; wrong(z, a, options) -> f′."""

JACOBIANS = {
    "softmax": {
        "sum missing": lambda s, z, a: s * a,
        "diagonal only": lambda s, z, a: s * a * (1 - a),
        "a missing in the sum": lambda s, z, a: s * a - a * s.sum(axis=0),
    },
    "log_softmax": {
        "sum missing": lambda s, z, a: s - np.exp(a),
        "diagonal only": lambda s, z, a: s * (1 - np.exp(a)),
        "a for e^a": lambda s, z, a: s - a * s.sum(axis=0),
    },
    "softmin": {
        "sum missing": lambda s, z, a: -s * a,
        "softmax's": lambda s, z, a: s * a - a * (s * a).sum(axis=0),
        "diagonal only": lambda s, z, a: -s * a * (1 - a),
    },
}
"""By name; wrong(s, z, a) -> Jᵀ s."""


def _hot(y_hat, y):
    return 1.0 * (y == np.arange(y_hat.shape[0])[:, None])


def _softmax(y_hat):
    e = np.exp(y_hat - y_hat.max(axis=0))
    return e / e.sum(axis=0)


def _targets(y_hat, y):
    return y if y.shape == y_hat.shape else _hot(y_hat, y)


GRADIENTS = {
    "mse": {"2 missing": lambda h, y, n: (h - y) / n},
    "l1": {"of the target": lambda h, y, n: np.sign(y) / n},
    "smooth_l1": {
        "L1's": lambda h, y, n, beta: np.sign(h - y) / n,
        "β missing inside": lambda h, y, n, beta: np.where(abs(h - y) < beta, h - y, np.sign(h - y)) / n,
    },
    "huber": {
        "δ missing outside": lambda h, y, n, delta: (
            np.where(abs(h - y) <= delta, h - y, np.sign(h - y)) / n
        ),
        "never L1": lambda h, y, n, delta: (h - y) / n,
    },
    "bce": {
        "denominator missing": lambda h, y, n: (h - y) / n,
        "second term missing": lambda h, y, n: -y / h / n,
        "1 − ŷ missing": lambda h, y, n: (h - y) / h / n,
    },
    "bce_with_logits": {
        "σ missing": lambda h, y, n, pos_weight: (h - y) / n,
        "y missing": lambda h, y, n, pos_weight: expit(h) / n,
        "BCE's": lambda h, y, n, pos_weight: (expit(h) - y) / (expit(h) * expit(-h)) / n,
    },
    "cross_entropy": {
        "softmax missing": lambda h, y, n, mean, **o: -_targets(h, y) / (y.shape[1] if mean else n),
        "target missing": lambda h, y, n, mean, **o: _softmax(h) / (y.shape[1] if mean else n),
        "softmax's Jacobian twice": lambda h, y, n, mean, **o: (
            _softmax(h) * (1 - _softmax(h)) * (_softmax(h) - _targets(h, y)) / (y.shape[1] if mean else n)
        ),
    },
    "nll": {"1/ŷ": lambda h, y, n, mean, **o: -_hot(h, y) / h / (y.shape[1] if mean else n)},
    "kl_div": {"of probabilities": lambda h, y, n, log_target: -(np.exp(y) if log_target else y) / h / n},
    "poisson_nll": {
        "first term missing": lambda h, y, n, log_input, full, eps: -y / n,
        "second term missing": lambda h, y, n, log_input, full, eps: (
            (np.exp(h) if log_input else 1 + 0 * h) / n
        ),
    },
    "gaussian_nll": {
        "variance squared": lambda h, y, n, var, full, eps: (h - y) / max(var, eps) ** 2 / n,
        "standard deviation": lambda h, y, n, var, full, eps: (h - y) / max(var, eps) ** 0.5 / n,
        "twice, as of MSE": lambda h, y, n, var, full, eps: 2 * (h - y) / max(var, eps) / n,
    },
    "soft_margin": {
        "σ(yŷ)": lambda h, y, n: -y * expit(y * h) / n,
        "y missing": lambda h, y, n: -expit(-y * h) / n,
    },
    "hinge_embedding": {
        "margin's side missing": lambda h, y, n, margin: 1.0 * (y == 1) / n,
        "margin not looked at": lambda h, y, n, margin: np.where(y == 1, 1.0, -1.0) / n,
    },
    "multi_margin": {
        "own class missing": lambda h, y, n, p, margin, weight: _margin(
            h, y, n, p, margin, weight, own=False
        ),
        "the other p's": lambda h, y, n, p, margin, weight: _margin(h, y, n, 3 - p, margin, weight),
    },
    "multilabel_margin": {"hinge of all": lambda h, y, n: -1.0 * (h < 1) / h.shape[0] / n},
    "multilabel_soft_margin": {
        "mean over classes missing": lambda h, y, n, weight: (
            (np.ones(h.shape[0]) if weight is None else np.array(weight))[:, None] * (expit(h) - y) / n
        ),
        "second term missing": lambda h, y, n, weight: -y * expit(-h) / h.shape[0] / n,
    },
}
"""By name; wrong(ŷ, y, n, options) -> ∇L. A loss that counts by itself takes `mean` too."""


def _margin(h, y, n, p, margin, weight, *, own=True):
    hot = _hot(h, y)
    z = np.where(hot > 0, 0, np.maximum(0, margin - (hot * h).sum(axis=0) + h))
    w = (hot * (np.ones(len(h)) if weight is None else np.array(weight))[:, None]).sum(axis=0)
    share = w * (1.0 * (z > 0) if p == 1 else 2 * z) / h.shape[0] / n
    return share - own * hot * share.sum(axis=0)


def _adam(root):
    """Adam's step with a denominator of its own, from p, m, v or V, and c."""
    return lambda p, m, v, c: p - c.lr * (m / (1 - c.beta1**c.t)) / root(v, c)


def _corrected(v, c: Hyper):
    return v / (1 - c.beta2**c.t)


def _rmsprop(p, g, *rest):
    """ε inside the root; with momentum there is no root here, and nothing to be wrong."""
    *moments, c = rest
    if not moments:
        return p - c.lr * g
    deviation = moments[0] - (moments[1] ** 2 if len(moments) > 1 else 0)
    return p - c.lr * g / np.sqrt(deviation + c.eps)


ADAMS = {
    "ε inside the root": _adam(lambda v, c: np.sqrt(_corrected(v, c) + c.eps)),
    "ε before the bias correction": _adam(lambda v, c: (np.sqrt(v) + c.eps) / (1 - c.beta2**c.t) ** 0.5),
    "root missing": _adam(lambda v, c: _corrected(v, c) + c.eps),
    "second bias correction missing": _adam(lambda v, c: np.sqrt(v) + c.eps),
}

RULES = {
    ("adam", "p"): ADAMS,
    ("adamw", "p"): ADAMS,
    ("adam", "m"): {"1 − β₁ missing": lambda m, g, p, c: c.beta1 * m + g},
    ("adam", "v"): {"g² is g": lambda v, g, p, c: c.beta2 * v + (1 - c.beta2) * g},
    ("adamax", "n"): {"ε missing": lambda n, g, p, c: np.maximum(c.beta2 * n, abs(g))},
    ("adamax", "p"): {"first bias correction missing": lambda p, m, n, c: p - c.lr * m / n},
    ("nadam", "p"): {"Adam's": lambda p, g, m, v, c: ADAMS["ε inside the root"](p, m, v, c)},
    ("radam", "p"): {"Adam's": lambda p, m, v, c: ADAMS["ε inside the root"](p, m, v, c)},
    ("adagrad", "p"): {
        "ε inside the root": lambda p, g, S, c: p - c.lr * g / np.sqrt(S + c.eps),
        "root missing": lambda p, g, S, c: p - c.lr * g / (S + c.eps),
        "t for t − 1": lambda p, g, S, c: p - c.lr / (1 + c.t * c.lr_decay) * g / (np.sqrt(S) + c.eps),
    },
    ("adagrad", "S"): {"no sum": lambda S, g, p, c: g * g},
    ("rmsprop", "v"): {"α and 1 − α exchanged": lambda v, g, p, c: (1 - c.alpha) * v + c.alpha * g * g},
    ("rmsprop", "p"): {"ε inside the root": _rmsprop},
    ("adadelta", "p"): {
        "ε outside the roots": lambda p, g, v, n, c: (
            p - c.lr * (np.sqrt(n) + c.eps) / (np.sqrt(v) + c.eps) * g
        ),
        "root above missing": lambda p, g, v, n, c: p - c.lr * g / np.sqrt(v + c.eps),
    },
    ("adadelta", "n"): {"of g": lambda n, g, v, p, c: c.rho * n + (1 - c.rho) * g * g},
    ("sgd", "v"): {
        "damped at once": lambda v, g, p, c: c.momentum * v + (1 - c.dampening) * g,
        "1 − μ as of an average": lambda v, g, p, c: c.momentum * v + (1 - c.momentum) * g,
    },
    ("asgd", "p"): {"η in place of η_t": lambda p, g, c: p * (1 - c.lambd * c.lr) - c.lr * g},
    ("asgd", "ax"): {"no average": lambda ax, p, c: np.positive(p)},
    ("rprop", "h"): {
        "never clipped": lambda h, g, last, c: h * (1.2 * (g * last > 0) + 0.5 * (g * last < 0))
    },
    ("rprop", "last"): {"turn not forgotten": lambda g, last, c: np.positive(g)},
    ("rprop", "p"): {"g in place of its sign": lambda p, h, last, c: p - last * h},
    ("adafactor", "p"): {"Adam's, undecayed": lambda p, g, *rest: p - rest[-1].lr * np.sign(g)},
    ("muon", "p"): {"momentum alone": lambda p, g, B, c: p - c.lr * B},
}
"""By name and the tensor made; wrong(inputs, c) -> the tensor."""
