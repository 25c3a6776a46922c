"""`Dataset`: samples in rows, with features and outputs between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

FEWEST_TO_SPLIT = 10
"""With fewer samples than this, a fifth of them is too few to measure accuracy."""


@dataclass(frozen=True)
class Dataset:
    """Samples and their targets; `classes` is None if y is not one-hot.

    Shapes: x (samples, features), y (samples, outputs). A sample is a row, as in files; the deck's
    columns are `x.T` and `y.T`.
    """

    name: str
    x: Floats
    y: Floats
    classes: tuple[str, ...] | None
    features: tuple[str, ...]
    source: str


def split(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Training samples and a held-back fifth (rounded down), drawn with `seed`, both in original order.

    With fewer than 10 samples (XOR has 4), nothing is held back: both are the whole set, and accuracy
    is accuracy on the training data.
    """
    samples = len(dataset.x)
    if samples < FEWEST_TO_SPLIT:
        return dataset, dataset
    held = np.zeros(samples, dtype=np.bool_)
    held[np.random.default_rng(seed).permutation(samples)[: samples // 5]] = True
    return (
        replace(dataset, x=dataset.x[~held], y=dataset.y[~held]),
        replace(dataset, x=dataset.x[held], y=dataset.y[held]),
    )


def accuracy(y_hat: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> float | None:
    """The share of correctly classified samples; None if y has values between 0 and 1 (regression).

    With several outputs, the prediction is the largest (the first, if equal); with one output, it is 1
    above 0.5 and 0 otherwise. A sample with a NaN among its outputs counts as wrong.
    Shapes: ŷ, y (samples, outputs). Raises ValueError for different shapes or no samples.
    """
    if y_hat.shape != y.shape or y.ndim != 2 or 0 in y.shape:
        raise ValueError(f"accuracy: shapes {y_hat.shape} and {y.shape}, not twice (samples, outputs)")
    if not np.all((y == 0) | (y == 1)):
        return None
    if y.shape[1] == 1:
        right = (y_hat[:, 0] > 0.5) == (y[:, 0] == 1)
    elif np.any(y.sum(axis=1) != 1):
        return None  # several 0/1 outputs that are not one-hot classes
    else:
        right = np.argmax(y_hat, axis=1) == np.argmax(y, axis=1)
    return float(np.mean(right & ~np.isnan(y_hat).any(axis=1)))
