"""Both gates for gradients and updated parameters, most of a step's numbers, in a single pass.

The first gate's truths are products of recorded numbers, and errors are divided by u-free bounds: the
bound of dW over γ, that of W_next over u,

    dW: Σ|δ||a| + 2mη/γ ≥ P + 2⁻¹²⁶        W_next: |T| + κ|g| + 2η/u ≥ |W_next| + κ|g| − e + 2⁻¹²⁵

with P ≤ Σ|δ||a| (1 + γ) + mη as in `filter.certificates`, κ = |lr| + (the rounding of lr)/u, and the
error e itself at most u times its divisor; so no bound is zero and a NaN stays a NaN. Large networks'
updates are first recomputed in the sides' own format (`parity.certify.filter.updates`).

The second gate does not need to read these numbers. Let σ_δ, σ_a be the shares of the second gate's bounds
that a side's δ and a use, and ρ that of the first gate's bound that its dW uses. Then

    |dW − T_δ T_aᵀ| ≤ |dW − δ aᵀ| + Σ |T_δ||a − T_a| + Σ |δ − T_δ||a|
                    ≤ ρ(γ Σ|δ||a| + 2mη) + σ_a Σ |T_δ| B_a + σ_δ Σ B_δ (|T_a| + B_a)
                    ≤ max(ρ, σ_a, σ_δ) · B_dW

because |δ| ≤ |T_δ| + B_δ and |a| ≤ |T_a| + B_a. The second bound of W_next is D + u(…) + |lr| B_dW, with
D = |W_ours − W_theirs|. Of these, theirs may use all of D, both sides the share ρ of their first gate's
bound of u(…), and the share m of dW's second bound of |lr| B_dW; so with w the largest share that
D + u(…) has in the bound, W_next's is at most m + (max(1 or ρ, m) − m) w. `_weigh` bounds w.
The rounding of truths in float64 is 2⁻²⁹ of the format's in the bounds; `TRUTHS` covers it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.certify.filter.certificates import SHRINK, FirstGate
from parity.certify.filter.inputs import SCALE
from parity.certify.filter.layout import BLOCK, Floats
from parity.certify.filter.products import Pair, ProductBlock, Products, Source
from parity.certify.filter.updates import REPLAYED, UpdateReplay

TRUTHS = 2.0**-26
LEAST = 2.0**-126

LARGEST_CORRECTION = 0.125
"""The largest share of a bound that the error of a float32 correction may use."""

TELLING = 16
"""Upper bound of the ratio of the plain path's bounds to the filter's, apart from a few η."""


class Parameters:
    """Shares of gradients and updated parameters, by parameter, in preallocated buffers."""

    def __init__(self, first_gate: FirstGate, lr: float) -> None:
        self.first_gate, self.recorded, self.lr = first_gate, first_gate.recorded, lr
        layout, judge, kind = self.recorded.layout, first_gate.judge, self.recorded.flat.dtype
        rounded = float(judge.dtype.type(lr))
        self.kappa = abs(lr) if rounded == lr else abs(lr) * (1 + judge.u / judge.unit)
        self.least = SCALE * SCALE * 2.0**12 * judge.eta
        self.gamma = judge.gamma(layout.batch)
        self._fewer = judge.gamma(layout.batch - 1) / self.gamma
        self.products, count = Products(self.recorded), len(layout.names)
        # Slot by slot: shares of gradients and updated parameters on both sides, weights, distances.
        self._found = np.zeros((7, self.products.slots))
        self.gradients, self.after = np.zeros((2, count)), np.zeros((2, count))  # shares
        self.apart, self.weight = np.zeros((2, count)), np.zeros(count)
        self.telling, self.all_zero = np.zeros((4, count), dtype=bool), np.zeros((4, count), dtype=bool)
        self._places(layout.sampled)
        block = min(BLOCK, self.products.truth.shape[1])
        self._error, self._g, self._n, self._w = (np.zeros((2, block)) for _ in range(4))
        self._used, self._bound = (np.zeros((2, block), kind) for _ in range(2))
        self._replay = UpdateReplay(lr) if layout.large else None
        self._replayed = SHRINK * SCALE * judge.unit * REPLAYED
        # A scaled error may lose 2⁻¹⁵⁰ in float32, relative to bounds over γ or u of at least LEAST.
        self._lost = 2.0**-24 if layout.large else 0.0
        self._whole = np.full(count, not layout.large)  # parameters that need all samples' magnitudes
        first = layout.segments["delta1"].shape
        self._apart = np.zeros(first if layout.large else 0, kind)

    def _places(self, sampled: list[str]) -> None:
        """Find the positions of each parameter's δ and a among the tensors; δ for x, which is exact."""
        self._factors = []
        for name in self.recorded.layout.names:
            below = [f"a{int(name[1:]) - 1}"] if name[0] == "W" and name != "W1" else []
            self._factors.append([f"delta{name[1:]}", *below])
        place = {name: i for i, name in enumerate(sampled)}
        self._delta = [place[factors[0]] for factors in self._factors]
        self._below = [place[factors[-1]] for factors in self._factors]

    def evaluate(self, relative: float) -> bool:
        """Compute all shares; False if one exceeds 1 or is NaN.

        B_δ is at least `relative` times |T_δ| + B_δ.
        """
        telling = bool(self.telling.all())
        if not telling:
            self.all_zero[...] = True
        sources = self.products.sources()
        correction = self._correction() if telling else 0.0
        found = self._pass(sources, relative, correction, telling=telling)
        poor = ~((found[0] <= 1) & (found[1] <= 1))
        if (poor & ~self._whole).any():
            self._whole |= poor  # from now on: a part of the samples is too few for sparse features
            found = self._pass(sources, relative, correction, telling=telling)
        self.gradients[...], self.after[...], self.weight[...] = found[0:2], found[2:4], found[4]
        self.apart[...] = found[5:]
        return bool(self.gradients.max() <= 1 and self.after.max() <= 1)

    def _correction(self) -> float:
        """Error, as a share of its bound, of computing theirs' dW1 as a correction of ours; 0: do not.

        theirs' product is ours plus the small product (δ_theirs − δ_ours) xᵀ, taken in float32.
        """
        if not self.recorded.large or self.recorded.near("delta1") == 0:
            return 0.0
        ours, theirs = self.recorded.layout.segments["delta1"].of(self.recorded.flat)
        self.recorded.part(theirs, ours, self._apart)
        apart = self.recorded.relative["delta1"]
        off = (1 + 8 / self.recorded.layout.batch) * apart / (1 - apart) ** 2 + 2.0**-19
        return off if off <= LARGEST_CORRECTION else 0.0

    def _pass(
        self, sources: Mapping[str, Source], relative: float, correction: float, *, telling: bool
    ) -> Floats:
        """One pass over all parameters: shares of gradients and updates, weights, distances."""
        for panel in self.products.panels:
            corrected = correction > 0 and panel.source == "W1"
            for product in panel.products:
                whole = not telling or bool(self._whole[product.tensor])
                if corrected:
                    product.correct(self._apart, self.recorded.x, whole=whole)
                else:
                    product.take(self._fewer, whole=whole)
            for block in panel.blocks:
                truth, part = self.products.truth[:, block.within], self.products.size[:, block.within]
                source = sources[panel.source]
                if corrected:
                    self._judge_corrected(block, source, truth[0], part)
                else:
                    self._judge(block, source, truth, part, relative, telling=telling)
        found = self.products.maxima(self._found)
        sums = SHRINK * (1 - self.first_gate.margin)
        found[0:2] /= sums * SCALE * self.gamma
        found[0:2] += self._lost
        if correction > 0:
            found[1, 0] = found[1, 0] / self.recorded.near("delta1") + correction
        found[2:4] /= SHRINK * SCALE * self.first_gate.judge.unit
        found[4] /= sums
        return found

    def _judge(
        self,
        block: ProductBlock,
        source: Source,
        truth: Floats,
        part: Floats,
        relative: float,
        *,
        telling: bool,
    ) -> None:
        """Check both sides' gradients and updated parameters of one block, given `truth` and `part`."""
        found, here = self._found[:, block.slots], block.here
        part += LEAST
        g = self._double(source.g, here, self._g)
        error = np.subtract(g, truth, out=self._error[:, : g.shape[1]])
        found[0:2] = self._most(error, part, block)
        if not telling:
            self._note_telling(block, 0, truth, part, TELLING * self.gamma)
        found[5] = self._distance(source.g, block)
        found[6] = self._distance(source.n, block)
        if telling and self._replay is not None and self._replay.same(source, here):
            found[2:4], found[4] = self._replayed, np.inf
            return
        self._judge_update(block, source, g, truth, part, relative, telling=telling)

    def _judge_corrected(self, block: ProductBlock, source: Source, truth: Floats, part: Floats) -> None:
        """As `_judge`, with theirs' truth computed as a correction of ours.

        With e = g − T: e_theirs = (g_theirs − g_ours) + e_ours − (T_theirs − T_ours), the last as
        (δ_theirs − δ_ours) aᵀ in float32, off by γ_{m+2} |δ_theirs − δ_ours||a|ᵀ ≤ γ_{m+2} ρ |δ_ours||a|ᵀ.
        The rounding of each sum is u times its terms, which are at most such a product plus both bounds;
        `_correction` includes all of these.
        """
        found, here = self._found[:, block.slots], block.here
        size = here.stop - here.start
        g, used, apart = self._error[0, :size], self._used[:, :size], self._bound[0, :size]
        np.copyto(g, source.g[0][here])
        g -= truth
        g *= SCALE
        np.copyto(used[0], g, casting="same_kind")
        more = np.subtract(source.g[1][here], source.g[0][here], out=used[1])
        found[5] = np.maximum.reduceat(np.abs(more, out=apart), block.starts)
        more *= SCALE
        more += used[0]
        more -= part[1]
        np.abs(used, out=used)
        part[0] += LEAST
        used /= part[0]
        found[0:2] = np.maximum.reduceat(used, block.starts, axis=1)
        found[6] = self._distance(source.n, block)
        if self._replay is not None and self._replay.same(source, here):
            found[2:4], found[4] = self._replayed, np.inf
            return
        both = self.products.truth[:, block.within]
        self._judge_update(
            block, source, self._double(source.g, here, self._g), both, part, 0.0, telling=True
        )

    def _judge_update(
        self,
        block: ProductBlock,
        source: Source,
        g: Floats,
        truth: Floats,
        part: Floats,
        relative: float,
        *,
        telling: bool,
    ) -> None:
        """Check both sides' updated parameters of one block; `truth` is overwritten."""
        found, here, error = self._found[:, block.slots], block.here, self._error[:, : g.shape[1]]
        n = self._double(source.n, here, self._n)
        # The bound of W_next, in units of u.
        bound = np.abs(n, out=self._bound[:, : g.shape[1]], casting="same_kind")
        bound += np.multiply(np.abs(g), self.kappa, out=error)
        bound += 2 * LEAST
        found[4] = np.inf if self.recorded.large else self._weigh(block, part[0], bound[0], relative)
        np.multiply(g, -self.lr, out=truth)
        truth += self._double(source.w, here, self._w)
        np.subtract(n, truth, out=error)
        found[2:4] = self._most(error, bound, block) + self._lost * SCALE * self.first_gate.judge.unit
        if not telling:
            self._note_telling(block, 2, truth, bound, TELLING * self.first_gate.judge.unit)

    def _double(self, pair: Pair, here: slice, out: Floats) -> Floats:
        """Both sides' numbers as float64; in small networks they already are."""
        if isinstance(pair, np.ndarray) and pair.dtype == np.float64:
            numbers: Floats = pair[:, here]
            return numbers
        out = out[:, : here.stop - here.start]
        np.copyto(out[0], pair[0][here])
        np.copyto(out[1], pair[1][here])
        return out

    def _most(self, error: Floats, bound: Floats, block: ProductBlock) -> Floats:
        """The largest |error| · SCALE / bound of each parameter; NaN if one is NaN."""
        used = self._used[:, : error.shape[1]]
        error *= SCALE
        np.copyto(used, error, casting="same_kind")
        np.abs(used, out=used)
        used /= bound
        most: Floats = np.maximum.reduceat(used, block.starts, axis=1)
        return most

    def _distance(self, pair: Pair, block: ProductBlock) -> Floats:
        """The largest difference between the sides, computed in the numbers' own format."""
        here = block.here
        apart = np.subtract(pair[0][here], pair[1][here], out=self._used[0, : here.stop - here.start])
        np.abs(apart, out=apart)
        largest: Floats = np.maximum.reduceat(apart, block.starts)
        return largest

    def _weigh(self, block: ProductBlock, part: Floats, bound: Floats, relative: float) -> Floats:
        """Largest (D + u(|W_next| + κ|g|)) / (|lr| B_dW) by parameter; B_dW ≥ (γ + relative) Σ|δ||a|."""
        u = self.first_gate.judge.unit
        most, rest = self._used[:, : len(bound)]
        np.multiply(part, abs(self.lr) * (self.gamma + relative) / u, out=rest)
        np.multiply(self.recorded.distances[block.here], 1 / (SCALE * u), out=most)
        most += bound
        most /= rest
        largest: Floats = np.fmax.reduceat(most, block.starts)
        return largest

    def _note_telling(
        self, block: ProductBlock, row: int, truth: Floats, bound: Floats, times: float
    ) -> None:
        """Note what stands out of any bound that the plain path may have, and what is nothing but zeros."""
        size, rows = np.abs(truth), slice(row, row + 2)
        self.all_zero[rows, block.tensors] &= np.maximum.reduceat(size, block.starts, axis=1) == 0
        size -= times * bound.astype(np.float64)
        self.telling[rows, block.tensors] |= np.maximum.reduceat(size, block.starts, axis=1) > self.least

    def side_by_side(self, samples: Floats) -> tuple[Floats, Floats]:
        """The second gate's shares of gradients and updated parameters, from those of z, a, s and δ."""
        inherited = np.maximum(samples[:, self._delta], samples[:, self._below])
        gradients = np.maximum(self.gradients, inherited) + TRUTHS
        full = np.maximum(self.after + TRUTHS, gradients)
        if self.recorded.moved:
            np.maximum(full[1], 1, out=full[1])
        weight = np.where(np.isfinite(self.weight), self.weight / (1 + self.weight), 1.0)
        return gradients, np.where(full <= 1, gradients + (full - gradients) * weight, full)
