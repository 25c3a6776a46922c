"""The gallery of mistakes: the classic wrong backprops, each one line away from the deck's.

A mistake is the deck's network with one method wrong; the page that catches it shows that line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.config.case import Case
from reference import formulas
from reference.arrays import Array
from reference.trace import Trace


class Learner:
    """A backpropagation as a learner writes it, formula by formula; each method is one of them."""

    name = "subject"

    def __init__(self, case: Case) -> None:
        self.architecture, self.lr = case.architecture, case.lr
        self.depth = case.architecture.depth
        self.now = Trace({name: array.copy() for name, array in case.parameters.items()})

    def slope(self, l: int) -> Array:
        """f′(z^(l)). Shape (out, batch)."""
        f = self.architecture.activations[l - 1]
        return np.multiply(
            np.ones_like(self.now[f"z{l}"]), f.derivative(self.now[f"z{l}"], self.now[f"a{l}"], None)
        )

    def loss_gradient(self) -> Array:
        """∇_ŷ L. Shape (outputs, batch)."""
        now = self.now
        y_hat, y = now[f"a{self.depth}"], now["y"]
        return formulas.loss_gradient(self.architecture.loss, y_hat, y, self.architecture.n(y.shape[1]))

    def backpropagated(self, l: int) -> Array:
        """(W^(l+1))ᵀ δ^(l+1). Shape (out, batch)."""
        return formulas.backpropagated(self.now[f"W{l + 1}"], self.now[f"delta{l + 1}"])

    def output_delta(self) -> Array:
        """δ^(L). Shape (outputs, batch)."""
        return formulas.output_delta(self.now[f"s{self.depth}"], self.slope(self.depth))

    def hidden_delta(self, l: int) -> Array:
        """δ^(l) out of s^(l). Shape (out, batch)."""
        return formulas.output_delta(self.now[f"s{l}"], self.slope(l))

    def weight_gradient(self, l: int) -> Array:
        """dW^(l). Shape (out, in)."""
        return formulas.weight_gradient(self.now[f"delta{l}"], self.below(l))

    def bias_gradient(self, l: int) -> Array:
        """db^(l). Shape (out, 1)."""
        return formulas.bias_gradient(self.now[f"delta{l}"])

    def update(self, name: str) -> Array:
        """A parameter after the step."""
        return formulas.weight_update(self.now[name], self.now[f"d{name}"], self.lr)

    def below(self, l: int) -> Array:
        """a^(l-1); the input for the first layer."""
        return self.now[f"a{l - 1}"] if l > 1 else self.now["x"]

    def step(self, x: Array, y: Array) -> Trace:
        """Forward, backward, update. x (features, batch), y (outputs, batch)."""
        of, now, layers = self.architecture, self.now, range(1, self.depth + 1)
        now |= {"x": x, "y": y}
        for l in layers:
            now[f"z{l}"] = formulas.affine(now[f"W{l}"], self.below(l), now[f"b{l}"])
            now[f"a{l}"] = formulas.activation(of.activations[l - 1], now[f"z{l}"])
        now["loss"] = np.asarray(formulas.loss(of.loss, now[f"a{self.depth}"], y, of.n(y.shape[1])))
        now[f"s{self.depth}"] = self.loss_gradient()
        now[f"delta{self.depth}"] = self.output_delta()
        for l in reversed(range(1, self.depth)):
            now[f"s{l}"] = self.backpropagated(l)
            now[f"delta{l}"] = self.hidden_delta(l)
        for l in layers:
            now[f"dW{l}"], now[f"db{l}"] = self.weight_gradient(l), self.bias_gradient(l)
        names = [f"{letter}{l}" for l in layers for letter in "Wb"]
        now |= {f"{name}_next": self.update(name) for name in names}
        trace = now.kept()
        self.now = Trace({name: trace[f"{name}_next"].copy() for name in names})
        return trace


@dataclass(frozen=True)
class Mistake:
    """A method of `Learner` done wrong, and the formula in which the page must find it born."""

    name: str
    method: str
    wrong: Callable[..., Array]
    formula: str
    line: str

    def side(self, case: Case) -> Learner:
        """The learner who makes it."""
        kind = type(f"Learner_{self.name}", (Learner,), {self.method: self.wrong})
        learner: Learner = kind(case)
        return learner


def _slope_at_a(this: Learner, l: int) -> Array:
    f, a = this.architecture.activations[l - 1], this.now[f"a{l}"]
    return np.multiply(this.now[f"s{l}"], f.derivative(a, f.function(a, None), None))


def _updated(this: Learner, l: int) -> Array:
    W, delta = this.now[f"W{l + 1}"], this.now[f"delta{l + 1}"]
    updated = np.subtract(W, np.multiply(this.lr, np.matmul(delta, this.now[f"a{l}"].T)))
    s: Array = np.matmul(updated.T, delta)
    return s


MISTAKES = (
    Mistake(
        "no_two_over_n",
        "loss_gradient",
        lambda this: np.subtract(this.now[f"a{this.depth}"], this.now["y"]),
        "loss_gradient",
        "s = y_hat - y",
    ),
    Mistake(
        "no_slope_above",
        "output_delta",
        lambda this: this.now[f"s{this.depth}"],
        "output_delta",
        "delta = s",
    ),
    Mistake(
        "no_slope_below",
        "hidden_delta",
        lambda this, l: this.now[f"s{l}"],
        "hidden_delta",
        "delta = W.T @ delta",
    ),
    Mistake("slope_at_a", "hidden_delta", _slope_at_a, "hidden_delta", "delta = W.T @ delta * f_prime(a)"),
    Mistake(
        "no_transpose",
        "backpropagated",
        lambda this, l: np.matmul(this.now[f"W{l + 1}"], this.now[f"delta{l + 1}"]),
        "hidden_delta",
        "delta = W @ delta * f_prime(z)",
    ),
    Mistake(
        "updated_weights",
        "backpropagated",
        _updated,
        "hidden_delta",
        "W -= lr * dW; delta = W.T @ delta * …",
    ),
    Mistake(
        "bias_averaged",
        "bias_gradient",
        lambda this, l: np.divide(
            formulas.bias_gradient(this.now[f"delta{l}"]), this.now["y"].shape[1]
        ).astype(this.now["y"].dtype),
        "bias_gradient",
        "db = delta.mean(axis=1)",
    ),
    Mistake(
        "uphill",
        "update",
        lambda this, name: np.add(this.now[name], np.multiply(this.lr, this.now[f"d{name}"])),
        "weight_update",
        "W += lr * dW",
    ),
)
