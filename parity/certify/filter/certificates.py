"""The filter's first gate: each side's formulas for z, a, s and δ on its own recorded numbers.

Arrays are (2, …): ours, theirs. A sample is a row, as in memory, so z = a Wᵀ + b.
Truths are float64. Magnitudes of sums, Σ|x||y|, are float32 where a network is large:

    Computed in float32 from float32 magnitudes, P ≤ Σ|x||y| (1 + γ) + k η, since every product and
    addition rounds to nearest and a product may underflow. The plain bound is γ Σ|x||y| + 2kη (or
    more), so with γ < 1 it is at least γ P (1 − γ): the second k η pays for the underflows.

`FirstGate.margin` is more than this γ; whatever else is rounded in a bound is a matter of `SHRINK`.
The sides of large networks share magnitudes. With |a_theirs| ≥ (1 − ρ)|a_ours| for all numbers,

    |W_theirs||a_theirs| + |b_theirs| ≥ (1 − ρ)(P − P_D) ≥ (1 − ρ)(1 − q) P,

where P = |W_ours||a_ours| + |b_ours|, P_D = D |a_ours| + D_b and q is the largest share of P_D in P.
z of theirs in the first layer, where x is the same, is z of ours and a float32 product with
W_theirs − W_ours: its error is no more than γ P_D, the share q of the bound, which is added. If q is
small compared with γ, z of ours is used: its error is no more than P_D, the share q/γ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.bounds.formats import Arithmetic
from parity.certify.filter.activations import SLOPES, Slope
from parity.certify.filter.inputs import NEAR, SCALE, StepInputs
from parity.certify.filter.layout import BLOCK, FlatLayout, Floats
from reference.architecture import Architecture

SHRINK = 1 - 2.0**-20
"""Covers the rounding in evaluating the filter's bounds, which must not exceed the plain ones."""

FEW = 16
"""A term smaller than 1/FEW of a bound is left out if computing it takes a matrix product."""

ROWS, ROW_NUMBERS = 16, 1 << 15
"""Number of rows of a large network's W1 processed at a time; more if rows are short."""


def turned(x: Floats) -> Floats:
    """The transpose of each matrix of a stack."""
    return x.swapaxes(-1, -2)


@dataclass(frozen=True)
class Run:
    """A range of numbers of consecutive layers with the same activation that fits into the cache."""

    slope: Slope
    z: slice
    a: slice
    s: slice
    delta: slice


