"""The products that gradients consist of, computed panel by panel and judged in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from parity.certify.filter.certificates import turned
from parity.certify.filter.inputs import StepInputs
from parity.certify.filter.layout import BLOCK, Floats, Indices

PART, AT_LEAST = 8, 16
"""In a large network, magnitudes of one sample in PART are summed, and of at least AT_LEAST."""

PANEL = 1 << 16
"""Approximate count of a large network's weights for which products are computed at a time."""

COPIED = ""
"""Source name of copied parameters: all of a small network's, the biases of a large one."""


Pair: TypeAlias = Floats | tuple[Floats, Floats]
"""Numbers of both sides, ours and theirs, in one array or in two."""


@dataclass(frozen=True)
class Source:
    """Adjacent parameters, their gradients and updated values, each (ours, theirs), flat."""

    w: Pair
    g: Pair
    n: Pair


@dataclass
class Product:
    """Gradients of some rows, for numbers and magnitudes: δ and, for weights, a; with output buffers."""

    tensor: int
    rows: slice
    some: slice  # samples whose magnitudes are summed, for a lower bound of the whole sum
    delta: Floats
    delta_size: Floats
    a: Floats | None
    a_size: Floats | None
    truth: Floats
    size: Floats

    def take(self, fewer: float, *, whole: bool) -> None:
        """Both sides' truths δ aᵀ, or row sums, and magnitudes; those of row sums times `fewer`."""
        if self.a is None or self.a_size is None:
            np.add.reduce(self.delta, axis=2, keepdims=True, out=self.truth)
            np.add.reduce(self.delta_size, axis=2, keepdims=True, out=self.size)
            self.size *= fewer
            return
        np.matmul(self.delta, self.a, out=self.truth)
        some = slice(None) if whole else self.some
        np.matmul(self.delta_size[..., some], self.a_size[:, some], out=self.size)

    def correct(self, apart: Floats, x: Floats, *, whole: bool) -> None:
        """Compute ours' products of a first layer, and theirs' as a scaled correction of ours.

        The correction (δ_theirs − δ_ours) xᵀ is stored in place of theirs' magnitudes. `apart` is
        δ_theirs − δ_ours, scaled, and x the common input, in float32.
        """
        some = slice(None) if whole else self.some
        if self.a is None or self.a_size is None:
            raise ValueError("only weights have what they lend")
        np.matmul(self.delta[0], self.a[0], out=self.truth[0])
        np.matmul(self.delta_size[0][:, some], self.a_size[0][some], out=self.size[0])
        np.matmul(apart[:, self.rows].T, x, out=self.size[1])


@dataclass(frozen=True)
class ProductBlock:
    """A range of numbers of a source, with its products `within` a panel.

    `starts` are the offsets of the parameters `tensors` in the block, `slots` the positions of their
    results.
    """

    here: slice
    within: slice
    starts: Indices
    tensors: Indices
    slots: slice


@dataclass(frozen=True)
class Panel:
    """Products that are computed together, and the blocks in which they are judged."""

    source: str
    products: Sequence[Product]
    blocks: Sequence[ProductBlock]


class Products:
    """All panels of one architecture and batch size, with the buffers for their products."""

    def __init__(self, recorded: StepInputs) -> None:
        self.recorded, layout = recorded, recorded.layout
        copied = sum(int(np.prod(layout.shapes[name])) for name in layout.copied)
        longest = max(columns for _, columns in layout.shapes.values())
        capacity = max(PANEL, longest, copied) if layout.large else copied
        kind = recorded.flat.dtype
        self.truth, self.size = np.zeros((2, capacity)), np.zeros((2, capacity), kind)
        self.slots = 0
        self.panels = list(self._panels())
        tensors = np.concatenate([b.tensors for panel in self.panels for b in panel.blocks])
        self._firsts = np.searchsorted(tensors, np.arange(len(layout.names)))

    def maxima(self, found: Floats) -> Floats:
        """From (…, slots) to (…, parameters); NaN where one is."""
        largest: Floats = np.maximum.reduceat(found, self._firsts, axis=-1)
        return largest

    def _panels(self) -> Iterator[Panel]:
        layout, first = self.recorded.layout, 0
        if layout.large:
            for index, name in enumerate(layout.weights):
                rows, columns = layout.shapes[name]
                some = max(1, PANEL // columns)
                for row in range(0, rows, some):
                    count = min(some, rows - row)
                    product = self._product(name, slice(row, row + count), 0)
                    yield Panel(name, [product], self._blocks(row * columns, [(index, count * columns)]))
            first = layout.depth
        products: list[Product] = []
        sizes: list[tuple[int, int]] = []
        for index, name in enumerate(layout.names[first:], start=first):
            rows, columns = layout.shapes[name]
            products.append(self._product(name, slice(0, rows), sum(size for _, size in sizes)))
            sizes.append((index, rows * columns))
        yield Panel(COPIED, products, self._blocks(0, sizes))

    def _product(self, name: str, rows: slice, start: int) -> Product:
        recorded, l = self.recorded, int(name[1:])
        columns = recorded.layout.shapes[name][1]
        stop = start + (rows.stop - rows.start) * columns
        below = "x" if l == 1 else f"a{l - 1}"
        batch = recorded.layout.batch
        some = slice(0, min(batch, max(AT_LEAST, batch // PART)) if recorded.large else batch)
        places = [
            out[:, start:stop].reshape(2, rows.stop - rows.start, columns)
            for out in (self.truth, self.size)
        ]
        deltas = [turned(views[f"delta{l}"][:, :, rows]) for views in (recorded.X, recorded.M)]
        a_s = [views[below] if name[0] == "W" else None for views in (recorded.X, recorded.M)]
        index = recorded.layout.names.index(name)
        return Product(index, rows, some, *deltas, *a_s, *places)

    def _blocks(self, origin: int, sizes: Sequence[tuple[int, int]]) -> list[ProductBlock]:
        """`sizes` are parameters with how many of their numbers follow one another from `origin` on."""
        ends = np.cumsum([size for _, size in sizes])
        begins = ends - [size for _, size in sizes]
        blocks = []
        for first in range(0, int(ends[-1]), BLOCK):
            last = min(first + BLOCK, int(ends[-1]))
            inside = np.flatnonzero((begins < last) & (ends > first))
            slots = slice(self.slots, self.slots + len(inside))
            tensors = np.array([sizes[int(i)][0] for i in inside])
            starts = np.maximum(begins[inside] - first, 0)
            here = slice(origin + first, origin + last)
            blocks.append(ProductBlock(here, slice(first, last), starts, tensors, slots))
            self.slots = slots.stop
        return blocks

    def sources(self) -> dict[str, Source]:
        """The sources of the step that was read last."""
        recorded, layout = self.recorded, self.recorded.layout
        flat = recorded.flat
        found = {
            COPIED: Source(flat[:, layout.parameters], flat[:, layout.gradients], flat[:, layout.after])
        }
        if layout.large:
            ours, theirs = recorded.weights
            for name in layout.weights:
                w, g, n = (
                    (ours[of].reshape(-1), theirs[of].reshape(-1))
                    for of in (name, f"d{name}", f"{name}_next")
                )
                found[name] = Source(w, g, n)
        return found
