"""Every mistake of the catalogue, planted: what stands in the place of the right line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants.backprop import RIGHT, F, S, back

OTHER = {"sigmoid": "tanh", "tanh": "sigmoid", "relu": "tanh", "identity": "sigmoid"}


def low(array):
    """Through cheaper arithmetic."""
    return array.astype(np.float32 if array.dtype == np.float64 else np.float16)


def up(array, like):
    return array.astype(like.dtype)


def _lower_affine(s):
    z = low(s.w(s.l)) @ low(s.a[s.l - 1]) + low(s.bias(s.l))
    return up(z, s.x)


def _lower_dW(s):
    return up(low(s.delta[s.l]) @ low(s.a[s.l - 1]).T, s.x)


def _lower_delta(s):
    return up(low(s.s[s.l]) * low(s.slope(s.z[s.l], s.a[s.l])), s.x)


def _one(array, factor=1.5):
    array = array.copy()
    array.flat[-1] = array.flat[-1] * factor + array.dtype.type(0.01)
    return array


def _updated(s):
    l = s.l + 1
    return s.w(l) - s.lr * (s.delta[l] @ s.a[s.l].T)


def _other_slope(s):
    g, g_prime = F[OTHER[s.names[s.l - 1]]]
    z = s.z[s.l]
    return s.s[s.l] * g_prime(z, g(z))


def _wrong_slope(s):
    """A known wrong formula of this very activation."""
    z, a = s.z[s.l], s.a[s.l]
    wrong = {"sigmoid": a * (1 + a), "tanh": 1 - a, "relu": np.maximum(z, 0), "identity": z}
    return s.s[s.l] * wrong[s.names[s.l - 1]]


def _slope_below(s):
    """f′ at the z of the layer below, where there is one; it runs where both are equally wide."""
    if s.l == 1:
        return RIGHT["output_delta"](s)
    if s.z[s.l - 1].shape != s.s[s.l].shape:
        raise ValueError("the shapes forbid it")
    return s.s[s.l] * s.slope(s.z[s.l - 1], s.act()(s.z[s.l - 1]))


def _tiles(total, s):
    return np.full((len(s.delta[s.l]), 1), total, dtype=s.x.dtype)


def const(text):
    """A constant in terms of the case."""
    return {
        "2": lambda s: 2.0,
        "1/2": lambda s: 0.5,
        "batch": lambda s: float(s.batch),
        "outputs": lambda s: float(len(s.y)),
        "n": lambda s: float(s.n),
        "n/2": lambda s: s.n / 2,
        "η": lambda s: s.lr,
    }[text]


Plant = tuple[str, str, str]
"""The mistake's name, the formula it is planted in, and which variety of it."""

