"""Linear layers: the deck's `affine` and `matmul`, and PyTorch's `linear`.

The deck's operations have a sample in each column. PyTorch's `linear` has a sample in each row and
applies the deck's formula to transposed views.
"""

from __future__ import annotations

import numpy as np

from reference import formulas
from reference.arrays import Array
from reference.formula import FORMULAS, Formula
from reference.operation import Operation, taking


def _matmul(W: Array, a: Array, out: Array | None = None) -> Array:
    return np.matmul(W, a, out=out)  # (out, batch)


def _matrices(W: Array, a: Array, b: Array | None = None) -> bool:
    matrices = len(W.shape) == len(a.shape) == 2 and W.shape[1] == a.shape[0]
    return matrices and (b is None or b.shape == (W.shape[0], 1))


WEIGHT_GRADIENT = taking(FORMULAS["weight_gradient"], "g", "a")
BACKPROPAGATED = taking(FORMULAS["hidden_delta"], "W", "g", function=formulas.backpropagated, quantity="s")
"""Slide 5's first factor, a separate equation because every side also records s."""

AFFINE = Operation(
    "affine",
    ("W", "a", "b"),
    forward={"y": taking(FORMULAS["affine"], "W", "a", "b")},
    vjps={
        "W": WEIGHT_GRADIENT,
        "a": BACKPROPAGATED,
        "b": taking(FORMULAS["bias_gradient"], "g"),
    },
    label="W a + b",
    torch="torch.nn.functional.linear",
    learned={"W": "weight", "b": "bias"},
    fits=_matrices,
)
"""The deck's layer, slide 2: z = W a + b."""

MATMUL = Operation(
    "matmul",
    ("W", "a"),
    forward={"y": Formula("matmul", r"W a", _matmul)},
    vjps={"W": WEIGHT_GRADIENT, "a": BACKPROPAGATED},
    label="W a",
    torch="torch.nn.functional.linear",
    learned={"W": "weight"},
    fits=_matrices,
)
"""The deck's layer without a bias: z = W a."""

OPERATIONS = (AFFINE, MATMUL)
