"""What people would rather see than read: the decision boundary, weights and activations over the steps,
and the digits that are got wrong. All are drawn from the kept steps; each has its numbers in the cards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from parity.config import datasets
from parity.explain import written_at
from parity.lockstep.result import Result
from parity.render.raster import Floats, edge, raster, tiles
from parity.report.recording import Recording
from reference.architecture import Architecture
from reference.arrays import Array
from reference.engine import Network
from reference.trace import Trace, tensor_name

GRID = 32
"""Cells of a decision boundary, along either input."""
BEYOND = 0.35
"""How far it reaches beyond the data, in parts of their range."""
MOST_SAMPLES = 24
"""Samples of an activation that are drawn."""
MOST_CELLS, MOST_CELLS_IN_ALL = 4_096, 40_000
"""Cells up to which a tensor is drawn, and all tensors in all steps."""
MOST_MISREAD = 24
"""Misread digits that are drawn."""
ROOM = (150.0, 110.0)
"""Pixels of a picture in a row of steps."""
SIDE, ACROSS = 8, 8
"""Pixels of a digit along either side; pictures of units in a row."""


@dataclass(frozen=True)
class Strip:
    """A tensor over the steps: name, shape, the number of the darkest shade, and a picture a step."""

    tensor: str
    name: str
    shape: str
    largest: float
    pictures: tuple[Markup, ...]


@dataclass(frozen=True)
class Boundary:
    """What a network answers over the plane of its two inputs; `level` is where it decides."""

    level: float
    low: tuple[float, float]
    high: tuple[float, float]
    pictures: tuple[Markup, ...]


@dataclass(frozen=True)
class Misread:
    """A digit got wrong: its picture, what it was read as and what it is."""

    picture: Markup
    read: int
    true: int


@dataclass(frozen=True)
class MisreadDigits:
    """The first misread digits of those held back from training, and how many of how many there are."""

    shown: tuple[Misread, ...]
    wrong: int
    of: int


@dataclass(frozen=True)
class Pictures:
    """All pictures of a recording, each over the same `steps`."""

    steps: tuple[int, ...]
    boundary: Boundary | None
    strips: tuple[Strip, ...]
    misread: MisreadDigits | None

    @property
    def weight(self) -> int:
        """Bytes that they add to the page."""
        drawn = [picture for strip in self.strips for picture in strip.pictures]
        drawn += self.boundary.pictures if self.boundary else ()
        drawn += [one.picture for one in self.misread.shown] if self.misread else []
        return sum(map(len, drawn))


def pictures_of(result: Result, recording: Recording) -> Pictures | None:
    """The pictures; None for a graph of operations, for cases of a check, and where tensors are hidden."""
    of = recording.architecture
    steps = tuple(sorted(recording.steps))
    if not isinstance(of, Architecture) or "cases" in result.config or not steps:
        return None
    needed = {*of.parameter_shapes(), "x", "y", *(f"a{l}" for l in range(1, of.depth + 1))}
    traces = [
        next((t for t in recording.steps[step].values() if needed <= t.keys()), None) for step in steps
    ]
    whole = [trace for trace in traces if trace is not None]
    if len(whole) < len(steps):
        return None
    digits = result.config.get("data") == "digits" and of.layers[0] == SIDE * SIDE
    return Pictures(
        steps,
        _boundary(of, whole),
        tuple(_strips(of, whole, digits=digits)) if len(steps) > 1 else (),
        _misread(of, whole[-1], result) if digits else None,
    )


def _boundary(of: Architecture, traces: list[Trace]) -> Boundary | None:
    """Of a network with two inputs and one output, or two, of which the larger decides."""
    x, y = (traces[0][name].astype(np.float64) for name in "xy")
    if of.layers[0] != 2 or of.layers[-1] > 2 or x.shape[1] < 3 or y.shape[0] != of.layers[-1]:
        return None
    low, high = x.min(axis=1), x.max(axis=1)
    reach = np.where(high > low, high - low, 1.0) * BEYOND
    low, high = low - reach, high + reach
    along = (np.arange(GRID) + 0.5) / GRID
    p, q = np.meshgrid(low[0] + along * (high[0] - low[0]), high[1] - along * (high[1] - low[1]))
    grid = np.stack([p.ravel(), q.ravel()]).astype(of.dtype)
    level = float(y.min() + y.max()) / 2 if len(y) == 1 else 0.0
    classes = y[0] > level if len(y) == 1 else y[1] > y[0]
    places = (x - low[:, None]) / (high - low)[:, None] * GRID
    points = "".join(
        _point(place_x, GRID - place_y, square=bool(one))
        for place_x, place_y, one in zip(*places, classes, strict=True)
    )
    fields = [_answers(of, trace, grid).reshape(GRID, GRID) - level for trace in traces]
    largest = max(float(y.max() - y.min()) / 2 if len(y) == 1 else 1.0, 1e-9)
    return Boundary(
        level,
        (float(low[0]), float(low[1])),
        (float(high[0]), float(high[1])),
        tuple(
            Markup(raster(field, largest, label=f"boundary-{n}", above=edge(field > 0) + points))
            for n, field in enumerate(fields)
        ),
    )


def _point(x: float, y: float, *, square: bool) -> str:
    """A sample: a square where it belongs above the level, a circle below."""
    if square:
        return f'<rect class="sample" x="{x - 1.1:.1f}" y="{y - 1.1:.1f}" width="2.2" height="2.2"/>'
    return f'<circle class="sample" cx="{x:.1f}" cy="{y:.1f}" r="1.2"/>'


def _answers(of: Architecture, trace: Trace, x: Array) -> npt.NDArray[np.float64]:
    """ŷ of the network as it stood before the step; of two outputs, how much the second is larger."""
    y_hat = _network(of, {name: trace[name] for name in of.parameter_shapes()}).forward(x)
    found: npt.NDArray[np.float64] = y_hat.astype(np.float64)
    answer: npt.NDArray[np.float64] = found[0] if len(found) == 1 else found[1] - found[0]
    return answer


def _network(of: Architecture, parameters: Mapping[str, Array]) -> Network:
    return Network(of, {name: array.copy() for name, array in parameters.items()})


def _strips(of: Architecture, traces: list[Trace], *, digits: bool) -> Iterator[Strip]:
    """Weights and activations, as far as they are small enough to be seen."""
    left = MOST_CELLS_IN_ALL
    for letter in "Wa":
        for l in range(1, of.depth + 1):
            name = tensor_name(letter, l)
            tensors: list[Floats] = [trace[name].astype(np.float64) for trace in traces]
            shape = " × ".join(map(str, tensors[0].shape))
            if letter == "a":
                tensors = [tensor[:, :MOST_SAMPLES] for tensor in tensors]
            elif l == 1 and digits:
                tensors = [tiles(tensor, SIDE, SIDE, ACROSS) for tensor in tensors]
            largest = max(float(np.nanmax(np.abs(tensor))) for tensor in tensors)
            cells = tensors[0].size
            if cells > MOST_CELLS or cells * len(tensors) > left or not np.isfinite(largest):
                continue
            left -= cells * len(tensors)
            drawn = (
                Markup(raster(tensor, largest, label=f"strip-{name} strip-step-{n}", within=ROOM))
                for n, tensor in enumerate(tensors)
            )
            yield Strip(name, written_at(name), shape, largest, tuple(drawn))


def _misread(of: Architecture, last: Trace, result: Result) -> MisreadDigits | None:
    """Those that the network gets wrong after the last kept step."""
    after = {name: last.get(f"{name}_next") for name in of.parameter_shapes()}
    training = result.config.get("training")
    seed = training.get("seed") if isinstance(training, dict) else None
    _, held = datasets.split(datasets.load("digits"), seed if isinstance(seed, int) else 0)
    if held is None or of.layers[-1] != held.y.shape[1]:
        return None
    y_hat = _network(of, {n: a for n, a in after.items() if a is not None}).forward(
        held.x.T.astype(of.dtype)
    )
    read, true = y_hat.argmax(axis=0), held.y.argmax(axis=1)
    wrong = np.flatnonzero(read != true)
    shown = tuple(
        Misread(
            Markup(raster(held.x[i].reshape(SIDE, SIDE), 1.0, label=f"misread-{n}")),
            int(read[i]),
            int(true[i]),
        )
        for n, i in enumerate(wrong[:MOST_MISREAD])
    )
    return MisreadDigits(shown, len(wrong), len(true))