PLANTS: dict[Plant, Callable[[S], Any]] = {
    # z = W a + b
    ("missing-bias", "affine", ""): lambda s: s.w(s.l) @ s.a[s.l - 1],
    ("uses-z-for-a", "affine", ""): lambda s: s.w(s.l) @ s.z.get(s.l - 1, s.x) + s.bias(s.l),
    ("transposed", "affine", ""): lambda s: s.w(s.l).T @ s.a[s.l - 1] + s.bias(s.l),
    ("swapped-operands", "affine", ""): lambda s: s.a[s.l - 1] @ s.w(s.l) + s.bias(s.l),
    ("not-accumulated", "affine", ""): lambda s: np.outer(s.w(s.l)[:, -1], s.a[s.l - 1][-1]) + s.bias(s.l),
    ("stale-value", "affine", "W"): lambda s: (s.before or s).w(s.l) @ s.a[s.l - 1] + s.bias(s.l),
    ("wrong-layer", "affine", "b"): lambda s: s.w(s.l) @ s.a[s.l - 1] + s.bias(max(1, s.l - 1)),
    ("sign-flipped", "affine", "b"): lambda s: s.w(s.l) @ s.a[s.l - 1] - s.bias(s.l),
    ("wrong-constant", "affine", "2"): lambda s: 2 * RIGHT["affine"](s),
    ("lower-precision", "affine", ""): _lower_affine,
    ("one-element", "affine", ""): lambda s: _one(RIGHT["affine"](s)),
    # a = f(z)
    ("uses-z-for-a", "activation", ""): lambda s: s.z[s.l].copy(),
    ("wrong-activation", "activation", ""): lambda s: F[OTHER[s.names[s.l - 1]]][0](s.z[s.l]),
    ("one-element", "activation", ""): lambda s: _one(RIGHT["activation"](s)),
    # the loss
    ("wrong-constant", "loss", "1/2"): lambda s: 0.5 * RIGHT["loss"](s),
    ("wrong-constant", "loss", "n"): lambda s: np.sum((s.a[s.L] - s.y) ** 2),
    ("wrong-constant", "loss", "outputs"): lambda s: np.sum((s.a[s.L] - s.y) ** 2) / s.batch,
    ("mean-over-batch", "loss", ""): lambda s: RIGHT["loss"](s) / s.batch,
    ("uses-z-for-a", "loss", ""): lambda s: np.mean((s.z[s.L] - s.y) ** 2),
    ("last-sample-only", "loss", ""): lambda s: np.mean((s.a[s.L][:, -1] - s.y[:, -1]) ** 2),
    ("sign-flipped", "loss", ""): lambda s: -RIGHT["loss"](s),
    # δ of the output layer
    ("missing-derivative", "output_delta", ""): lambda s: 2 * (s.a[s.L] - s.y) / s.n,
    ("derivative-at-activation", "output_delta", ""): lambda s: (
        s.s[s.l] * s.slope(s.a[s.l], s.act()(s.a[s.l]))
    ),
    ("wrong-derivative", "output_delta", "other"): _other_slope,
    ("wrong-derivative", "output_delta", "own"): _wrong_slope,
    ("uses-z-for-a", "output_delta", ""): lambda s: s.s[s.l] * s.slope(s.z[s.l], s.z[s.l]),
    ("sign-flipped", "output_delta", ""): lambda s: (
        2 * (s.y - s.a[s.L]) / s.n * s.slope(s.z[s.L], s.a[s.L])
    ),
    ("mean-over-batch", "output_delta", ""): lambda s: RIGHT["output_delta"](s) / s.batch,
    ("wrong-layer", "output_delta", ""): _slope_below,
    ("stale-value", "output_delta", "y"): lambda s: (
        2 * (s.a[s.L] - (s.before or s).y) / s.n * s.slope(s.z[s.L], s.a[s.L])
    ),
    ("lower-precision", "output_delta", ""): _lower_delta,
    ("one-element", "output_delta", ""): lambda s: _one(RIGHT["output_delta"](s)),
    # δ of hidden layers
    ("missing-derivative", "hidden_delta", ""): lambda s: s.w(s.l + 1).T @ s.delta[s.l + 1],
    ("derivative-at-activation", "hidden_delta", ""): lambda s: (
        (s.w(s.l + 1).T @ s.delta[s.l + 1]) * s.slope(s.a[s.l], s.act()(s.a[s.l]))
    ),
    ("wrong-derivative", "hidden_delta", "other"): lambda s: (RIGHT["hidden_delta"](s), _other_slope(s))[1],
    ("wrong-derivative", "hidden_delta", "own"): lambda s: (RIGHT["hidden_delta"](s), _wrong_slope(s))[1],
    ("uses-z-for-a", "hidden_delta", ""): lambda s: (
        (s.w(s.l + 1).T @ s.delta[s.l + 1]) * s.slope(s.z[s.l], s.z[s.l])
    ),
    ("not-transposed", "hidden_delta", ""): lambda s: back(s, s.w(s.l + 1), s.delta[s.l + 1]),
    ("updated-weights", "hidden_delta", ""): lambda s: back(s, _updated(s).T, s.delta[s.l + 1]),
    ("wrong-layer", "hidden_delta", "W"): lambda s: back(s, s.w(s.l).T, s.delta[s.l + 1]),
    ("wrong-layer", "hidden_delta", "z"): lambda s: (
        (s.w(s.l + 1).T @ s.delta[s.l + 1]) * s.slope(s.z[s.l + 1], s.act()(s.z[s.l + 1]))
    ),
    ("swapped-operands", "hidden_delta", ""): lambda s: (
        (s.delta[s.l + 1] @ s.w(s.l + 1).T) * s.slope(s.z[s.l], s.a[s.l])
    ),
    ("sign-flipped", "hidden_delta", ""): lambda s: -RIGHT["hidden_delta"](s),
    ("mean-over-batch", "hidden_delta", ""): lambda s: RIGHT["hidden_delta"](s) / s.batch,
    ("not-accumulated", "hidden_delta", ""): lambda s: (
        np.outer(s.w(s.l + 1)[-1], s.delta[s.l + 1][-1]) * s.slope(s.z[s.l], s.a[s.l])
    ),
    ("stale-value", "hidden_delta", "W"): lambda s: back(s, (s.before or s).w(s.l + 1).T, s.delta[s.l + 1]),
    ("lower-precision", "hidden_delta", ""): lambda s: up(low(RIGHT["hidden_delta"](s)), s.x),
    ("one-element", "hidden_delta", ""): lambda s: _one(RIGHT["hidden_delta"](s)),
    # dW
    ("uses-z-for-a", "weight_gradient", ""): lambda s: s.delta[s.l] @ s.z.get(s.l - 1, s.x).T,
    ("transposed", "weight_gradient", ""): lambda s: s.a[s.l - 1] @ s.delta[s.l].T,
    ("swapped-operands", "weight_gradient", ""): lambda s: s.a[s.l - 1].T @ s.delta[s.l],
    ("mean-over-batch", "weight_gradient", ""): lambda s: RIGHT["weight_gradient"](s) / s.batch,
    ("sum-over-wrong-axis", "weight_gradient", ""): lambda s: s.delta[s.l].T @ s.a[s.l - 1],
    ("last-sample-only", "weight_gradient", ""): lambda s: np.outer(
        s.delta[s.l][:, -1], s.a[s.l - 1][:, -1]
    ),
    ("missing-derivative", "weight_gradient", ""): lambda s: s.s[s.l] @ s.a[s.l - 1].T,
    ("sign-flipped", "weight_gradient", ""): lambda s: -RIGHT["weight_gradient"](s),
    ("wrong-layer", "weight_gradient", ""): lambda s: s.delta[s.l] @ s.a[s.l].T,
    ("stale-value", "weight_gradient", "a"): lambda s: (
        s.delta[s.l] @ (s.before.a if s.before and s.before.batch == s.batch else s.a)[s.l - 1].T
    ),
    ("lower-precision", "weight_gradient", ""): _lower_dW,
    ("one-element", "weight_gradient", ""): lambda s: _one(RIGHT["weight_gradient"](s)),
    # db
    ("sum-over-wrong-axis", "bias_gradient", ""): lambda s: s.delta[s.l].sum(axis=0, keepdims=True),
    ("sum-over-wrong-axis", "bias_gradient", "both"): lambda s: _tiles(s.delta[s.l].sum(), s),
    ("mean-over-batch", "bias_gradient", ""): lambda s: s.delta[s.l].mean(axis=1, keepdims=True),
    ("last-sample-only", "bias_gradient", ""): lambda s: s.delta[s.l][:, -1:].copy(),
    ("not-accumulated", "bias_gradient", ""): lambda s: s.delta[s.l].copy(),
    ("sign-flipped", "bias_gradient", ""): lambda s: -RIGHT["bias_gradient"](s),
    ("wrong-layer", "bias_gradient", ""): lambda s: s.delta[min(s.L, s.l + 1)].sum(axis=1, keepdims=True),
    ("lower-precision", "bias_gradient", ""): lambda s: up(
        low(s.delta[s.l]).sum(axis=1, keepdims=True), s.x
    ),
    ("one-element", "bias_gradient", ""): lambda s: _one(RIGHT["bias_gradient"](s)),
    # W ← W − η dW
    ("missing-learning-rate", "weight_update", ""): lambda s: s.w(s.l) - s.dW[s.l],
    ("learning-rate-twice", "weight_update", ""): lambda s: s.w(s.l) - s.lr * (s.lr * s.dW[s.l]),
    ("wrong-sign-of-update", "weight_update", ""): lambda s: s.w(s.l) + s.lr * s.dW[s.l],
    ("swapped-operands", "weight_update", ""): lambda s: s.lr * s.dW[s.l] - s.w(s.l),
    ("mean-over-batch", "weight_update", ""): lambda s: s.w(s.l) - s.lr / s.batch * s.dW[s.l],
    ("not-accumulated", "weight_update", ""): lambda s: -s.lr * s.dW[s.l],
    ("not-updated", "weight_update", ""): lambda s: s.w(s.l).copy(),
    ("stale-value", "weight_update", "dW"): lambda s: s.w(s.l) - s.lr * (s.before or s).dW[s.l],
    ("transposed", "weight_update", ""): lambda s: s.w(s.l) - s.lr * s.dW[s.l].T,
    ("lower-precision", "weight_update", ""): lambda s: up(low(RIGHT["weight_update"](s)), s.x),
    ("one-element", "weight_update", ""): lambda s: _one(RIGHT["weight_update"](s)),
    # b ← b − η db
    ("missing-learning-rate", "bias_update", ""): lambda s: s.bias(s.l) - s.db[s.l],
    ("learning-rate-twice", "bias_update", ""): lambda s: s.bias(s.l) - s.lr * (s.lr * s.db[s.l]),
    ("wrong-sign-of-update", "bias_update", ""): lambda s: s.bias(s.l) + s.lr * s.db[s.l],
    ("not-updated", "bias_update", ""): lambda s: s.bias(s.l).copy(),
    ("one-element", "bias_update", ""): lambda s: _one(RIGHT["bias_update"](s)),
}


def _scaled(formula: str, text: str) -> Callable[[S], Any]:
    count = const(text)
    return lambda s: count(s) * RIGHT[formula](s)


for _text in ("2", "1/2", "batch", "outputs", "n", "n/2"):
    PLANTS["wrong-constant", "output_delta", _text] = _scaled("output_delta", _text)
for _formula in ("hidden_delta", "weight_gradient", "bias_gradient"):
    for _text in ("2", "1/2", "batch", "η"):
        PLANTS["wrong-constant", _formula, _text] = _scaled(_formula, _text)
PLANTS["wrong-constant", "weight_update", "2"] = lambda s: s.w(s.l) - 2 * s.lr * s.dW[s.l]
