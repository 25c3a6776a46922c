"""A `step` with plants in it, that notes where they changed a bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.mutants.backprop import RIGHT, S
from tests.mutants.left_in import LEFT_IN
from tests.mutants.plants import PLANTS, Plant


def mutant(*plants: Plant, layout: str = "columns", layer: int | None = None) -> Callable:
    """A `step` with these plants in it, in every layer or only in one; none gives a correct one."""
    memory: dict[tuple, S] = {}
    changed: set[tuple] = set()

    def step(W, b, x, y, lr, activation):
        rows = layout == "rows"
        if rows:
            W, x, y = [w.T for w in W], x.T, y.T
            b = [v.reshape(-1, 1) for v in b]
        key = (tuple(w.shape for w in W), x.shape, tuple(activation))
        s = _step(W, b, x, y, lr, activation, memory.get(key))
        memory[key] = s
        shown = {
            "z": [s.z[l] for l in range(1, s.L + 1)],
            "a": [s.a[l] for l in range(1, s.L + 1)],
            "loss": s.loss,
            "delta": [s.delta[l] for l in range(1, s.L + 1)],
            "dW": [s.dW[l] for l in range(1, s.L + 1)],
            "db": [s.db[l] for l in range(1, s.L + 1)],
            "W": s.new_W,
            "b": s.new_b,
        }
        if rows:
            for name in ("z", "a", "delta", "dW", "W"):
                shown[name] = [v.T for v in shown[name]]
            for name in ("db", "b"):
                shown[name] = [v[:, 0] if v.shape[1] == 1 else v.T for v in shown[name]]
        return shown

    def hand(formula: str, s: S):
        right = RIGHT[formula](s)
        for plant in plants:
            if plant[1] == formula and layer in (None, s.l):
                planted = (PLANTS | LEFT_IN)[plant](s)
                if np.asarray(planted).tobytes() != np.asarray(right).tobytes():
                    changed.add((formula, s.l, tuple(s.names), s.x.shape))
                return planted
        return right

    def _step(W, b, x, y, lr, names, before):
        s = S(W, b, x, y, lr, names, before=before)
        s.a[0] = x
        for l in range(1, s.L + 1):
            s.l = l
            s.z[s.l] = hand("affine", s)
            s.a[s.l] = hand("activation", s)
        s.l = s.L
        s.loss = hand("loss", s)
        s.s[s.L] = 2 * (s.a[s.L] - s.y) / s.n
        s.delta[s.L] = hand("output_delta", s)
        for l in range(s.L - 1, 0, -1):
            s.l = l
            s.s[s.l] = s.w(s.l + 1).T @ s.delta[s.l + 1]
            s.delta[s.l] = hand("hidden_delta", s)
        for l in range(1, s.L + 1):
            s.l = l
            s.dW[s.l] = hand("weight_gradient", s)
            s.db[s.l] = hand("bias_gradient", s)
        s.new_W, s.new_b = [], []
        for l in range(1, s.L + 1):
            s.l = l
            shown_dW, shown_db = s.dW[s.l], s.db[s.l]
            if shown_dW.shape != s.w(s.l).shape:  # it would not run; what people do then is to repair it
                s.dW[s.l] = RIGHT["weight_gradient"](s)
            if shown_db.shape != s.bias(s.l).shape:
                s.db[s.l] = RIGHT["bias_gradient"](s)
            s.new_W.append(hand("weight_update", s))
            s.new_b.append(hand("bias_update", s))
            s.dW[s.l], s.db[s.l] = shown_dW, shown_db
        return s

    step.changed = changed
    return step
