"""One hand-written `step` with any of the catalogue's mistakes planted in it.

Plain numpy, written as people write it and not as `parity.diagnosis` does: `hand(formula, name, s)`
is asked for each formula before the right line is used. `PLANTS` lists every plant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

F: dict[str, tuple[Callable, Callable]] = {
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
}


@dataclass
class S:
    """Everything a plant may look at: the step so far, the layer, and the step before."""

    W: list
    b: list
    x: Any
    y: Any
    lr: float
    names: list
    z: dict = field(default_factory=dict)
    a: dict = field(default_factory=dict)
    s: dict = field(default_factory=dict)
    delta: dict = field(default_factory=dict)
    dW: dict = field(default_factory=dict)
    db: dict = field(default_factory=dict)
    before: S | None = None
    l: int = 0

    @property
    def L(self):
        return len(self.W)

    @property
    def n(self):
        return self.y.size

    @property
    def batch(self):
        return self.y.shape[1]

    def w(self, l):
        return self.W[l - 1]

    def bias(self, l):
        return self.b[l - 1]

    def act(self, l=None):
        return F[self.names[(l or self.l) - 1]][0]

    def slope(self, z, a, l=None):
        return F[self.names[(l or self.l) - 1]][1](z, a)


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


def _delta(s):
    return s.s[s.l] * s.slope(s.z[s.l], s.a[s.l])


def _back(s, W, delta):
    s.s[s.l] = W @ delta
    return _delta(s)


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


RIGHT: dict[str, Callable[[S], Any]] = {
    "affine": lambda s: s.w(s.l) @ s.a[s.l - 1] + s.bias(s.l),
    "activation": lambda s: s.act()(s.z[s.l]),
    "loss": lambda s: np.mean((s.a[s.L] - s.y) ** 2),
    "output_delta": lambda s: 2 * (s.a[s.L] - s.y) / s.n * s.slope(s.z[s.L], s.a[s.L]),
    "hidden_delta": lambda s: _back(s, s.w(s.l + 1).T, s.delta[s.l + 1]),
    "weight_gradient": lambda s: s.delta[s.l] @ s.a[s.l - 1].T,
    "bias_gradient": lambda s: s.delta[s.l].sum(axis=1, keepdims=True),
    "weight_update": lambda s: s.w(s.l) - s.lr * s.dW[s.l],
    "bias_update": lambda s: s.bias(s.l) - s.lr * s.db[s.l],
}

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
    ("wrong-layer", "output_delta", ""): lambda s: s.s[s.l] * s.slope(s.z[s.l - 1], s.act()(s.z[s.l - 1])),
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
    ("not-transposed", "hidden_delta", ""): lambda s: _back(s, s.w(s.l + 1), s.delta[s.l + 1]),
    ("updated-weights", "hidden_delta", ""): lambda s: _back(s, _updated(s).T, s.delta[s.l + 1]),
    ("wrong-layer", "hidden_delta", "W"): lambda s: _back(s, s.w(s.l).T, s.delta[s.l + 1]),
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
    ("stale-value", "hidden_delta", "W"): lambda s: _back(
        s, (s.before or s).w(s.l + 1).T, s.delta[s.l + 1]
    ),
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
    ("stale-value", "weight_update", "not updated"): lambda s: s.w(s.l).copy(),
    ("stale-value", "weight_update", "dW"): lambda s: s.w(s.l) - s.lr * (s.before or s).dW[s.l],
    ("transposed", "weight_update", ""): lambda s: s.w(s.l) - s.lr * s.dW[s.l].T,
    ("lower-precision", "weight_update", ""): lambda s: up(low(RIGHT["weight_update"](s)), s.x),
    ("one-element", "weight_update", ""): lambda s: _one(RIGHT["weight_update"](s)),
    # b ← b − η db
    ("missing-learning-rate", "bias_update", ""): lambda s: s.bias(s.l) - s.db[s.l],
    ("learning-rate-twice", "bias_update", ""): lambda s: s.bias(s.l) - s.lr * (s.lr * s.db[s.l]),
    ("wrong-sign-of-update", "bias_update", ""): lambda s: s.bias(s.l) + s.lr * s.db[s.l],
    ("stale-value", "bias_update", "not updated"): lambda s: s.bias(s.l).copy(),
    ("one-element", "bias_update", ""): lambda s: _one(RIGHT["bias_update"](s)),
}
for _text in ("2", "1/2", "batch", "outputs", "n", "n/2"):
    PLANTS["wrong-constant", "output_delta", _text] = lambda s, c=const(_text): (
        c(s) * RIGHT["output_delta"](s)
    )
for _formula in ("hidden_delta", "weight_gradient", "bias_gradient"):
    for _text in ("2", "1/2", "batch", "η"):
        PLANTS["wrong-constant", _formula, _text] = lambda s, c=const(_text), f=_formula: c(s) * RIGHT[f](s)
PLANTS["wrong-constant", "weight_update", "2"] = lambda s: s.w(s.l) - 2 * s.lr * s.dW[s.l]


def mutant(*plants: Plant, layout: str = "columns", layer: int | None = None) -> Callable:
    """A `step` with these plants in it, in every layer or only in one; none gives a correct one."""
    memory: dict[tuple, S] = {}

    def step(W, b, x, y, lr, activation):
        rows = layout == "rows"
        if rows:
            W, x, y = [w.T for w in W], x.T, y.T
            b = [v.reshape(-1, 1) for v in b]
        key = (tuple(w.shape for w in W), x.shape)
        s = _step(W, b, x, y, lr, activation, memory.get(key))
        memory[key] = s
        shown = {
            "z": [s.z[l] for l in range(1, s.L + 1)],
            "a": [s.a[l] for l in range(1, s.L + 1)],
            "loss": s.loss,
            "delta": [s.delta[l] for l in range(1, s.L + 1)],
            "dW": [s.dW[l] for l in range(1, s.L + 1)],
            "db": [s.db[l] for l in range(1, s.L + 1)],
            "W": s.new_W,
            "b": s.new_b,
        }
        if rows:
            for name in ("z", "a", "delta", "dW", "W"):
                shown[name] = [v.T for v in shown[name]]
            for name in ("db", "b"):
                shown[name] = [v[:, 0] if v.shape[1] == 1 else v.T for v in shown[name]]
        return shown

    def hand(formula: str, s: S):
        for plant in plants:
            if plant[1] == formula and layer in (None, s.l):
                return PLANTS[plant](s)
        return RIGHT[formula](s)

    def _step(W, b, x, y, lr, names, before):
        s = S(W, b, x, y, lr, names, before=before)
        s.a[0] = x
        for s.l in range(1, s.L + 1):
            s.z[s.l] = hand("affine", s)
            s.a[s.l] = hand("activation", s)
        s.l = s.L
        s.loss = hand("loss", s)
        s.s[s.L] = 2 * (s.a[s.L] - s.y) / s.n
        s.delta[s.L] = hand("output_delta", s)
        for s.l in range(s.L - 1, 0, -1):
            s.s[s.l] = s.w(s.l + 1).T @ s.delta[s.l + 1]
            s.delta[s.l] = hand("hidden_delta", s)
        for s.l in range(1, s.L + 1):
            s.dW[s.l] = hand("weight_gradient", s)
            s.db[s.l] = hand("bias_gradient", s)
        s.new_W, s.new_b = [], []
        for s.l in range(1, s.L + 1):
            shown_dW, shown_db = s.dW[s.l], s.db[s.l]
            if shown_dW.shape != s.w(s.l).shape:  # it would not run; what people do then is to repair it
                s.dW[s.l] = RIGHT["weight_gradient"](s)
            if shown_db.shape != s.bias(s.l).shape:
                s.db[s.l] = RIGHT["bias_gradient"](s)
            s.new_W.append(hand("weight_update", s))
            s.new_b.append(hand("bias_update", s))
            s.dW[s.l], s.db[s.l] = shown_dW, shown_db
        return s

    return step
