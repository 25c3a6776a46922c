"""Encodes columns for a network: numbers scaled to [0, 1], classes one-hot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.config.datasets.dataset import Floats
from parity.errors import UsageError
from parity.render.texts.message import Message

FEW = 20
"""A column with at most this many distinct integers is classes, if they are fewer than half of the rows."""

MOST_CLASSES = 1_000
LARGEST_ONE_HOT = 2**27
"""Largest size of a one-hot y, in numbers: 1 GiB of float64."""


def scaled(columns: Floats) -> Floats:
    """Each column min-max scaled: (v − min) / (max − min); a constant column becomes 0.

    Shapes: (samples, columns) -> (samples, columns), a new array in [0, 1]. Numbers must be finite.
    """
    lowest, highest = columns.min(axis=0), columns.max(axis=0)
    with np.errstate(over="ignore"):
        half = np.where(np.isfinite(highest - lowest), 1.0, 0.5)  # the range may overflow
    lowest, span = lowest * half, highest * half - lowest * half
    moved = columns * half
    moved -= lowest
    moved /= np.where(span > 0, span, 1.0)
    return moved


def encode(
    texts: Sequence[str], numbers: Floats | None, target: str
) -> tuple[Floats, tuple[str, ...] | None]:
    """A target column as y (samples, outputs), with its sorted classes or None for a regression.

    `numbers` are the column's values if all are numeric. Text and a few distinct integers are classes;
    anything else is a regression, scaled to [0, 1].
    Raises UsageError for a constant target, and for text with too many different values.
    """
    values = set(texts) if numbers is None else set(numbers.tolist())
    if len(values) == 1:
        raise UsageError(Message("target_constant", target=repr(target)))
    rows, few, rare = len(texts), len(values) <= FEW, 2 * len(values) >= len(texts)
    if numbers is not None:
        if not few or rare or np.any(numbers != np.floor(numbers)):
            return scaled(numbers[:, np.newaxis]), None
        texts = [str(int(number)) for number in numbers]
    elif len(values) > MOST_CLASSES or len(values) * rows > LARGEST_ONE_HOT or (rare and not few):
        raise UsageError(Message("target_many", target=repr(target), values=len(values), rows=rows))
    classes = tuple(sorted(set(texts), key=int if numbers is not None else None))
    place = {name: k for k, name in enumerate(classes)}
    return one_hot(np.array([place[text] for text in texts]), len(classes)), classes


def one_hot(labels: np.ndarray[tuple[int], np.dtype[np.int64]], classes: int) -> Floats:
    """One-hot encoding: 1 in the column of a sample's class, else 0. (samples,) -> (samples, classes)."""
    y = np.zeros((len(labels), classes))
    y[np.arange(len(labels)), labels] = 1
    return y
