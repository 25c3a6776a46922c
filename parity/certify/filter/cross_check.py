"""The second gate, cheaply: the step's samples in bounded arithmetic from where the two sides stand.

Written out for layered networks: value T and bound B of each tensor, from ours, with the measured
difference D = |W_ours − W_theirs| as the parameters' bound. Lower bounds of the plain path's:

    B_z = |W| B_a + D (|a| + B_a) + D_b + γ((|W| + D)(|a| + B_a) + |b| + D_b) + …
        ≥ |W| B_a + D |a_ours| + D_b + γ(|W||a_ours| + |b|)

since |a_ours| ≤ |a| + B_a once layer l − 1 is accepted; the last term is the first gate's. So for s.
The samples' shares also bound those of gradients and updated parameters: see `filter.gradients`.

`ceiling` bounds from above by how much the plain path's B_z can be larger. With it this path knows
where the plain one could not tell a ReLU's sign or would run into overflow, and leaves these to it.
"""

from __future__ import annotations

import numpy as np

from parity.certify.filter.activations import SLOPES
from parity.certify.filter.certificates import SHRINK, FirstGate
from parity.certify.filter.inputs import SCALE
from parity.certify.filter.layout import Floats

NORMAL = 2.0**-120
"""Smaller bounds are replaced by zero before conversion to float32, which might round them up."""

SAFE = 2.0**100
"""Sums with magnitudes up to this are far from float32's largest number."""