class FirstGate:
    """Truths and bounds of z, a, s, δ and the loss, for both sides, in preallocated buffers."""

    def __init__(self, architecture: Architecture, recorded: StepInputs, judge: Arithmetic) -> None:
        self.recorded, self.judge = recorded, judge
        layout = recorded.layout
        self.slopes = [SLOPES[f.name] for f in architecture.activations]
        self.n = architecture.n(layout.batch)
        self.terms = architecture.layers[-1] * layout.batch
        samples, kind = layout.samples.stop, recorded.flat.dtype
        self.truth, self.bound = np.zeros((2, samples)), np.zeros((2, samples))
        self._size, self._apart = np.zeros((2, samples), kind), np.zeros(samples, kind)
        self.T, self.B = layout.views(self.truth), layout.views(self.bound)
        self.P, self.Q = layout.views(self._size), layout.views(self._apart)  # Q is P_D, scaled
        self._spare = layout.views(np.zeros(samples, kind))
        self.runs = self._runs(architecture, layout)
        longest = max(*architecture.layers, layout.batch) + 8
        # 2 k u for sums of k terms: γ_k and a few roundings.
        self.margin = 2 * longest * 2.0**-24 if recorded.large else 0.0
        self.extra = 0.0  # largest error of theirs' z1, as a share of its bound
        self._used = np.zeros((2, samples))
        self._found = np.zeros((2, layout.cut.slots))
        self.taken: set[str] = set()  # the sums whose P_D was taken
        self.norms = [(0.0, 0.0)] * (layout.depth + 1)  # of each layer ‖W‖∞ of ours, and the largest D
        columns = architecture.layers[0]
        self._rows = max(ROWS, ROW_NUMBERS // columns)
        self._row_exact = np.zeros((self._rows if recorded.large else 0, columns))
        self._row_single = np.zeros(self._row_exact.shape, kind)

    def _runs(self, architecture: Architecture, layout: FlatLayout) -> list[Run]:
        """The runs of all layers; z, a, s and δ have the same order and size in the layout."""
        runs: list[Run] = []
        first, names = 1, architecture.activations
        kinds = [layout.kinds[kind].start for kind in ("z", "a", "s", "delta")]
        for l in range(1, layout.depth + 1):
            if l == layout.depth or names[l].name != names[l - 1].name:
                start, stop = layout.segments[f"z{first}"].start, layout.segments[f"z{l}"].stop
                for begin in range(start, stop, BLOCK):
                    end = min(begin + BLOCK, stop)
                    runs.append(Run(self.slopes[l - 1], *(slice(k + begin, k + end) for k in kinds)))
                first = l + 1
        return runs

    def evaluate(self) -> bool:
        """Compute `truth` and `bound`; False if a number is so large that a sum might overflow."""
        recorded, T = self.recorded, self.T
        X, M, D = recorded.X, recorded.M, recorded.D
        depth = recorded.layout.depth
        self.extra = 0.0
        self.taken.clear()
        if recorded.large and not self._first_layer():
            return False
        for l in range(2 if recorded.large else 1, depth + 1):
            below, W, b, z = ("x" if l == 1 else f"a{l - 1}"), f"W{l}", f"b{l}", f"z{l}"
            np.matmul(X[below], turned(X[W]), out=T[z])
            T[z] += turned(X[b])
            self.norms[l] = float(M[W][0].sum(axis=1).max()), float(D[W].max())
            self._bound_sum(z, below, W, b, X[W].shape[-1] + 1)
        for l in range(depth - 1, 0, -1):
            W, up, s = f"W{l + 1}", f"delta{l + 1}", f"s{l}"
            np.matmul(X[up], X[W], out=T[s])
            self._bound_sum(s, up, W, None, X[W].shape[-2])
        self._loss()
        for run in self.runs:
            self._elementwise(run)
        return True

    def _first_layer(self) -> bool:
        """Compute z1 of a large network, a few rows of W1 at a time, so that they stay in the cache."""
        recorded, T, P = self.recorded, self.T["z1"], self.P["z1"][0]
        ours, theirs = (side["W1"] for side in recorded.weights)
        x, size, found = recorded.X["x"][0], recorded.M["x"][0], []
        for rows, exact, single in self._some_rows():
            np.copyto(exact, ours[rows])
            np.matmul(x, exact.T, out=T[0][:, rows])
            np.abs(ours[rows], out=single)
            np.matmul(size, single.T, out=P[:, rows])
            norm = single.sum(axis=1).max()
            np.subtract(theirs[rows], ours[rows], out=single)
            found.append((norm, single.max(), -single.min()))
        norm, *apart = np.max(found, axis=0).tolist()
        self.norms[1] = norm, max(apart) * SCALE
        recorded.note_weight("W1", *self.norms[1])
        roundings = x.shape[-1] + 1
        share = self._bound_sum("z1", "x", "W1", "b1", roundings, multiplied=True)
        T[1] = T[0]
        if share > NEAR:
            np.matmul(x, theirs.T.astype(np.float64), out=T[1])
        elif share > self.judge.gamma(roundings) / FEW:
            for rows, _, single in self._some_rows():
                recorded.part(theirs[rows], ours[rows], single)
                np.matmul(recorded.x, single.T, out=self._spare["z1"][:, rows])
            T[1] += np.multiply(self._spare["z1"], 1 / SCALE, dtype=np.float64)
            self.extra = 2 * share + 2.0**-22  # (γ_{k+2}/γ_{k+1}) q/(1 − q), and its underflows
        else:
            self.extra = 2 * share / self.judge.gamma(roundings)
        T += turned(recorded.X["b1"])
        return recorded.harmless()

    def _some_rows(self) -> Iterator[tuple[slice, Floats, Floats]]:
        """Ranges of rows of W1, with buffers for them."""
        count = self.recorded.layout.shapes["W1"][0]
        for first in range(0, count, self._rows):
            last = min(first + self._rows, count)
            yield slice(first, last), self._row_exact[: last - first], self._row_single[: last - first]

    def _bound_sum(
        self, name: str, factor: str, W: str, b: str | None, roundings: int, *, multiplied: bool = False
    ) -> float:
        """Bound of a sum of products, γ Σ|x||y| (+ |b|), for both sides; returns q.

        `multiplied` means that our side's product is computed already.
        """
        recorded, P, B = self.recorded, self.P[name], self.B[name]
        gamma, x = (1 - self.margin) * self.judge.gamma(roundings), recorded.M[factor]
        sides = slice(0, 1) if recorded.large else slice(0, 2)
        if not multiplied:
            y = recorded.M[W] if name[0] == "s" else turned(recorded.M[W])
            np.matmul(x[sides], y[sides], out=P[sides])
        if b is not None:
            P[sides] += turned(recorded.M[b][sides])
        if not recorded.large:
            np.multiply(gamma, P, out=B)
            if recorded.moved:
                self._distance(name, factor, W, b)
            return 0.0
        np.multiply(gamma, P[0], out=B[0])
        apart = self._share_apart(name, factor, W, b, gamma) if recorded.moved else 0.0
        share = recorded.near(factor) * (1 - apart) if apart <= NEAR else 0.0
        if share > 0:
            np.multiply(share, B[0], out=B[1])
        else:
            theirs = np.abs(recorded.weights[1][W])
            np.matmul(x[1], theirs if name[0] == "s" else theirs.T, out=P[1])
            if b is not None:
                P[1] += recorded.M[b][1].T
            np.multiply(gamma, P[1], out=B[1])
        return apart

    def _distance(self, name: str, factor: str, W: str, b: str | None) -> None:
        """P_D, scaled: of use for the second gate, too."""
        recorded, Q = self.recorded, self.Q[name]
        D = recorded.distance_of(W)
        np.matmul(recorded.M[factor][0], D if name[0] == "s" else D.T, out=Q)
        if b is not None:
            Q += recorded.D[b].T
        self.taken.add(name)

    def _share_apart(self, name: str, factor: str, W: str, b: str | None, gamma: float) -> float:
        """The largest share q of P_D in P.

        A bound of it, from the largest D and row sums of |x|, will do if it is nothing against γ: then the
        second gate can do without P_D, too.
        """
        P, x = self.P[name][0], self.recorded.M[factor][0]
        most = max(self.norms[int(W[1:])][1], float(self.recorded.D[b].max()) if b else 0.0)
        rows = (x.sum(axis=1) + (1 if b else 0)) / P.min(axis=1)
        share = float(most * rows.max()) / SCALE * (1 + 4 * self.margin)
        if share <= gamma / FEW:
            return share
        self._distance(name, factor, W, b)
        largest = float(np.fmax.reduce(np.divide(self.Q[name], P, out=self._spare[name]), axis=None))
        return largest / SCALE * (1 + 4 * self.margin) if largest > 0 else 0.0

    def _loss(self) -> None:
        """Σ r²/n and its gradient 2r/n, with r = ŷ − y."""
        X, T, B, U, depth = self.recorded.X, self.T, self.B, self.judge.unit, self.recorded.layout.depth
        top = f"s{depth}"
        r = X[f"a{depth}"] - X["y"]
        np.multiply(2 / self.n, r, out=T[top])
        np.abs(T[top], out=B[top])
        B[top] *= 4 * U
        T["loss"][...] = np.square(r, out=r).sum(axis=(1, 2)) / self.n
        B["loss"][...] = (self.terms + 4) * U * T["loss"]

    def _elementwise(self, run: Run) -> None:
        """a = f(z) and δ = s f′."""
        exact, U, slope = self.recorded.exact, self.judge.unit, run.slope
        a, s = exact[:, run.a], exact[:, run.s]
        self.truth[:, run.a] = f_z = slope.function(exact[:, run.z])
        self.bound[:, run.a] = slope.rounding(f_z, U)
        f_prime = slope.derivative(exact[:, run.z], a)
        delta, delta_bound = self.truth[:, run.delta], self.bound[:, run.delta]
        np.multiply(s, f_prime, out=delta)
        np.abs(delta, out=delta_bound)
        delta_bound *= U
        if not slope.exact_slope:
            slope_bound = slope.derivative_bound(a, np.asarray(f_prime), 0.0, U)
            delta_bound += np.abs(s) * slope_bound
        delta_bound += 2 * self.judge.eta

    def shares(self, truth: Floats, bound: Floats) -> Floats:
        """Max |observed − truth| / bound over each of the samples' tensors, of each side: (2, tensors)."""
        cut = self.recorded.layout.cut
        for block in cut.blocks:
            here = slice(block.start, block.stop)
            used = np.subtract(self.recorded.exact[:, here], truth[:, here], out=self._used[:, here])
            np.abs(used, out=used)
            used /= bound[:, here]
            # 0/0 is NaN, and no share: the number is the truth. Other NaNs were turned away before.
            np.fmax.reduceat(used, block.starts, axis=1, out=self._found[:, block.slots])
        np.copyto(self._found, 0.0, where=np.isnan(self._found))
        shares: Floats = cut.maxima(self._found) / SHRINK
        return shares

    def certificates(self) -> Floats:
        """The shares of the first gate's bounds."""
        shares = self.shares(self.truth, self.bound)
        shares[1, 0] += self.extra  # z1 comes first
        return shares
