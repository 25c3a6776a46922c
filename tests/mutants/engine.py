"""A copy of the engine, one method a formula, and bugs to plant in it; nothing here is clever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.config.case import Case
from reference.arrays import Array
from reference.trace import Trace


class Backprop:
    """One correct training step. Layers count from 1; `a[0]` is x."""

    def __init__(self, case: Case) -> None:
        architecture = case.architecture
        self.depth, self.lr, self.dtype = architecture.depth, case.lr, np.dtype(architecture.dtype)
        self.f = (None, *architecture.activations)
        self.W = [None] + [case.parameters[f"W{l}"].copy() for l in range(1, self.depth + 1)]
        self.b = [None] + [case.parameters[f"b{l}"].copy() for l in range(1, self.depth + 1)]

    # Forward and loss
    def z_(self, l):
        return self.W[l] @ self.a[l - 1] + self.b[l]

    def a_(self, l):
        return self.f[l].function(self.z[l], None)

    def n(self):
        return self.y.size

    def loss_(self):
        return np.sum((self.y - self.a[self.depth]) ** 2) / self.n()

    # Backward
    def s_top(self):
        return 2 / self.n() * (self.a[self.depth] - self.y)

    def slope(self, l):
        return self.f[l].derivative(self.z[l], self.a[l], None)

    def s_(self, l):
        return self.W[l + 1].T @ self.delta[l + 1]

    def delta_(self, l):
        return self.s[l] * self.slope(l)

    def dW_(self, l):
        return self.delta[l] @ self.a[l - 1].T

    def db_(self, l):
        return self.delta[l].sum(axis=1, keepdims=True)

    # Update
    def W_next_(self, l):
        return self.W[l] - self.lr * self.dW[l]

    def b_next_(self, l):
        return self.b[l] - self.lr * self.db[l]

    # The order of execution
    def forward(self, x: Array) -> None:
        empty: list[Array | None] = [None] * (self.depth + 1)
        self.z, self.a, self.s, self.delta, self.dW, self.db = (list(empty) for _ in range(6))
        self.a[0] = x
        for l in range(1, self.depth + 1):
            self.z[l] = self.z_(l)
            self.a[l] = self.a_(l)

    def backward(self, y: Array) -> None:
        self.y = y
        self.loss = self.loss_()
        for l in range(self.depth, 0, -1):
            self.s[l] = self.s_top() if l == self.depth else self.s_(l)
            self.delta[l] = self.delta_(l)
        for l in range(1, self.depth + 1):
            self.dW[l], self.db[l] = self.dW_(l), self.db_(l)

    def update(self) -> tuple[list[Array], list[Array]]:
        layers = range(1, self.depth + 1)
        W_next = [None] + [self.W_next_(l) for l in layers]
        b_next = [None] + [self.b_next_(l) for l in layers]
        return W_next, b_next

    def step(self, x: Array, y: Array) -> Trace:
        self.forward(x)
        self.backward(y)
        W_next, b_next = self.update()
        trace = Trace(x=x, y=y, loss=np.asarray(self.loss, self.dtype))
        for l in range(1, self.depth + 1):
            for name in ("W", "b", "z", "a", "s", "delta", "dW", "db"):
                trace[f"{name}{l}"] = np.array(getattr(self, name)[l], self.dtype)
            trace[f"W{l}_next"] = np.array(W_next[l], self.dtype)
            trace[f"b{l}_next"] = np.array(b_next[l], self.dtype)
        self.W, self.b = W_next, b_next
        return trace


class Engine(Backprop):
    """The copy as a side of the lockstep."""

    name = "reference"


@dataclass(frozen=True)
class Bug:
    """A method of `Backprop` done wrong; the formula in which it must be found, and from which layer on."""

    name: str
    method: str
    wrong: Callable[..., object]
    formula: str
    only: Callable[[int, int], bool] = lambda l, depth: True  # layers it changes, of a network so deep
    layers: tuple[int, ...] = (4, 4, 4, 3)
    activation: str = "tanh"
    dtype: str = "float32"
    on_torch: bool = True  # whether it can be planted in a module's backward or an optimizer

    def planted(self, base: type[Backprop]) -> type[Backprop]:
        """`base` with this one method wrong, in the layers concerned."""
        right = getattr(base, self.method)

        def method(this, *layer):
            if layer and not self.only(layer[0], this.depth):
                return right(this, *layer)
            return self.wrong(this, *layer)

        return type(f"{base.__name__}_{self.name}", (base,), {self.method: method})


def _one_element(this, l):
    dW = this.delta[l] @ this.a[l - 1].T
    dW[-1, 0] *= 1 + 1e-5
    return dW


def _updated_weights(this, l):
    updated = this.W[l + 1] - this.lr * (this.delta[l + 1] @ this.a[l].T)
    return updated.T @ this.delta[l + 1]


def _last_sample(this, l):
    return this.delta[l][:, -1:] @ this.a[l - 1][:, -1:].T


def _single(value):
    return np.float64(np.float32(value))


hidden = dict(only=lambda l, depth: l < depth)
top = dict(only=lambda l, depth: l == depth)
second = dict(only=lambda l, depth: l == 2)

BUGS = (
    Bug(
        "loss_without_1_over_n",
        "loss_",
        lambda t: np.sum((t.y - t.a[t.depth]) ** 2),
        "loss",
        on_torch=False,
    ),
    Bug(
        "loss_n_is_batch",
        "loss_",
        lambda t: np.sum((t.y - t.a[t.depth]) ** 2) / t.y.shape[1],
        "loss",
        on_torch=False,
    ),
    Bug("gradient_without_1_over_n", "s_top", lambda t: 2 * (t.a[t.depth] - t.y), "loss_gradient"),
    Bug("gradient_n_is_batch", "s_top", lambda t: 2 / t.y.shape[1] * (t.a[t.depth] - t.y), "loss_gradient"),
    Bug(
        "gradient_n_is_outputs", "s_top", lambda t: 2 / t.y.shape[0] * (t.a[t.depth] - t.y), "loss_gradient"
    ),
    Bug("gradient_without_2", "s_top", lambda t: (t.a[t.depth] - t.y) / t.n(), "loss_gradient"),
    Bug("gradient_sign", "s_top", lambda t: 2 / t.n() * (t.y - t.a[t.depth]), "loss_gradient"),
    Bug("z_without_bias", "z_", lambda t, l: t.W[l] @ t.a[l - 1], "affine", on_torch=False, **second),
    Bug(
        "z_square_W_transposed",
        "z_",
        lambda t, l: t.W[l].T @ t.a[l - 1] + t.b[l],
        "affine",
        on_torch=False,
        **second,
    ),
    Bug("a_is_z", "a_", lambda t, l: t.z[l], "activation", on_torch=False, **second),
    Bug("output_f_prime_missing", "delta_", lambda t, l: t.s[l], "output_delta", **top),
    Bug(
        "output_f_prime_at_a",
        "delta_",
        lambda t, l: t.s[l] * t.f[l].derivative(t.a[l], np.tanh(t.a[l]), None),
        "output_delta",
        **top,
    ),
    Bug("hidden_f_prime_missing", "delta_", lambda t, l: t.s[l], "hidden_delta", **hidden),
    Bug(
        "hidden_f_prime_at_a",
        "delta_",
        lambda t, l: t.s[l] * t.f[l].derivative(t.a[l], np.tanh(t.a[l]), None),
        "hidden_delta",
        **hidden,
    ),
    Bug(
        "hidden_f_prime_of_neighbour",
        "delta_",
        lambda t, l: t.s[l] * t.slope(l + 1),
        "hidden_delta",
        only=lambda l, depth: l == 1,
    ),
    Bug(
        "tanh_prime_without_square", "delta_", lambda t, l: t.s[l] * (1 - t.a[l]), "hidden_delta", **hidden
    ),
    Bug(
        "sigmoid_prime_without_1_minus",
        "delta_",
        lambda t, l: t.s[l] * t.a[l],
        "hidden_delta",
        activation="sigmoid",
        **hidden,
    ),
    Bug(
        "relu_prime_at_0_is_1",
        "delta_",
        lambda t, l: t.s[l] * (t.z[l] >= 0),
        "hidden_delta",
        activation="relu",
        **hidden,
    ),
    Bug(
        "hidden_W_not_transposed",
        "s_",
        lambda t, l: t.W[l + 1] @ t.delta[l + 1],
        "hidden_delta",
        only=lambda l, depth: l == 1,
    ),
    Bug("hidden_W_updated", "s_", _updated_weights, "hidden_delta", **hidden),
    Bug("hidden_sign", "s_", lambda t, l: -(t.W[l + 1].T @ t.delta[l + 1]), "hidden_delta", **hidden),
    Bug("db_averaged", "db_", lambda t, l: t.delta[l].mean(axis=1, keepdims=True), "bias_gradient"),
    Bug("db_last_sample", "db_", lambda t, l: t.delta[l][:, -1:], "bias_gradient"),
    Bug("dW_from_z", "dW_", lambda t, l: t.delta[l] @ t.z[l - 1].T, "weight_gradient", **second),
    Bug("dW_from_own_a", "dW_", lambda t, l: t.delta[l] @ t.a[l].T, "weight_gradient", **second),
    Bug("dW_averaged", "dW_", lambda t, l: t.delta[l] @ t.a[l - 1].T / t.y.shape[1], "weight_gradient"),
    Bug("dW_last_sample", "dW_", _last_sample, "weight_gradient"),
    Bug("dW_swapped_operands", "dW_", lambda t, l: t.a[l - 1] @ t.delta[l].T, "weight_gradient", **second),
    Bug("dW_sign", "dW_", lambda t, l: -(t.delta[l] @ t.a[l - 1].T), "weight_gradient"),
    Bug("dW_one_element_1e-5", "dW_", _one_element, "weight_gradient", **second),
    Bug("update_sign", "W_next_", lambda t, l: t.W[l] + t.lr * t.dW[l], "weight_update"),
    Bug("update_rate_twice", "W_next_", lambda t, l: t.W[l] - t.lr * (t.lr * t.dW[l]), "weight_update"),
    Bug("update_without_rate", "W_next_", lambda t, l: t.W[l] - t.dW[l], "weight_update"),
    Bug("update_bias_forgotten", "b_next_", lambda t, l: t.b[l], "bias_update"),
    Bug(
        "float32_rate_in_float64",
        "W_next_",
        lambda t, l: t.W[l] - _single(t.lr) * t.dW[l],
        "weight_update",
        dtype="float64",
    ),
    Bug(
        "float32_product_in_float64",
        "dW_",
        lambda t, l: (t.delta[l].astype("f4") @ t.a[l - 1].T.astype("f4")).astype("f8"),
        "weight_gradient",
        dtype="float64",
    ),
    Bug(
        "float32_constant_in_float64",
        "s_top",
        lambda t: _single(2 / t.n()) * (t.a[t.depth] - t.y),
        "loss_gradient",
        dtype="float64",
    ),
)
