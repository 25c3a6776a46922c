"""The second gate, cheaply: one step in bounded arithmetic from where the two sides stand.

Written out for layered networks: value T and bound B of each tensor, from ours, with the measured
difference to theirs as the parameters' bound. The terms are the plain path's, second-order ones
left out; sums of products of non-negative numbers are taken in part, where they are long.
"""

from __future__ import annotations

import numpy as np

from parity.cheap.layout import Floats
from parity.cheap.local import PART, Local, part
from parity.cheap.slopes import SLOPES


class Together:
    """Truth and bound of one step from both sides' start, in buffers that are kept."""

    def __init__(self, local: Local) -> None:
        self.local = local
        layout = local.layout
        size = layout.made.stop
        self.truth, self.bound = np.zeros(size), np.zeros(size)
        self.X, self.M = layout.views(local.flat[0]), layout.views(local.size[0])
        self.apart, self.reach = np.zeros(layout.size), np.zeros(layout.size)  # B_W, and |W| + B_W
        self.D, self.R = layout.views(self.apart), layout.views(self.reach)
        self.T = {name: layout.segments[name].of(self.truth) for name in layout.judged}
        self.B = {name: layout.segments[name].of(self.bound) for name in layout.judged}

    def evaluate(self) -> bool:
        """Fill `truth` and `bound`; False where a ReLU's sign may not be told: the plain path counts it."""
        local, layout, T, B = self.local, self.local.layout, self.T, self.B
        U, gamma, batch, depth = local.judge.unit, local.judge.gamma, layout.batch, layout.depth
        now = layout.block("parameters")
        flat, apart, reach = local.flat, self.apart, self.reach
        np.subtract(flat[0, now], flat[1, now], out=apart[now])
        np.abs(apart[now], out=apart[now])
        np.add(local.size[0, now], apart[now], out=reach[now])
        X, M, D, R = self.X, self.M, self.D, self.R

        a, a_size, a_bound = X["x"], M["x"], None
        spread: dict[int, tuple[Floats, Floats, Floats | None]] = {0: (a, a_size, None)}
        for l in range(1, depth + 1):
            W, z, Bz = f"W{l}", T[f"z{l}"], B[f"z{l}"]
            k = X[W].shape[1]
            some = part(k)
            if l == 1:
                np.copyto(z, local.T["z1"][0])  # the same W, b and x: the first gate has it
            else:
                np.matmul(a, X[W].T, out=z)
                z += X[f"b{l}"].T
            g = gamma(k + 1)
            wide = D[W][:, some] + g * R[W][:, some]
            np.matmul(a_size[:, some], wide.T, out=Bz)
            if a_bound is not None:
                Bz += a_bound[:, some] @ M[W][:, some].T
            Bz += (D[f"b{l}"] + g * R[f"b{l}"]).T
            if not Bz.max() <= 1:
                return False  # so loose that the plain path may not be able to tell: let it say so
            slope, T_a, B_a = local.slopes[l - 1], T[f"a{l}"], B[f"a{l}"]
            T_a[...] = slope.function(z)
            f_prime = slope.derivative(z, T_a)
            near = 2 * PART  # the plain path's bound is at most so many times this one
            if slope is SLOPES["relu"] and bool(np.any(np.abs(z) <= near * Bz)):
                return False  # perhaps at a kink: the plain path decides, and counts what it cannot
            np.multiply(Bz, np.abs(f_prime), out=B_a)
            B_a += slope.rounding(T_a, U)
            a, a_bound = T_a, B_a
            a_size = np.abs(T_a) + B_a
            spread[l] = (a, a_size, B_a)
        self._loss(X["y"], spread[depth])
        for l in range(depth, 0, -1):
            if l < depth:
                W, up = f"W{l + 1}", f"delta{l + 1}"
                k = X[W].shape[0]
                some, g = part(k), gamma(k)
                np.matmul(T[up], X[W], out=T[f"s{l}"])
                up_size = np.abs(T[up][:, some]) + B[up][:, some]
                np.matmul(up_size, D[W][some] + g * R[W][some], out=B[f"s{l}"])
                B[f"s{l}"] += B[up][:, some] @ M[W][some]
            self._delta(l, U)
        for l in range(1, depth + 1):
            self._gradients(l, spread[l - 1], part(batch), gamma(batch), gamma(batch - 1))
        self._update(flat[0, now], apart[now], U)
        return True

    def _loss(self, y: Floats, output: tuple[Floats, Floats, Floats | None]) -> None:
        local, T, B, top = self.local, self.T, self.B, f"s{self.local.layout.depth}"
        a, _, a_bound = output
        U, n = local.judge.unit, local.n
        r = a - y
        T["loss"][...] = np.square(r).sum() / n
        B["loss"][...] = (local.terms + 4) * U * T["loss"]
        np.multiply(2 / n, r, out=T[top])
        np.multiply(4 * U, np.abs(T[top]), out=B[top])
        if a_bound is not None:
            B["loss"] += 2 / n * (np.abs(r) * a_bound).sum()
            B[top] += 2 / n * a_bound

    def _delta(self, l: int, U: float) -> None:
        T, B, slope = self.T, self.B, self.local.slopes[l - 1]
        s, s_bound, a, a_bound = T[f"s{l}"], B[f"s{l}"], T[f"a{l}"], B[f"a{l}"]
        f_prime = np.asarray(slope.derivative(T[f"z{l}"], a))
        delta, bound = T[f"delta{l}"], B[f"delta{l}"]
        np.multiply(s, f_prime, out=delta)
        np.multiply(s_bound, np.abs(f_prime), out=bound)
        bound += U * np.abs(delta)
        if not slope.exact_slope:
            bound += np.abs(s) * slope.derivative_bound(a, f_prime, a_bound, U)
        bound += 2 * self.local.judge.eta

    def _gradients(
        self, l: int, below: tuple[Floats, Floats, Floats | None], some: slice, g: float, g_sum: float
    ) -> None:
        T, B = self.T, self.B
        delta, bound = T[f"delta{l}"], B[f"delta{l}"]
        a, a_size, a_bound = below
        delta_size = np.abs(delta) + bound
        np.matmul(delta.T, a, out=T[f"dW{l}"])
        np.matmul((bound[some] + g * delta_size[some]).T, a_size[some], out=B[f"dW{l}"])
        if a_bound is not None:
            B[f"dW{l}"] += np.abs(delta[some]).T @ a_bound[some]
        T[f"db{l}"][:, 0] = delta.sum(axis=0)
        B[f"db{l}"][:, 0] = bound.sum(axis=0) + g_sum * delta_size.sum(axis=0)

    def _update(self, parameters: Floats, apart: Floats, U: float) -> None:
        local = self.local
        gradients, after = local.layout.block("gradients"), local.layout.block("next")
        truth, bound, lr = self.truth[after], self.bound[after], abs(local.lr)
        np.multiply(-local.lr, self.truth[gradients], out=truth)
        truth += parameters
        np.multiply(lr, self.bound[gradients], out=bound)
        bound += apart
        size = np.abs(self.truth[gradients])
        size *= local.lr_bound + U * lr
        bound += size
        np.abs(truth, out=size)
        size *= U
        bound += size
        bound += 2 * local.judge.eta
