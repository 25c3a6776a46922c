"""What a network learns from: samples in rows, features and outputs between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

FEWEST_TO_SPLIT = 10
"""Below this many samples, a fifth of them is no measure of anything."""


@dataclass(frozen=True)
class Dataset:
    """Samples and what they should be answered with; `classes` is None where y is not one-hot.

    Shapes: x (samples, features), y (samples, outputs). In files and here a sample is a row; the
    deck's columns are `x.T` and `y.T`.
    """

    name: str
    x: Floats
    y: Floats
    classes: tuple[str, ...] | None
    features: tuple[str, ...]
    source: str


def split(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Training samples and a held-back fifth (rounded down), drawn by `seed`; both keep the data's order.

    Of fewer than 10 samples, as XOR's 4, nothing is held back: both are the whole set, and an
    accuracy on it says what was learnt by heart.
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
    """The share of samples that are answered rightly; None where y has values between 0 and 1 (regression).

    Several outputs: the largest one is the answer (the first, among equals). One output: it
    answers 1 above 0.5, and 0 otherwise. A sample with a NaN among its outputs is answered wrongly.
    Shapes: ŷ, y (samples, outputs). Raises ValueError for shapes that differ or hold no sample.
    """
    if y_hat.shape != y.shape or y.ndim != 2 or 0 in y.shape:
        raise ValueError(f"accuracy: shapes {y_hat.shape} and {y.shape}, not twice (samples, outputs)")
    if not np.all((y == 0) | (y == 1)):
        return None
    if y.shape[1] == 1:
        right = (y_hat[:, 0] > 0.5) == (y[:, 0] == 1)
    elif np.any(y.sum(axis=1) != 1):
        return None  # several 0/1 outputs that are no classes
    else:
        right = np.argmax(y_hat, axis=1) == np.argmax(y, axis=1)
    return float(np.mean(right & ~np.isnan(y_hat).any(axis=1)))
