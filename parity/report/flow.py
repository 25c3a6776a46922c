"""One sample on its way: forward through the network, and its error back, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from parity.explain import Inspector, written_at
from parity.render.numbers import shown
from parity.render.raster import shades
from parity.report.bilingual import say, side_name
from parity.report.cards import title_of
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation
from reference.trace import Trace

MOST_SHOWN = 8
"""Numbers of a tensor that are shown of a sample."""
WAY = {"z": "forward", "a": "forward", "loss": "loss", "s": "back", "delta": "back"}
"""The quantities that one sample has of its own, and which way they go."""


@dataclass(frozen=True)
class Station:
    """A tensor that the sample passes, which way, and its numbers: text and shade."""

    tensor: str
    way: str
    name: str
    title: Markup
    cells: tuple[tuple[str, str], ...]
    more: int


@dataclass(frozen=True)
class Flow:
    """A sample's way through one step."""

    step: int
    side: Markup
    sample: int
    of: int
    stations: tuple[Station, ...]


def flow(inspector: Inspector, step: int, traces: Mapping[str, Trace]) -> Flow | None:
    """The way of the sample with the largest error, on the last side that shows it.

    None where no side does, and for a graph.
    """
    of = inspector.architecture
    if not isinstance(of, Architecture):
        return None
    passed = [e for e in inspector.equations if e.quantity in WAY]
    needed = {"x", "y", *(e.makes for e in passed)}
    side = next((name for name in reversed([*traces]) if needed <= traces[name].keys()), None)
    if side is None:
        return None
    trace = traces[side]
    errors = np.abs(trace[f"delta{of.depth}"].astype(np.float64)).sum(axis=0)
    sample = int(np.argmax(errors)) if np.isfinite(errors).all() else 0
    stations = [_given("x", trace, sample), *(_station(e, trace, sample) for e in passed)]
    at = next(n for n, station in enumerate(stations) if station.tensor == "loss")
    stations.insert(at, _given("y", trace, sample))
    return Flow(step, side_name(side), sample, trace["x"].shape[1], tuple(stations))


def _given(name: str, trace: Trace, sample: int) -> Station:
    return _passed(name, "forward", say(f"page.flow_{name}"), trace[name][:, sample])


def _station(equation: Equation, trace: Trace, sample: int) -> Station:
    tensor = trace[equation.makes]
    column = tensor[:, sample] if tensor.ndim == 2 else tensor.reshape(1)
    return _passed(equation.makes, WAY[equation.quantity], title_of(equation), column)


def _passed(name: str, way: str, title: Markup, column: Array) -> Station:
    numbers = column.astype(np.float64)
    finite = np.abs(numbers[np.isfinite(numbers)])
    classes = shades(numbers[None, :], float(finite.max(initial=0.0)))[0]
    cells = [(shown(float(number), 3), shade) for number, shade in zip(numbers, classes, strict=True)]
    return Station(name, way, written_at(name), title, tuple(cells[:MOST_SHOWN]), len(cells[MOST_SHOWN:]))
