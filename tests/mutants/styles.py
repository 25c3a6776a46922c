"""Correct subjects in the styles in which people write them, each as the source of a file."""

from __future__ import annotations

from tests.check.test_hostile import GOOD

LOOPS = """
import math
import numpy as np


def f(name, z):
    if name == "sigmoid":
        return 1 / (1 + math.exp(-z))
    return {"tanh": math.tanh(z), "relu": max(z, 0.0), "identity": z}[name]


def slope(name, z, a):
    return {"sigmoid": a * (1 - a), "tanh": 1 - a * a, "relu": 1.0 if z > 0 else 0.0, "identity": 1.0}[name]


def step(W, b, x, y, lr, activation):
    L, m = len(W), x.shape[1]
    a, z = [x], []
    for l in range(L):
        rows, columns = W[l].shape
        z.append(np.zeros((rows, m)))
        a.append(np.zeros((rows, m)))
        for k in range(m):
            for i in range(rows):
                total = b[l][i, 0]
                for j in range(columns):
                    total += W[l][i, j] * a[l][j, k]
                z[l][i, k] = total
                a[l + 1][i, k] = f(activation[l], total)
    d = [np.zeros_like(t) for t in z]
    dW, db = [np.zeros_like(w) for w in W], [np.zeros_like(v) for v in b]
    for l in reversed(range(L)):
        for k in range(m):
            for i in range(len(z[l])):
                if l == L - 1:
                    s = 2 * (a[-1][i, k] - y[i, k]) / y.size
                else:
                    s = sum(W[l + 1][o, i] * d[l + 1][o, k] for o in range(len(W[l + 1])))
                d[l][i, k] = s * slope(activation[l], z[l][i, k], a[l + 1][i, k])
                db[l][i, 0] += d[l][i, k]
                for j in range(W[l].shape[1]):
                    dW[l][i, j] += d[l][i, k] * a[l][j, k]
    new_W = [w - lr * g for w, g in zip(W, dW)]
    new_b = [v - lr * g for v, g in zip(b, db)]
    return {"z": z, "a": a[1:], "delta": d, "dW": dW, "db": db, "W": new_W, "b": new_b}
"""

ROWS = """
import numpy as np

LAYOUT = "rows"
F = {"identity": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh,
     "relu": lambda z: np.where(z > 0, z, 0)}
D = {"identity": lambda a: 1, "sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a * a,
     "relu": lambda a: a > 0}


def step(W, b, x, y, lr, activation):
    z, a = [], [x]
    for w, v, name in zip(W, b, activation):
        z.append(a[-1] @ w + v)
        a.append(F[name](z[-1]))
    delta = 2 * (a[-1] - y) / y.size * D[activation[-1]](a[-1])
    deltas = [delta]
    for l in range(len(W) - 1, 0, -1):
        delta = delta @ W[l].T * D[activation[l - 1]](a[l])
        deltas.insert(0, delta)
    dW = [a[l].T @ d for l, d in enumerate(deltas)]
    db = [d.sum(axis=0) for d in deltas]
    return {"z": z, "a": a[1:], "loss": ((y - a[-1]) ** 2).mean(), "delta": deltas, "dW": dW, "db": db,
            "W": [w - lr * g for w, g in zip(W, dW)], "b": [v - lr * g for v, g in zip(b, db)]}
"""

TORCH = """
import numpy as np
import torch

F = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def step(W, b, x, y, lr, activation):
    W = [torch.tensor(w, requires_grad=True) for w in W]
    b = [torch.tensor(v, requires_grad=True) for v in b]
    a, z = torch.tensor(x), []
    for w, v, name in zip(W, b, activation):
        z.append(w @ a + v)
        z[-1].retain_grad()
        a = F[name](z[-1])
    loss = torch.nn.functional.mse_loss(a, torch.tensor(y))
    loss.backward()
    return {"z": [t.detach().numpy() for t in z], "loss": loss.item(), "delta": [t.grad.numpy() for t in z],
            "dW": [w.grad.numpy() for w in W], "db": [v.grad.numpy() for v in b]}
"""

PER_SAMPLE = GOOD.replace(
    "    dW = [d[l] @ a[l].T for l in range(L)]",
    "    dW = [np.zeros_like(w) for w in W]\n    for k in range(x.shape[1]):\n        for l in range(L):\n"
    "            dW[l] += np.outer(d[l][:, k], a[l][:, k])",
)
IN_PLACE = GOOD.replace(
    "    W = [W[l] - lr * dW[l] for l in range(L)]\n    b = [b[l] - lr * db[l] for l in range(L)]",
    "    for l in range(L):\n        W[l] -= lr * dW[l]\n        b[l] -= lr * db[l]",
)

STYLES = {
    "matrices": GOOD,
    "loops": LOOPS,
    "rows": ROWS,
    "einsum": GOOD.replace("W[l + 1].T @ d[l + 1]", 'np.einsum("oi,ok->ik", W[l + 1], d[l + 1])').replace(
        "d[l] @ a[l].T", 'np.einsum("ik,jk->ij", d[l], a[l])'
    ),
    "fused sigmoid": GOOD.replace("a * (1 - a))", "a - a * a)").replace("1 - a**2", "(1 - a) * (1 + a)"),
    "derivative from z": GOOD.replace("a * (1 - a))", "np.exp(-z) / (1 + np.exp(-z)) ** 2)").replace(
        "1 - a**2", "1 / np.cosh(z) ** 2"
    ),
    "in place": IN_PLACE,
    "per sample": PER_SAMPLE,
    "autograd of torch": TORCH,
    "gradients only": GOOD + "\nwhole = step\n\n\ndef step(*args):\n    r = whole(*args)\n"
    "    return {'dW': r['dW'], 'db': r['db']}\n",
}
