"""Training: slide 2's cycle, repeated, as a generator of traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from reference.arrays import Array
from reference.engine import Network
from reference.trace import Trace


def batches(x: Array, y: Array, batch: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Endless batches of columns: every sample once an epoch, in a newly shuffled order.

    Shapes: x (features, samples), y (outputs, samples) -> (features, batch), (outputs, batch).
    `batch` 0, or one that holds all samples, gives all of them, in their own order, every time.
    Where `batch` does not divide the samples, an epoch's last batch is smaller.
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
    """The three-step cycle of slide 2, once for each batch: forward, error, backward.

    Yields the trace of every step; it is valid until the next one (`Trace.kept` outlives it).
    """
    with np.errstate(over="ignore"):  # e^−z may overflow far below zero, where σ is 0
        for x, y in data:
            yield network.step(x, y, lr)
