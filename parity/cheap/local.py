"""The first gate, cheaply: every formula of both sides on its own recorded numbers, both sides at once.

Arrays are (2, …): ours, theirs. A sample is a row in here, as in memory, so z = a Wᵀ + b.
Each term of a bound is at most the plain path's; magnitudes of long sums are taken over part of
their terms, or by |Σ| ≤ Σ|·|, whichever is larger.
"""

from __future__ import annotations

import numpy as np

from parity.arithmetic import Arithmetic
from parity.cheap.layout import Floats, Layout
from parity.cheap.slopes import SLOPES
from reference.architecture import Architecture

PART, AT_LEAST, WHOLE_UP_TO = 8, 32, 48
"""Of a long sum, one term in PART is added up for its magnitude, and no fewer; a short one whole."""


def part(terms: int) -> slice:
    """Which of a sum's terms are added up for its magnitude: a part of them bounds it from below."""
    return slice(None) if terms <= WHOLE_UP_TO else slice(0, max(AT_LEAST, terms // PART))


def turned(x: Floats) -> Floats:
    """The transpose of each matrix of a stack."""
    return x.swapaxes(-1, -2)


class Local:
    """Truths and bounds of one step of both sides, in buffers that are kept."""

    def __init__(self, architecture: Architecture, layout: Layout, judge: Arithmetic, lr: float) -> None:
        self.layout, self.judge, self.lr = layout, judge, lr
        self.slopes = [SLOPES[f.name] for f in architecture.activations]
        self.n = architecture.n(layout.batch)
        self.terms = architecture.layers[-1] * layout.batch
        self.flat, self.size = np.zeros((2, layout.size)), np.zeros((2, layout.size))
        self.X, self.M = layout.views(self.flat), layout.views(self.size)  # numbers, magnitudes
        size = layout.made.stop
        self.truth, self.bound = np.zeros((2, size)), np.zeros((2, size))
        self.T, self.B = self._made(self.truth), self._made(self.bound)
        self._spare = np.zeros((2, size))
        self._spares = self._made(self._spare)
        rounded_lr = float(judge.dtype.type(lr))
        self.lr_bound = 0.0 if rounded_lr == lr else judge.u * abs(lr)

    def _made(self, flat: Floats) -> dict[str, Floats]:
        return {name: self.layout.segments[name].of(flat) for name in self.layout.judged}

    def evaluate(self) -> None:
        """Fill `truth` and `bound` from both sides' numbers `flat` and their magnitudes `size`."""
        layout, judge, T, B = self.layout, self.judge, self.T, self.B
        U, gamma, eta, batch = judge.unit, judge.gamma, judge.eta, layout.batch
        X, M = self.X, self.M
        depth = layout.depth
        for l in range(1, depth + 1):
            below, W = ("x" if l == 1 else f"a{l - 1}"), f"W{l}"
            k = X[W].shape[-1]
            some = part(k)
            b, b_size = turned(X[f"b{l}"]), turned(M[f"b{l}"])
            np.matmul(X[below], turned(X[W]), out=T[f"z{l}"])
            T[f"z{l}"] += b
            terms = np.matmul(M[below][..., some], turned(M[W][..., some]), out=B[f"z{l}"])
            terms += b_size
            self._close_sum(f"z{l}", gamma(k + 1), 2 * (k + 1) * eta, whole=some == slice(None))
        for l in range(1, depth + 1):
            slope = self.slopes[l - 1]
            T[f"a{l}"][...] = slope.function(X[f"z{l}"])
            B[f"a{l}"][...] = slope.rounding(T[f"a{l}"], U)
        r = X[f"a{depth}"] - X["y"]
        T["loss"][...] = np.square(r).sum(axis=(1, 2)) / self.n
        B["loss"][...] = (self.terms + 4) * U * T["loss"]
        np.multiply(2 / self.n, r, out=T[f"s{depth}"])
        np.multiply(4 * U, np.abs(T[f"s{depth}"]), out=B[f"s{depth}"])
        for l in range(depth, 0, -1):
            if l < depth:
                W, up = f"W{l + 1}", f"delta{l + 1}"
                k = X[W].shape[-2]
                some = part(k)
                np.matmul(X[up], X[W], out=T[f"s{l}"])
                np.matmul(M[up][..., some], M[W][:, some], out=B[f"s{l}"])
                self._close_sum(f"s{l}", gamma(k), 2 * k * eta, whole=some == slice(None))
            a, slope = X[f"a{l}"], self.slopes[l - 1]
            f_prime = slope.derivative(X[f"z{l}"], a)
            np.multiply(X[f"s{l}"], f_prime, out=T[f"delta{l}"])
            np.multiply(U, np.abs(T[f"delta{l}"]), out=B[f"delta{l}"])
            if not slope.exact_slope:
                B[f"delta{l}"] += M[f"s{l}"] * slope.derivative_bound(a, np.asarray(f_prime), 0.0, U)
            B[f"delta{l}"] += 2 * eta
        some = part(batch)
        for l in range(1, depth + 1):
            below, delta = ("x" if l == 1 else f"a{l - 1}"), f"delta{l}"
            np.matmul(turned(X[delta]), X[below], out=T[f"dW{l}"])
            np.matmul(turned(M[delta][:, some]), M[below][:, some], out=B[f"dW{l}"])
            self._close_sum(f"dW{l}", gamma(batch), 2 * batch * eta, whole=some == slice(None))
            T[f"db{l}"][..., 0] = X[delta].sum(axis=1)
            B[f"db{l}"][..., 0] = M[delta].sum(axis=1)
            self._close_sum(f"db{l}", gamma(batch - 1), 2 * (batch - 1) * eta, whole=True)
        self._update()

    def _close_sum(self, name: str, gamma: float, underflow: float, *, whole: bool) -> None:
        """γ Σ|terms| + underflows; of a sum taken in part, |Σ| may bound the magnitude better."""
        magnitude = self.B[name]
        if not whole:
            total = np.abs(self.T[name], out=self._spares[name])
            np.maximum(magnitude, total, out=magnitude)
        magnitude *= gamma
        magnitude += underflow

    def _update(self) -> None:
        """W − η g for all parameters at once: u|T| + u|η g|, once more for an η that is no float32."""
        layout, U, flat, size = self.layout, self.judge.unit, self.flat, self.size
        gradients, after, now = (layout.block(kind) for kind in ("gradients", "next", "parameters"))
        truth, bound = self.truth[:, after], self.bound[:, after]
        np.multiply(-self.lr, flat[:, gradients], out=truth)
        truth += flat[:, now]
        np.multiply(self.lr_bound + U * abs(self.lr), size[:, gradients], out=bound)
        size_of_truth = np.abs(truth, out=self._spare[:, after])
        size_of_truth *= U
        bound += size_of_truth
        bound += 2 * self.judge.eta
