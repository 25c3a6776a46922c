"""One hand-written step of backprop, formula by formula, written as people write it."""

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


def delta_of(s):
    return s.s[s.l] * s.slope(s.z[s.l], s.a[s.l])


def back(s, W, delta):
    s.s[s.l] = W @ delta
    return delta_of(s)


RIGHT: dict[str, Callable[[S], Any]] = {
    "affine": lambda s: s.w(s.l) @ s.a[s.l - 1] + s.bias(s.l),
    "activation": lambda s: s.act()(s.z[s.l]),
    "loss": lambda s: np.mean((s.a[s.L] - s.y) ** 2),
    "output_delta": lambda s: 2 * (s.a[s.L] - s.y) / s.n * s.slope(s.z[s.L], s.a[s.L]),
    "hidden_delta": lambda s: back(s, s.w(s.l + 1).T, s.delta[s.l + 1]),
    "weight_gradient": lambda s: s.delta[s.l] @ s.a[s.l - 1].T,
    "bias_gradient": lambda s: s.delta[s.l].sum(axis=1, keepdims=True),
    "weight_update": lambda s: s.w(s.l) - s.lr * s.dW[s.l],
    "bias_update": lambda s: s.bias(s.l) - s.lr * s.db[s.l],
}
