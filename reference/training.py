"""Training: the cycle of slide 2, repeated, as a generator of traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from reference.arrays import Array
from reference.engine import Network
from reference.trace import Trace


def batches(x: Array, y: Array, batch: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Endless sequence of batches: each epoch has every sample once, in newly shuffled order.

    Shapes: x (features, samples), y (outputs, samples) -> (features, batch), (outputs, batch).
    With `batch` 0 or at least the number of samples, every batch is the whole set, unshuffled.
    If `batch` does not divide the number of samples, the last batch of an epoch is smaller.
    """
    samples = x.shape[1]
    if batch <= 0 or batch >= samples:
        while True:
            yield x, y
    random = np.random.default_rng(seed)
    rows_x, rows_y = np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)  # a sample is a row here
    while True:
        order = random.permutation(samples)
        for start in range(0, samples, batch):
            chosen = order[start : start + batch]
            yield rows_x[chosen].T, rows_y[chosen].T


def train(network: Network, data: Iterable[tuple[Array, Array]], lr: float) -> Iterator[Trace]:
    """Run the three-step cycle of slide 2 (forward, loss, backward) on each batch, and update.

    Yields the trace of every step, valid until the next one (`Trace.kept` returns a copy).
    """
    with np.errstate(over="ignore"):  # e^−z overflows for very negative z, where σ is 0
        for x, y in data:
            yield network.step(x, y, lr)