class SecondGate:
    """Common truth and bound of z, a, s, δ and the loss of one step, in preallocated buffers."""

    def __init__(self, first_gate: FirstGate) -> None:
        self.first_gate, self.recorded = first_gate, first_gate.recorded
        layout = first_gate.recorded.layout
        samples = layout.samples.stop
        self.truth, self.bound = np.zeros(samples), np.zeros(samples)
        self.T, self.B = layout.views(self.truth), layout.views(self.bound)
        self._product = layout.views(np.zeros(samples, self.recorded.flat.dtype))
        self.ceilings = [0.0] * (layout.depth + 1)  # of each layer's plain B_a

    def evaluate(self, lr: float) -> bool:
        """Compute `truth` and `bound`; False if the plain path might be undecided somewhere."""
        depth = self.recorded.layout.depth
        excess = 0.0
        for l in range(1, depth + 1):
            found = self._forward(l, excess)
            if found is None:
                return False
            excess = found
        self._loss()
        for l in range(depth, 0, -1):
            self._backward(l)
        return self._bounded(lr)

    def _forward(self, l: int, excess: float) -> float | None:
        """Compute z and a of a layer; returns the excess of a's plain bound, None if that is too large."""
        first_gate, T, B, recorded = self.first_gate, self.T, self.B, self.recorded
        X, M, D = recorded.X, recorded.M, recorded.D
        W, b, below, z, a = f"W{l}", f"b{l}", ("x" if l == 1 else f"a{l - 1}"), f"z{l}", f"a{l}"
        k, slope, U = self.recorded.layout.shapes[W][1], first_gate.slopes[l - 1], first_gate.judge.unit
        Bz, carried = B[z], 0.0
        self._start(z)
        if l == 1:
            np.copyto(T[z], first_gate.T[z][0])  # same W, b and x as in the first gate
        else:
            np.matmul(T[below], X[W][0].T, out=T[z])
            T[z] += X[b][0].T
            self._carry(z, B[below], M[W][0].T)
            carried = self.ceilings[l - 1]
        # Bounds the terms left out of B_z by norms: w = ‖W‖∞, d = k max D; η terms are below `NORMAL`.
        (w, apart), peak, g = first_gate.norms[l], self.recorded.peaks[below], first_gate.judge.gamma(k + 1)
        d, d_b = k * apart / SCALE, float(D[b].max()) / SCALE
        highest = float(Bz.max())
        excess = w * (excess + 2 * g * carried + NORMAL) + d * (2 * carried + g * (peak + 2 * carried))
        if z not in first_gate.taken:
            excess += d * peak + d_b
        spare = 2 * (first_gate.margin + 1 - SHRINK)
        excess = (excess + g * d_b + NORMAL) * (1 + spare) + spare * highest
        if not highest + excess <= slope.steep_within:  # also for NaN
            return None
        if slope is SLOPES["relu"] and bool(np.any(np.abs(T[z]) <= Bz + excess)):
            return None  # possibly at a kink: the plain path decides, or counts it as undecided
        T[a][...] = slope.function(T[z])
        np.abs(slope.derivative(T[z], T[a]), out=B[a])
        B[a] *= Bz
        B[a] += slope.rounding(T[a], U)
        excess = slope.excess(excess, highest + excess, U)
        self.ceilings[l] = float(B[a].max()) + excess
        return excess

    def _start(self, name: str) -> None:
        """Start a bound with the first gate's terms: γ Σ|x||y|, and the products with D."""
        bound = self.B[name]
        np.copyto(bound, self.first_gate.B[name][0])
        if self.recorded.moved and name in self.first_gate.taken:
            product = np.multiply(self.first_gate.Q[name], self._sure() / SCALE, out=self._product[name])
            bound += product

    def _carry(self, name: str, bound: Floats, size: Floats) -> None:
        """Add the part of a bound carried through a product; in float32, rounded so as not to exceed it."""
        factor = bound * SCALE
        if self.recorded.large:
            factor = factor.astype(np.float32)
            factor[bound < NORMAL] = 0
        product = np.matmul(factor, size, out=self._product[name])
        product *= self._sure() / SCALE
        self.B[name] += product

    def _sure(self) -> float:
        return 1 - self.first_gate.margin

    def _loss(self) -> None:
        first_gate, T, B, depth = self.first_gate, self.T, self.B, self.recorded.layout.depth
        U, n, top, a, a_bound = (
            first_gate.judge.unit,
            first_gate.n,
            f"s{depth}",
            T[f"a{depth}"],
            B[f"a{depth}"],
        )
        r = a - self.recorded.X["y"][0]
        np.multiply(2 / n, r, out=T[top])
        size = np.abs(T[top])
        np.multiply(2 / n, a_bound, out=B[top])
        T["loss"][...] = np.square(r, out=r).sum() / n
        B["loss"][...] = (first_gate.terms + 4) * U * T["loss"] + (size * a_bound).sum()
        size *= 4 * U
        B[top] += size

    def _backward(self, l: int) -> None:
        """Compute s and δ of a layer."""
        first_gate, X, M, T, B = self.first_gate, self.recorded.X, self.recorded.M, self.T, self.B
        U, slope, s, delta, a = (
            first_gate.judge.unit,
            first_gate.slopes[l - 1],
            f"s{l}",
            f"delta{l}",
            f"a{l}",
        )
        if l < first_gate.recorded.layout.depth:
            W, up = f"W{l + 1}", f"delta{l + 1}"
            np.matmul(T[up], X[W][0], out=T[s])
            self._start(s)
            self._carry(s, B[up], M[W][0])
        f_prime = np.asarray(slope.derivative(T[f"z{l}"], T[a]))
        np.multiply(T[s], f_prime, out=T[delta])
        size = np.abs(T[delta], out=B[delta])
        size *= U
        B[delta] += B[s] * np.abs(f_prime)
        if not slope.exact_slope:
            B[delta] += np.abs(T[s]) * slope.derivative_bound(T[a], f_prime, B[a], U)
        B[delta] += 2 * first_gate.judge.eta

    def _bounded(self, lr: float) -> bool:
        """Whether all magnitudes in the plain path's backward sweep are far below the largest float32.

        The magnitudes of s, δ, dW and W_next, bounds included, are bounded by crude norms: a slope with its
        bound is at most 2 within `steep_within`, and another factor 2 covers all other terms.
        """
        layout, peaks = self.recorded.layout, self.recorded.peaks
        depth, batch = layout.depth, layout.batch
        away = peaks[f"a{depth}"] + peaks["y"] + 2 * self.ceilings[depth] + 1
        size = largest = 4 * max(away, away * away * self.first_gate.terms)
        for l in range(depth, 0, -1):
            below = "x" if l == 1 else f"a{l - 1}"
            size *= 4
            gradient = 4 * batch * size * (peaks[below] + 2 * self.ceilings[l - 1] + 1)
            largest = max(largest, gradient, 4 * (abs(lr) + 1) * gradient + peaks[f"W{l}"] + peaks[f"b{l}"])
            rows = layout.shapes[f"W{l}"][0]
            size *= 4 * rows * (2 * peaks[f"W{l}"])
            largest = max(largest, size)
        return largest <= SAFE
