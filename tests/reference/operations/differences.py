"""Finite differences of a record's own forward formulas: a witness that knows no chain rule.

L(t) = Σ g·y(x + t d) along a random direction d of one operand. The central difference
D(h) = (L(h) − L(−h))/2h is off by c h² to first order, of which D(h) − D(h/2) is three quarters; by the
bounds of y at both ends, Σ|g|B/2h; and the product that it is held against by Σ|d|B of its own. x and d
are multiples of powers of two such that x ± h d is exact; sums of n terms add n u Σ|terms|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.bounds import Bounded
from reference.operation import bound
from tests.reference.operations.observed import Run
from tests.reference.operations.table import arguments, evaluated, recorded, same

STEP = 2.0**-13
JITTER = 2.0**-3


@dataclass(frozen=True)
class Slope:
    """dL/dt by the vector-Jacobian product, by the difference, and how far apart they may be."""

    operand: str
    product: float
    difference: float
    room: float

    @property
    def agrees(self) -> bool:
        return not self.room < np.inf or abs(self.product - self.difference) <= self.room

    @property
    def resolves(self) -> bool:
        """Whether a product that is wrong by a part in 64 would have been told."""
        return self.room < abs(self.product) / 64


def slopes(run: Run, rng: np.random.Generator) -> Iterator[Slope]:
    """One for each operand that PyTorch differentiated; `run` is in float64."""
    start = {
        name: _off_ties(value, name in run.operation.vjps, rng) for name, value in run.operands.items()
    }
    for operand, at in run.gradients:
        many = operand.startswith("*")
        x = start[operand][at] if many else start[operand]
        d = np.rint(rng.standard_normal(x.shape) * 2.0**10) / 2.0**10
        here = _outputs(run, start, same)
        moved = Run(
            run.operation, run.overload, run.sample, run.dtype, run.regime, start, here, run.upstream
        )
        found = evaluated(moved, run.operation.vjps[operand], here, recorded, at if many else None)[0]
        product, room = _sum(d, found)
        coarse, fine = (_central(run, start, operand, at, d, h) for h in (STEP, STEP / 2))
        room += abs(coarse[0] - fine[0]) + fine[1]
        yield Slope(f"d{operand}", product, fine[0], room)


def _off_ties(value: Any, learned: bool, rng: np.random.Generator) -> Any:
    """Values a little beside a sample's, so that none stands at a kink."""
    if isinstance(value, tuple):
        return tuple(_off_ties(part, learned, rng) for part in value)
    if not learned or not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    beside = value + JITTER * rng.uniform(0.25, 1, value.shape) * np.where(value == 0, 1, value)
    return np.rint(beside * 2.0**26) / 2.0**26


def _central(run: Run, start: dict, operand: str, at: int, d: np.ndarray, h: float) -> tuple[float, float]:
    ends = []
    for step in (h, -h):
        values = dict(start)
        if operand.startswith("*"):
            parts = list(start[operand])
            parts[at] = parts[at] + step * d
            values[operand] = tuple(parts)
        else:
            values[operand] = start[operand] + step * d
        ends.append(_loss(run, _outputs(run, values, recorded)))
    return (ends[0][0] - ends[1][0]) / (2 * h), (ends[0][1] + ends[1][1]) / (2 * h)


def _outputs(run: Run, operands: dict, form: Any) -> dict:
    """Every output that is not drawn at random, a later one from the earlier ones."""
    outputs = {name: run.outputs[name] for name in run.operation.given if name in run.outputs}
    moved = Run(run.operation, run.overload, run.sample, run.dtype, run.regime, operands, outputs)
    for output, formula in run.operation.forward.items():
        if output in outputs or output not in run.outputs:
            continue
        plain = output in run.operation.choices
        taken = arguments(moved, formula, outputs, _values if plain else form)
        many = range(len(run.outputs[output])) if output.startswith("*") else (None,)
        found = tuple(
            bound(formula.function, run.options if i is None else {**run.options, "at": i})(*taken)
            for i in many
        )
        outputs[output] = found if output.startswith("*") else found[0]
    return outputs


def _values(value: Any) -> Any:
    return _lowered(value) if isinstance(value, Bounded) else value


def _loss(run: Run, outputs: dict) -> tuple[float, float]:
    total = room = 0.0
    for key, g in run.upstream.items():
        name = run.operation.value if key in ("g", "*g") else key.removeprefix("g_")
        pairs = zip(g, outputs[name], strict=True) if key == "*g" else [(g, outputs[name])]
        for one, y in pairs:
            found, around = _sum(one, y)
            total, room = total + found, room + around
    return total, room


def _sum(weights: np.ndarray, y: Any) -> tuple[float, float]:
    """Σ w y, and how far it can be from the truth: Σ|w|B, and (n + 1) u Σ|w y| in float64."""
    terms = weights * _lowered(y)
    around = (np.size(terms) + 1) * 2.0**-53 * np.sum(np.abs(terms)) + np.sum(np.abs(weights) * _bound(y))
    return float(np.sum(terms)), float(around)


def _lowered(value: Any) -> np.ndarray:
    return value.lowered() if isinstance(value, Bounded) else np.asarray(value)


def _bound(value: Any) -> np.ndarray:
    return np.broadcast_to(value.carried, value.shape) if isinstance(value, Bounded) else np.zeros(())
