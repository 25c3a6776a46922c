"""Mistakes and styles of a new draw: what was unnamed before, or told without its place, and silence."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from parity.check.cases import calls
from parity.check.in_process import own_subject
from parity.check.run import check
from tests.mutants.styles import CLEAN, GRADIENTS, UPDATE, edited, update
from tests.nightly import one_in

CALLS = calls()
KEY = "tuple(w.shape for w in W), x.shape, tuple(activation)"
HIDDEN = "(W[l + 1].T @ d[l + 1]) * F[activation[l]][1](z[l], a[l + 1])"
BIAS = "d[l].sum(axis=1, keepdims=True)"


def remembering(code: str) -> str:
    return CLEAN.replace("def step(", "KEPT = {}\n\n\ndef step(").replace(UPDATE, code)


MOMENTUM = remembering(
    f"    key = {KEY}\n    v = KEPT.get(key, [0] * L)\n"
    "    v = KEPT[key] = [0.9 * o + g for o, g in zip(v, dW)]\n"
    "    W = [W[l] - lr * v[l] for l in range(L)]\n    b = [b[l] - lr * db[l] for l in range(L)]\n"
)
SECOND_CALL = remembering(
    f"    key = {KEY}\n    KEPT[key] = KEPT.get(key, 0) + 1\n    lr = lr * (1 if KEPT[key] < 2 else 2)\n"
    + UPDATE
)
ALL_NORMS = (
    "    norm = np.sqrt(sum((g**2).sum() for g in dW + db))\n"
    "    dW, db = ([g / max(1, norm) for g in part] for part in (dW, db))\n"
)

TOLD = {
    "a velocity": (MOMENTUM, {"weight_update": "momentum-left-in"}, "You added 9/10 · ΔW(l)(t−1)."),
    "clipped together": (
        edited((GRADIENTS, GRADIENTS + ALL_NORMS)),
        dict.fromkeys(("weight_gradient", "bias_gradient"), "gradient-clipping-left-in"),
        "the norm of dW, db of all layers together is above 1.",
    ),
    "decay of W itself": (
        update(
            "    W = [(1 - 1e-3 * lr) * W[l] - lr * dW[l] for l in range(L)]\n"
            "    b = [b[l] - lr * db[l] for l in range(L)]\n"
        ),
        {"weight_update": "weight-decay-left-in"},
        "You subtracted 0.001·η · W(l).",
    ),
    "cross-entropy's gradient": (
        edited(("2 / y.size * (a[-1] - y)", "-(y / a[-1] - (1 - y) / (1 - a[-1]))")),
        {"output_delta": "wrong-loss"},
        "BCE",
    ),
    "the slope of the layer above": (
        edited((HIDDEN, HIDDEN.replace("F[activation[l]]", "F[activation[l + 1]]"))),
        {"hidden_delta": "wrong-derivative"},
        "f(l+1)′(z(l), a(l))",
    ),
    "whole targets": (
        edited(("    d = [None] * L\n", "    d = [None] * L\n    y = y.astype(int)\n")),
        dict.fromkeys(("loss", "output_delta"), "targets-changed"),
        "You used int(y)",
    ),
    "another step a layer": (
        edited(("W[l] - lr * dW[l]", "W[l] - lr / (1 + l) * dW[l]")),
        {"weight_update": "wrong-constant"},
        "There is a factor 1/l before",
    ),
    "at the second call": (
        SECOND_CALL,
        dict.fromkeys(("weight_update", "bias_update"), "wrong-constant"),
        "Only in later calls.",
    ),
    "of one output": (
        edited((BIAS, f"{BIAS} / (1 if len(y) > 1 else 2)")),
        {"bias_gradient": "wrong-constant"},
        "Only with a single output.",
    ),
    "of two samples": (
        edited((BIAS, f"(d[l][:, :1] if x.shape[1] == 2 else {BIAS})")),
        {"bias_gradient": "last-sample-only"},
        "Only with a batch of 2.",
    ),
    "half a slope, and no batch of two": (
        edited(("(z > 0)", "0.5 * (z > 0)")),
        dict.fromkeys(("output_delta", "hidden_delta"), "wrong-constant"),
        "Only where f is relu.",
    ),
    "a slope that is zero, and no other loss": (
        edited(("(z > 0)", "(z < 0)")),
        dict.fromkeys(("output_delta", "hidden_delta"), "wrong-threshold"),
        "[z(l) < 0]",
    ),
    "of deep networks": (
        edited(
            (HIDDEN, HIDDEN.replace("* F[", "* (1 if L > 3 else F[").replace("a[l + 1])", "a[l + 1]))"))
        ),
        {"hidden_delta": "missing-derivative"},
        "Only in some of the cases.",
    ),
}


def checked(source):
    module = ModuleType("stranger")
    sys.modules["stranger"] = module
    try:
        exec(compile(source, "stranger.py", "exec"), module.__dict__)
        return check(own_subject(module), CALLS)
    finally:
        del sys.modules["stranger"]


@pytest.mark.parametrize("what", one_in(3, TOLD))
def test_it_is_named_with_its_constant_and_its_place(what):
    source, names, said = TOLD[what]
    found = checked(source)
    wrong = {w.formula: w.diagnosis and w.diagnosis.mistake for w in found.result.wrong_formulas}
    assert wrong == names
    assert said in found.wrong[0].detail


def test_what_follows_from_a_gradient_of_another_shape_is_not_held_against_it():
    found = checked(edited((BIAS, "d[l].sum(axis=0, keepdims=True).T")))
    assert [w.formula for w in found.result.wrong_formulas].count("bias_gradient") == 1


def test_a_loss_in_brackets_is_a_number():
    assert (
        checked(edited(("np.mean((y - a[-1]) ** 2)", "[[np.mean((y - a[-1]) ** 2)]]"))).verdict == "match"
    )


RIGHT = {
    "recursive": """
