"""Both sides' tensors of one step in one float64 buffer, so that few numpy calls see them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference.architecture import Architecture
from reference.trace import Trace

Floats = npt.NDArray[np.float64]

SAMPLES = ("z", "a", "s", "delta")
"""The tensors with a number for each sample: rows in memory, columns in the deck."""


@dataclass(frozen=True)
class Segment:
    """A tensor's place in the flat buffer, in memory order: of a batch, a sample is a row."""

    start: int
    stop: int
    shape: tuple[int, ...]

    def of(self, flat: Floats) -> Floats:
        """The tensor's view into a buffer of shape (…, numbers)."""
        return flat[..., self.start : self.stop].reshape((*flat.shape[:-1], *self.shape))


class Layout:
    """Where each tensor lies. Same kinds lie together, layers in order: z…, a…, s…, δ…, gradients, ….

    What a step makes comes first and is judged; what it starts from (W, b, x, y) comes behind.
    """

    def __init__(self, architecture: Architecture, batch: int) -> None:
        self.depth, self.batch = architecture.depth, batch
        self.segments: dict[str, Segment] = {}
        self._end = 0
        parameters = architecture.parameter_shapes()
        units = dict(enumerate(architecture.layers))
        for kind in SAMPLES:
            self._block(kind, {f"{kind}{l}": (batch, units[l]) for l in range(1, self.depth + 1)})
        self._block("gradients", {f"d{name}": shape for name, shape in parameters.items()})
        self._block("next", {f"{name}_next": shape for name, shape in parameters.items()})
        self._block("loss", {"loss": ()})
        self.made = slice(0, self._end)
        self.judged = list(self.segments)
        self._block("parameters", dict(parameters))
        self._block("x", {"x": (batch, units[0])})
        self._block("y", {"y": (batch, units[self.depth])})
        self.starts = np.array([self.segments[name].start for name in self.judged])
        self.numbers = {name: s.stop - s.start for name, s in self.segments.items()}
        self.size = self._end
        # What a trace must hold: its deck shape, and whether memory order is the transpose of it.
        columns = {n for n in self.segments if n.rstrip("0123456789") in ("x", "y", *SAMPLES)}
        self._wanted = [
            (name, s.shape[::-1] if name in columns else s.shape, name in columns, s)
            for name, s in self.segments.items()
        ]

    def _block(self, kind: str, shapes: dict[str, tuple[int, ...]]) -> None:
        start = self._end
        for name, shape in shapes.items():
            stop = self._end + int(np.prod(shape))
            self.segments[name] = Segment(self._end, stop, shape)
            self._end = stop
        setattr(self, f"_{kind}", slice(start, self._end))

    def block(self, kind: str) -> slice:
        """The place of all tensors of a kind: z a s delta gradients next parameters."""
        place: slice = getattr(self, f"_{kind}")
        return place

    def gather(self, trace: Trace, flat: Floats, dtype: np.dtype[np.generic]) -> bool:
        """Copy a trace into `flat`, exactly; False when it is not complete, of this shape and dtype."""
        if len(trace) != len(self._wanted):
            return False
        for name, shape, transposed, segment in self._wanted:
            tensor = trace.get(name)
            if tensor is None or tensor.shape != shape or tensor.dtype != dtype:
                return False
            place = flat[segment.start : segment.stop].reshape(segment.shape)
            place[...] = tensor.T if transposed else tensor
        return True

    def views(self, flat: Floats) -> dict[str, Floats]:
        """Every tensor's view into a buffer that is kept."""
        return {name: segment.of(flat) for name, segment in self.segments.items()}
