"""How fast a certified step is for every activation, loss and optimizer, as ratios to the plain steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import cast

import numpy as np

from parity.bench.measure import SIZES, Contestants, Size, Walking, bench_case, measured, plain
from parity.bench.rows import BenchRow
from parity.bounds.formats import COMPUTED
from parity.config.case import Case
from parity.render.texts.message import Message, joined
from reference.architecture import Architecture
from reference.arrays import Array
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import OPTIMIZERS

GIVEN = {"threshold": {"threshold": 0.1, "value": 0.0}}
"""Options without a default."""

EASED = {"adafactor": 2.0, "muon": float("inf")}
"""Factors on the figure to reach: a rule of many more operations, and one that is not of first order."""


@dataclass(frozen=True)
class Summary:
    """All names of one size and format: their median ratio, and the worst one of those accepted whole.

    `above` are those of these above their figure, `singly` the names that no plan accepts.
    """

    size: str
    dtype: str
    median: float
    worst: BenchRow
    above: tuple[BenchRow, ...]
    singly: tuple[BenchRow, ...]

    @property
    def told(self) -> Message:
        """All of it in one line."""
        middle, worst = f"{self.median:.2f}", _said(self.worst)
        first = Message("bench_summary", size=self.size, dtype=self.dtype, median=middle, worst=worst)
        parts: list[str] = [first]
        if self.above:
            parts.append(Message("bench_above", names=", ".join(map(_said, self.above))))
        if self.singly:
            parts.append(Message("bench_singly", names=", ".join(map(_said, self.singly))))
        return cast(Message, joined(parts))


def _said(row: BenchRow) -> str:
    return f"{row.name} {row.median:.2f}"


def vocabulary(size: str) -> Iterator[BenchRow]:
    """certified/plain of every name in both formats, one row each."""
    for dtype in COMPUTED:
        for name, case in cases(SIZES[size], dtype):
            reach = SIZES[size].vocabulary[dtype] * EASED.get(name, 1.0)
            certified = Walking(case, certified=True)
            timed: Contestants = {"plain": plain(case), "certified": certified}
            for row in measured(size, timed, (("certified", "plain", reach),), dtype, SIZES[size].rounds):
                yield replace(row, name=name, whole=certified.gates.whole)


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
        singly = tuple(row for row in here if not row.whole)
        whole = [row for row in here if row.whole] or here
        above = tuple(row for row in whole if row.reach is not None and row.median > row.reach)
        worst = max(whole, key=lambda row: row.median)
        found.append(Summary(size, dtype, median(row.median for row in here), worst, above, singly))
    return found