import numpy as np


def act(name, z):
    return {"sigmoid": lambda: np.exp(-np.logaddexp(0, -z)), "tanh": lambda: np.tanh(z),
            "relu": lambda: (z + np.abs(z)) / 2, "identity": lambda: z}[name]()


def slope(name, a):
    return {"sigmoid": lambda: a * (1 - a), "tanh": lambda: 1 - a * a,
            "relu": lambda: (a > 0).astype(a.dtype), "identity": lambda: np.ones(a.shape, a.dtype)}[name]()


def step(W, b, x, y, lr, activation):
    L = len(W)
    out = {k: [None] * L for k in ("z", "a", "delta", "dW", "db", "W", "b")}

    def down(l, below):
        if l == L:
            return 2 * (below - y) / y.size
        z = W[l].dot(below) + b[l]
        a = act(activation[l], z)
        delta = down(l + 1, a) * slope(activation[l], a)
        out["z"][l], out["a"][l], out["delta"][l] = z, a, delta
        out["dW"][l], out["db"][l] = delta.dot(below.T), delta.sum(axis=1).reshape(-1, 1)
        out["W"][l], out["b"][l] = W[l] - lr * out["dW"][l], b[l] - lr * out["db"][l]
        return W[l].T.dot(delta)

    down(0, x)
    return out
""",
    "the bias as a column of W": """
import numpy as np


def on(a):
    return np.vstack([a, np.ones((1, a.shape[1]), a.dtype)])


def f(name, z):
    p = 1 / (1 + np.exp(-z))
    return {"sigmoid": (p, p * (1 - p)), "tanh": (np.tanh(z), 1 - np.tanh(z) * np.tanh(z)),
            "relu": (np.maximum(z, 0), np.asarray(z > 0, z.dtype)), "identity": (z, np.ones_like(z))}[name]


def step(W, b, x, y, lr, activation):
    theta, a, zs, slopes = [np.hstack(pair) for pair in zip(W, b)], [x], [], []
    for t, name in zip(theta, activation):
        zs.append(t @ on(a[-1]))
        out, s = f(name, zs[-1])
        a.append(out)
        slopes.append(s)
    delta = [2 / y.size * (a[-1] - y) * slopes[-1]]
    for t, s in zip(theta[:0:-1], slopes[-2::-1]):
        delta.insert(0, (t.T @ delta[0])[:-1] * s)
    grad = [d @ on(p).T for d, p in zip(delta, a)]
    new = [t - lr * g for t, g in zip(theta, grad)]
    return {"z": zs, "a": a[1:], "delta": delta,
            "dW": [g[:, :-1] for g in grad], "db": [g[:, -1:] for g in grad],
            "W": [t[:, :-1] for t in new], "b": [t[:, -1:] for t in new]}
""",
    "a matrix of slopes for each sample": """
import numpy as np


def f(name, v):
    return {"sigmoid": 1 / (1 + np.exp(-v)), "tanh": np.tanh(v), "relu": np.maximum(v, 0),
            "identity": v}[name]


def J(name, v):
    s = f(name, v)
    return np.diag({"sigmoid": s * (1 - s), "tanh": 1 - s**2, "relu": (v > 0).astype(v.dtype),
                    "identity": np.ones_like(v)}[name])


def step(W, b, x, y, lr, activation):
    L, (n, m) = len(W), y.shape
    Z = [np.empty((len(w), m), x.dtype) for w in W]
    A, D = [np.empty_like(z) for z in Z], [np.empty_like(z) for z in Z]
    for s in range(m):
        h = x[:, s]
        for l in range(L):
            Z[l][:, s] = W[l] @ h + b[l].ravel()
            h = A[l][:, s] = f(activation[l], Z[l][:, s])
        row = 2 * (h - y[:, s]) / (n * m)
        for l in reversed(range(L)):
            row = D[l][:, s] = row @ J(activation[l], Z[l][:, s])
            row = row @ W[l]
    dW = [sum(np.outer(d[:, s], p[:, s]) for s in range(m)) for d, p in zip(D, [x, *A])]
    db = [sum(d[:, s] for s in range(m))[:, np.newaxis] for d in D]
    return {"z": Z, "a": A, "delta": D, "dW": dW, "db": db, "W": [w - lr * g for w, g in zip(W, dW)],
            "b": [v - lr * g for v, g in zip(b, db)]}
""",
}


@pytest.mark.parametrize("style", RIGHT)
def test_a_style_of_the_draw_is_silent(style):
    result = checked(RIGHT[style]).result
    assert result.wrong_formulas == []
    assert result.verdict == "match"


def test_the_formula_that_runs_first_is_told_first_whatever_the_networks_in_which_each_shows():
    clipped = f"np.clip(W[l + 1].T @ d[l + 1], -0.5, 0.5) {HIDDEN.partition(')')[2]}"
    source = edited(
        (HIDDEN, clipped), ("2 / y.size * (a[-1] - y)", "np.clip(2 / y.size * (a[-1] - y), -0.5, 0.5)")
    )
    assert [w.formula for w in checked(source).result.wrong_formulas] == ["output_delta", "hidden_delta"]


def test_gradients_in_the_wrong_places_are_told_from_the_first_layer_on():
    source = edited(("    W = [W[l] -", "    db = db[-2::-1] + db[-1:]\n    W = [W[l] -"))
    told = [w.layers for w in checked(source).result.wrong_formulas if w.formula == "bias_gradient"]
    assert told == sorted(told)
