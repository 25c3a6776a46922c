"""The recorded tensors of one step of both sides: numbers, magnitudes, and the sides' differences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parity.certify.filter.layout import FlatLayout, Floats
from reference.arrays import Array
from reference.trace import Trace

HARMLESS = 2.0**40
"""If all numbers are below this, sums of products of them are far from float32's largest number."""

SCALE = 2.0**24
"""Small magnitudes are multiplied by this before float32 products, so that their underflow is negligible
compared with the bounds' allowance for underflow."""

NEAR = 0.25
"""Sides whose numbers differ by at most this share can use the same magnitudes."""


class StepInputs:
    """The tensors of both sides, (2, …): ours, theirs, in preallocated buffers. A sample is a row.

    Magnitudes and the terms of bounds are float32 in large networks. Arrays by name: `X` numbers as
    float64, `M` magnitudes, `D` the parameters' distance |W_ours − W_theirs|, scaled. They leave out the
    first layer's weights of a large network, which are most of its weights: `weights` has those as
    recorded. For its other layers' weights, M holds only ours.
    """

    def __init__(self, layout: FlatLayout, dtype: np.dtype[np.generic]) -> None:
        self.layout, self._dtype, self.large = layout, dtype, layout.large
        kind: npt.DTypeLike = np.float32 if self.large else np.float64
        self.flat = np.zeros((2, layout.size), kind)
        given, samples = layout.given.stop, layout.samples.stop
        self.exact = np.zeros((2, given)) if self.large else self.flat[:, :given]
        self.size = np.zeros((2, given), kind)
        # Of the data there is one copy for both sides.
        self.data = np.zeros(sum(segment.stop - segment.start for segment in layout.data.values()), kind)
        self._data_exact = np.zeros(self.data.shape) if self.large else self.data
        self._data_size = np.zeros(self.data.shape, kind)
        self._data_starts = [segment.start for segment in layout.data.values()]
        self.x = layout.data["x"].of(self.data)
        self.X = layout.views(self.exact) | self._shared(self._data_exact)
        self.M = layout.views(self.size) | self._shared(self._data_size)
        self._apart = np.zeros(given, kind)
        self.distances = self._apart[layout.parameters]  # D, of what is copied
        self.D = layout.views(self._apart)
        self.weights: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
        self._held = layout.weights[1:] if self.large else []
        for name in self._held:
            shape = layout.shapes[name]
            self.X[name] = np.zeros((2, *shape))
            self.M[name], self.D[name] = np.zeros((1, *shape), kind), np.zeros(shape, kind)
        self.moved = False  # whether the sides start from different bits
        self.peaks: dict[str, float] = {}  # the largest magnitude of each tensor on either side
        self.distance = np.zeros(len(layout.sampled))  # of the sides, by tensor
        self.relative: dict[str, float] = {}  # the same, relative to ours
        self._work = np.zeros(samples, kind)
        self._found = np.zeros((2, layout.cut.slots))

    def _shared(self, flat: Floats) -> dict[str, Floats]:
        """Views of the data as if each side had its own."""
        return {
            name: np.broadcast_to(segment.of(flat), (2, *segment.shape))
            for name, segment in self.layout.data.items()
        }

    def gather(self, ours: Trace, theirs: Trace) -> bool:
        """Read a step; False if it is incomplete or has an unsupported tensor."""
        layout, flat, size, dtype = self.layout, self.flat, self.size, self._dtype
        if not all(layout.gather(t, flat[i], dtype) for i, t in enumerate((ours, theirs))):
            return False
        if not layout.gather_data(ours, theirs, self.data, dtype):
            return False
        np.abs(flat[:, layout.given], out=size)
        np.abs(self.data, out=self._data_size)
        peaks = np.maximum.reduceat(size, layout.fed_starts, axis=1).max(axis=0)
        data = np.maximum.reduceat(self._data_size, self._data_starts)
        names = [*layout.fed, *layout.data]
        self.peaks = dict(zip(names, [*peaks.tolist(), *data.tolist()], strict=True))
        now = layout.parameters
        apart = self._apart[now]
        np.subtract(flat[1, now], flat[0, now], out=apart)
        apart *= SCALE
        np.abs(apart, out=apart)
        self.moved = bool(apart.any())
        if self.large:
            np.copyto(self.exact, flat[:, layout.given])
            np.copyto(self._data_exact, self.data)
            mine, other = layout.borrow(ours, dtype), layout.borrow(theirs, dtype)
            if mine is None or other is None:
                return False
            self.weights = mine, other
            for name in self._held:
                self._weight(name)
        self._measure()
        return self.harmless()

    def harmless(self) -> bool:
        """Whether all magnitudes so far are too small for a sum to overflow; False for NaN."""
        return all(peak < HARMLESS for peak in self.peaks.values())

    def _weight(self, name: str) -> None:
        """Numbers, magnitudes and distance of a large network's weights."""
        ours, theirs = (side[name] for side in self.weights)
        size, apart = self.M[name][0], self.D[name]
        np.copyto(self.X[name][0], ours)
        np.copyto(self.X[name][1], theirs)
        np.abs(ours, out=size)
        self.part(theirs, ours, apart)
        np.abs(apart, out=apart)
        self.note_weight(name, float(size.max()), float(apart.max()))

    def part(self, theirs: Array, ours: Array, out: Floats) -> None:
        """The difference of the sides, scaled."""
        np.subtract(theirs, ours, out=out)
        out *= SCALE

    def note_weight(self, name: str, largest: float, apart: float) -> None:
        """Record the largest magnitude of our weights and the sides' largest difference (scaled)."""
        self.moved = self.moved or apart > 0
        self.peaks[name] = (largest + apart / SCALE) * (1 + 2.0**-20)

    def distance_of(self, name: str) -> Floats:
        """D of a weight, scaled; of a large network's first layer it is taken here."""
        if name in self.D:
            return self.D[name]
        ours, theirs = (side[name] for side in self.weights)
        apart = np.zeros(ours.shape, self.flat.dtype)
        self.part(theirs, ours, apart)
        distance: Floats = np.abs(apart, out=apart)
        return distance

    def _measure(self) -> None:
        """The largest distance of the sides in each of the samples' tensors, also relative to ours."""
        cut = self.layout.cut
        ours, theirs = self.flat
        for block in cut.blocks:
            here, starts = slice(block.start, block.stop), block.starts
            apart = np.subtract(ours[here], theirs[here], out=self._work[: block.stop - block.start])
            np.abs(apart, out=apart)
            self._found[0, block.slots] = np.maximum.reduceat(apart, starts)
            if self.large:
                apart /= self.size[0, here]  # 0/0, the same, is NaN and left out
                self._found[1, block.slots] = np.fmax.reduceat(apart, starts)
        np.copyto(self._found, 0.0, where=np.isnan(self._found))
        found = cut.maxima(self._found)
        self.distance = found[0].copy()
        if self.large:
            relative = found[1] * (1 + 2.0**-20)
            self.relative = dict(zip(self.layout.sampled, relative.tolist(), strict=True)) | {"x": 0.0}

    def near(self, *names: str) -> float:
        """Lower bound of the ratio of theirs' to ours' product of these magnitudes; 0 if unknown."""
        share = 1.0
        for name in names:
            apart = self.relative.get(name, 1.0)
            share *= 1 - apart if apart <= NEAR else 0.0
        return share
