"""How fast a certified step is for every activation, loss and optimizer, as ratios to the plain steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from parity.bench.measure import SIZES, Size, bench_case, contestants, measured
from parity.bench.rows import BenchRow
from parity.bounds.formats import COMPUTED
from parity.config.case import Case
from reference.architecture import Architecture
from reference.arrays import Array
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import OPTIMIZERS

ROUNDS = 5
GIVEN = {"threshold": {"threshold": 0.1, "value": 0.0}}
"""Options without a default."""

EASED = {"adafactor": 2.0, "muon": float("inf")}
"""Factors on the figure to reach: a rule of many more operations, and one that is not of first order."""


@dataclass(frozen=True)
class Summary:
    """All names of one size and format: the median ratio, the worst one, and those above their figure."""

    size: str
    dtype: str
    median: float
    worst: BenchRow
    above: tuple[BenchRow, ...]

    def __str__(self) -> str:
        text = f"{self.size} {self.dtype}: median {self.median:.2f}, worst {_said(self.worst)}"
        missed = ", ".join(map(_said, self.above))
        return f"{text}; above the figure to reach: {missed}" if missed else text


def _said(row: BenchRow) -> str:
    return f"{row.name} {row.median:.2f}"


def vocabulary(size: str) -> Iterator[BenchRow]:
    """certified/plain of every name in both formats, one row each."""
    for dtype in COMPUTED:
        for name, case in cases(SIZES[size], dtype):
            reach = SIZES[size].vocabulary[dtype] * EASED.get(name, 1.0)
            for row in measured(size, contestants(case), (("certified", "plain", reach),), dtype, ROUNDS):
                yield replace(row, name=name)


def cases(size: Size, dtype: str) -> Iterator[tuple[str, Case]]:
    """A case of every activation, loss and optimizer; what is not named is sigmoid, MSE and plain SGD."""
    for name, f in ACTIVATIONS.items():
        yield name, bench_case(size, dtype, f.configured(**GIVEN[name]) if name in GIVEN else name)
    for name, loss in LOSSES.items():
        case = bench_case(size, dtype, "sigmoid")
        shape = replace(case.architecture, loss=loss, class_indices=name == "cross_entropy")
        yield name, replace(case, architecture=shape, y=_target(shape, loss, size.batch))
    for name, family in OPTIMIZERS.items():
        case = bench_case(size, dtype, "sigmoid")
        optimizer = family.configured()
        yield (
            name,
            replace(case, architecture=replace(case.architecture, optimizer=optimizer), lr=optimizer.lr),
        )


def _target(shape: Architecture, loss: Loss, batch: int) -> Array:
    """Random y of a kind that the loss is defined for; in memory a sample is a row."""
    random, outputs = np.random.default_rng(0), shape.layers[-1]
    if shape.class_indices:
        y = random.integers(0, outputs, (batch, 1))
    elif loss.target == "labels":
        y = np.full((batch, outputs), -1)
        y[:, 0] = random.integers(0, outputs, batch)
    elif loss.name in ("soft_margin", "hinge_embedding"):
        y = random.choice([-1, 1], (batch, outputs))
    else:
        return np.ascontiguousarray(random.random((batch, outputs)).astype(shape.dtype)).T
    return y.astype(shape.dtype).T


def summary(rows: list[BenchRow]) -> list[Summary]:
    """The rows of each size and format, together."""
    found = []
    for size, dtype in dict.fromkeys((row.size, row.dtype) for row in rows):
        here = [row for row in rows if (row.size, row.dtype) == (size, dtype)]
        above = tuple(row for row in here if row.reach is not None and row.median > row.reach)
        worst = max(here, key=lambda row: row.median)
        found.append(Summary(size, dtype, median(row.median for row in here), worst, above))
    return found
