"""Loss functions: L and ∇_ŷ L, side by side.

A new one is one entry of `LOSSES`. `n` is what the sum is divided by: every term of it for the
reduction "mean", 1 for "sum". Shapes: ŷ and y are (outputs, batch); L is 0-d, ∇L like ŷ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference.arrays import Array, Scalar


@dataclass(frozen=True)
class Loss:
    """A loss function with its gradient, their LaTeX and where they are defined."""

    name: str
    value: Callable[[Array, Array, Scalar], Array]
    gradient: Callable[[Array, Array, Scalar, Array | None], Array]
    latex: str
    latex_gradient: str
    source: str


def mse(y_hat: Array, y: Array, n: Scalar) -> Array:
    r = np.subtract(y, y_hat)  # (outputs, batch)
    return np.divide(np.add.reduce(np.square(r), axis=None), n)


def mse_gradient(y_hat: Array, y: Array, n: Scalar, out: Array | None = None) -> Array:
    r = np.subtract(y_hat, y, out=out)  # (outputs, batch)
    return np.multiply(2 / n, r, out=out)


LOSSES: dict[str, Loss] = {
    entry.name: entry
    for entry in (
        Loss(
            "mse",
            mse,
            mse_gradient,
            r"\frac{1}{n}\sum_{i=1}^{n} (y_i - \hat{y}_i)^2",
            r"\frac{2}{n}(\hat{y} - y)",
            "torch.nn.MSELoss",
        ),
    )
}
