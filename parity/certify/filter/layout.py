"""The layout of both sides' tensors in one flat buffer, so that a few numpy calls process them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference.architecture import Architecture
from reference.arrays import Array
from reference.trace import Trace

Floats = Array
"""Numbers in their recorded format or as float64."""

Indices = npt.NDArray[np.intp]

SAMPLES = ("z", "a", "s", "delta")
"""The tensors with a number for each sample: rows in memory, columns in the deck."""

BLOCK = 1 << 15
"""Approximate count of numbers per side judged at a time, so that they stay in the cache."""

LARGE = 1 << 15
"""Count of numbers per side from which float32 is faster despite the copies it needs."""


@dataclass(frozen=True)
class Segment:
    """A tensor's place in the flat buffer, in memory order: of a batch, a sample is a row."""

    start: int
    stop: int
    shape: tuple[int, ...]

    def of(self, flat: Floats) -> Floats:
        """The tensor's view into a buffer of shape (…, numbers)."""
        return flat[..., self.start : self.stop].reshape((*flat.shape[:-1], *self.shape))


@dataclass(frozen=True)
class Block:
    """A range of numbers, the offsets of its tensors, and the slots of their results."""

    start: int
    stop: int
    starts: Indices
    slots: slice


class Cut:
    """Adjacent tensors cut into blocks; combines maxima by block into maxima by tensor."""

    def __init__(self, tensors: Sequence[Segment]) -> None:
        self.blocks: list[Block] = []
        begin, stop = tensors[0].start, tensors[-1].stop
        found: list[int] = []
        for first in range(begin, stop, BLOCK):
            last = min(first + BLOCK, stop)
            inside = [i for i, tensor in enumerate(tensors) if tensor.start < last and tensor.stop > first]
            starts = np.array([max(tensors[i].start, first) - first for i in inside])
            self.blocks.append(Block(first, last, starts, slice(len(found), len(found) + len(inside))))
            found += inside
        self.slots, self.tensors = len(found), np.array(found)
        self._firsts = np.searchsorted(self.tensors, np.arange(len(tensors)))

    def maxima(self, found: Floats) -> Floats:
        """From (…, slots) to (…, tensors); NaN where one is."""
        if len(self.blocks) == 1:
            return found
        largest: Floats = np.maximum.reduceat(found, self._firsts, axis=-1)
        return largest


class FlatLayout:
    """Positions of all tensors: z…, a…, s…, δ…, loss, then parameters, gradients, updated parameters.

    Tensors of one kind are adjacent, in order of layers. The data, x and y, are the same for both sides
    and have their own buffer. In `large` networks weights, their gradients and updated weights are not
    copied but read in place.
    """

    def __init__(self, architecture: Architecture, batch: int) -> None:
        self.depth, self.batch = architecture.depth, batch
        self.shapes = architecture.parameter_shapes()
        numbers = 4 * batch * sum(architecture.layers[1:]) + 3 * sum(r * c for r, c in self.shapes.values())
        self.large = numbers > LARGE
        self.segments: dict[str, Segment] = {}
        self._end = 0
        units = dict(enumerate(architecture.layers))
        layers = range(1, self.depth + 1)
        self.kinds = {
            kind: self._add({f"{kind}{l}": (batch, units[l]) for l in layers}) for kind in SAMPLES
        }
        self._add({"loss": ()})
        self.samples = slice(0, self._end)
        self.sampled = list(self.segments)
        # All weights come before all biases.
        self.weights = [name for name in self.shapes if name[0] == "W"]
        self.names = [*self.weights, *(name for name in self.shapes if name[0] == "b")]
        self.copied = self.names[self.depth :] if self.large else self.names
        self.parameters = self._add({name: self.shapes[name] for name in self.copied})
        self.given = slice(0, self._end)
        self.fed = list(self.segments)
        self.gradients = self._add({f"d{name}": self.shapes[name] for name in self.copied})
        self.after = self._add({f"{name}_next": self.shapes[name] for name in self.copied})
        self.size = self._end
        self.judged = [*self.sampled, *(f"d{n}" for n in self.names), *(f"{n}_next" for n in self.names)]
        self.fed_starts = np.array([self.segments[name].start for name in self.fed])
        self.cut = Cut([self.segments[name] for name in self.sampled])
        inputs = batch * units[0]
        self.data = {"x": Segment(0, inputs, (batch, units[0]))}
        self.data["y"] = Segment(inputs, inputs + batch * units[self.depth], (batch, units[self.depth]))
        self.numbers = {n: s.stop - s.start for n, s in (self.segments | self.data).items()}
        for name, (rows, columns) in self.shapes.items():
            self.numbers |= dict.fromkeys((name, f"d{name}", f"{name}_next"), rows * columns)
        # What a trace must hold: its deck shape, and whether memory order is the transpose of it.
        across = {n for n in self.segments if n.rstrip("0123456789") in SAMPLES}
        self._wanted = [
            (name, s.shape[::-1] if name in across else s.shape, name in across)
            for name, s in self.segments.items()
        ]

    def _add(self, shapes: dict[str, tuple[int, ...]]) -> slice:
        start = self._end
        for name, shape in shapes.items():
            stop = self._end + int(np.prod(shape))
            self.segments[name] = Segment(self._end, stop, shape)
            self._end = stop
        return slice(start, self._end)

    def gather(self, trace: Trace, flat: Floats, dtype: np.dtype[np.generic]) -> bool:
        """Copy a trace into `flat`, exactly; False when it is not complete, of this shape and dtype.

        Its x and y are not copied.
        """
        expected = len(self._wanted) + len(self.data) + (3 * self.depth if self.large else 0)
        if len(trace) != expected:
            return False
        parts = []
        for name, shape, transposed in self._wanted:
            tensor = trace.get(name)
            if tensor is None or tensor.shape != shape or tensor.dtype != dtype:
                return False
            parts.append((tensor.T if transposed else tensor).reshape(-1))
        np.concatenate(parts, out=flat, casting="same_kind")
        return True

    def borrow(self, trace: Trace, dtype: np.dtype[np.generic]) -> dict[str, Array] | None:
        """Views of a large network's weights, their gradients and updated weights, if contiguous."""
        found = {}
        for weight in self.weights:
            for name in (weight, f"d{weight}", f"{weight}_next"):
                tensor = trace.get(name)
                if tensor is None or tensor.shape != self.shapes[weight] or tensor.dtype != dtype:
                    return None
                found[name] = np.ascontiguousarray(tensor)
        return found

    def gather_data(self, ours: Trace, theirs: Trace, flat: Floats, dtype: np.dtype[np.generic]) -> bool:
        """Copy x and y into `flat`; False when the sides do not have the same."""
        for name, segment in self.data.items():
            mine, other = ours.get(name), theirs.get(name)
            if mine is None or mine.shape != segment.shape[::-1] or mine.dtype != dtype:
                return False
            if other is not mine and not (
                other is not None and other.dtype == dtype and np.array_equal(mine, other)
            ):
                return False  # also for NaN
            segment.of(flat)[...] = mine.T
        return True

    def views(self, flat: Floats) -> dict[str, Floats]:
        """Every tensor's view into a buffer, for the tensors that the buffer covers."""
        size = flat.shape[-1]
        return {name: segment.of(flat) for name, segment in self.segments.items() if segment.stop <= size}
