"""What students leave behind that is in no catalogue: planted, with the name that should be read off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants.backprop import RIGHT, S
from tests.mutants.plants import Plant


def _gradient(change: Callable[[Any, S], Any]) -> Callable[[S], Any]:
    """The update of W with another gradient."""
    return lambda s: s.w(s.l) - s.lr * change(s.dW[s.l], s)


def _velocity(s):
    """W has moved by 0.9 of what it moved the last time, on top."""
    step = s.w(s.l) - s.lr * s.dW[s.l]
    return step - s.lr * 0.9 * s.before.dW[s.l] if s.before else step


def _slope(guess: Callable[[S], Any]) -> Callable[[S], Any]:
    return lambda s: s.s[s.l] * guess(s)


def _normalised(s):
    z = RIGHT["affine"](s)
    centred = z - z.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + z.dtype.type(1e-5))


def _dropped(s):
    a = RIGHT["activation"](s)
    keep = np.random.default_rng([len(s.W), s.l, s.batch]).random(a.shape) > 0.5
    return a * keep * a.dtype.type(2)


def _delta(error: Callable[[S], Any]) -> Callable[[S], Any]:
    return lambda s: 2 * error(s) / s.n * s.slope(s.z[s.L], s.a[s.L])


def _all_norms(s):
    """The norm of all gradients together, as `torch.nn.utils.clip_grad_norm_` has it."""
    return np.sqrt(sum((g**2).sum() for g in (*s.dW.values(), *s.db.values())))


LEFT_IN: dict[Plant, Callable[[S], Any]] = {
    ("momentum-left-in", "weight_update", ""): _velocity,
    ("weight-decay-left-in", "weight_update", "L2"): _gradient(lambda g, s: g + 0.01 * s.w(s.l)),
    ("weight-decay-left-in", "weight_update", "L1"): _gradient(lambda g, s: g + 0.01 * np.sign(s.w(s.l))),
    ("weight-decay-left-in", "weight_gradient", ""): lambda s: RIGHT["weight_gradient"](s) + 0.1 * s.w(s.l),
    ("gradient-clipping-left-in", "weight_update", "value"): _gradient(
        lambda g, s: np.clip(g, -0.05, 0.05)
    ),
    ("gradient-clipping-left-in", "weight_gradient", "value"): lambda s: np.clip(
        RIGHT["weight_gradient"](s), -0.01, 0.01
    ),
    ("gradient-clipping-left-in", "weight_update", "norm"): _gradient(
        lambda g, s: g * min(1, 0.1 / np.linalg.norm(g))
    ),
    ("gradient-clipping-left-in", "weight_update", "all norms"): _gradient(
        lambda g, s: g / max(1, _all_norms(s))
    ),
    ("gradient-clipping-left-in", "bias_update", "all norms"): lambda s: (
        s.bias(s.l) - s.lr * (s.db[s.l] * min(1.0, 5.0 / (_all_norms(s) + 1e-6)))
    ),
    ("weight-decay-left-in", "weight_update", "before"): lambda s: (
        s.w(s.l) * (1 - s.lr * 0.001) - s.lr * s.dW[s.l]
    ),
    ("normalised-gradient", "weight_update", ""): _gradient(lambda g, s: g / np.linalg.norm(g)),
    ("normalised-gradient", "weight_gradient", ""): lambda s: (
        RIGHT["weight_gradient"](s) / np.linalg.norm(RIGHT["weight_gradient"](s))
    ),
    ("sign-of-gradient", "weight_update", ""): _gradient(lambda g, s: np.sign(g)),
    ("adaptive-step", "weight_update", ""): _gradient(lambda g, s: g / (np.abs(g) + g.dtype.type(1e-8))),
    ("adaptive-step", "bias_update", ""): lambda s: (
        s.bias(s.l) - s.lr * s.db[s.l] / (np.sqrt(s.db[s.l] ** 2) + s.x.dtype.type(1e-6))
    ),
    ("dropout-left-in", "activation", ""): _dropped,
    ("batch-norm-left-in", "affine", ""): _normalised,
    ("epsilon-added", "output_delta", ""): _delta(lambda s: s.a[s.L] - s.y + s.x.dtype.type(0.001)),
    ("wrong-threshold", "hidden_delta", ""): _slope(
        lambda s: s.z[s.l] > 0.5 if s.names[s.l - 1] == "relu" else s.slope(s.z[s.l], s.a[s.l])
    ),
    ("wrong-loss", "loss", "L1"): lambda s: np.mean(np.abs(s.a[s.L] - s.y)),
    ("wrong-loss", "loss", "RMSE"): lambda s: np.sqrt(np.mean((s.a[s.L] - s.y) ** 2)),
    ("wrong-loss", "output_delta", "L1"): lambda s: (
        np.sign(s.a[s.L] - s.y) / s.n * s.slope(s.z[s.L], s.a[s.L])
    ),
    ("wrong-loss", "output_delta", "cross-entropy"): lambda s: (s.a[s.L] - s.y) / s.batch,
    ("wrong-loss", "output_delta", "BCE"): lambda s: (
        -(s.y / s.a[s.L] - (1 - s.y) / (1 - s.a[s.L])) / s.batch * s.slope(s.z[s.L], s.a[s.L])
    ),
    ("samples-permuted", "weight_gradient", ""): lambda s: s.delta[s.l] @ s.a[s.l - 1][:, ::-1].T,
    ("targets-changed", "output_delta", "rounded"): _delta(lambda s: s.a[s.L] - np.round(s.y)),
    ("targets-changed", "output_delta", "sorted"): _delta(lambda s: s.a[s.L] - np.sort(s.y, axis=1)),
    ("absolute-weights", "affine", ""): lambda s: np.abs(s.w(s.l)) @ s.a[s.l - 1] + s.bias(s.l),
    ("all-zero", "weight_gradient", ""): lambda s: np.zeros_like(s.w(s.l)),
    ("not-a-number", "bias_gradient", ""): lambda s: np.full_like(s.bias(s.l), np.nan),
    ("masked-by-sign", "hidden_delta", ""): lambda s: (
        RIGHT["hidden_delta"](s) * (RIGHT["hidden_delta"](s) > 0)
    ),
    ("wrong-operator", "hidden_delta", ""): lambda s: s.s[s.l] + s.slope(s.z[s.l], s.a[s.l]),
    ("wrong-operator", "weight_update", ""): lambda s: s.w(s.l) - s.lr / s.dW[s.l],
    ("wrong-index", "bias_gradient", ""): lambda s: np.roll(RIGHT["bias_gradient"](s), 1, axis=0),
    ("wrong-operand", "bias_update", ""): lambda s: s.bias(s.l) - s.lr * s.bias(s.l),
    ("term-added", "hidden_delta", ""): lambda s: RIGHT["hidden_delta"](s) + s.x.dtype.type(0.5) * s.z[s.l],
    ("shown-as-another", "weight_gradient", "W"): lambda s: s.w(s.l).copy(),
    ("input-clipped", "activation", ""): lambda s: s.act()(np.clip(s.z[s.l], -1, 1)),
}
"""By name, formula and variety, as in `tests.mutants.plants`."""
