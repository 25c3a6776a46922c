"""Correct subjects in the styles in which people write them, each as the source of a file.

`STYLES` keep to double precision where nobody asked; `EVERYWHERE` are right in both formats, and
`in_rows` makes of each one that works in rows.
"""

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

CLEAN = GOOD.replace("(z > 0) * 1.0", "(z > 0).astype(z.dtype)")
"""The plain one, in whatever format it is given."""

UPDATE = "    W = [W[l] - lr * dW[l] for l in range(L)]\n    b = [b[l] - lr * db[l] for l in range(L)]\n"
GRADIENTS = (
    "    dW = [d[l] @ a[l].T for l in range(L)]\n"
    "    db = [d[l].sum(axis=1, keepdims=True) for l in range(L)]\n"
)
ANSWER = CLEAN[CLEAN.index("    return {") :]


def edited(*edits: tuple[str, str], source: str = CLEAN) -> str:
    """A source with some of its lines written otherwise."""
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new)
    return source


def after(code: str, source: str = CLEAN) -> str:
    """A source with code after its right answer `r`."""
    return f"{source}\n\nplain = step\n\n\ndef step(W, b, x, y, lr, activation):\n{code}"


def update(code: str) -> str:
    return edited((UPDATE, code))


def gradients(code: str) -> str:
    return edited((GRADIENTS, code))


def activations(**functions: str) -> str:
    """With other definitions of the functions and their slopes."""
    source = CLEAN
    for name, definition in functions.items():
        begin = source.index(f'    "{name}": (')
        end = source.index("\n", begin)
        source = source[:begin] + f'    "{name}": ({definition}),' + source[end:]
    return source


def in_rows(source: str) -> str:
    """The same, with a sample in each row."""
    return (
        source
        + """

import numpy as np

columns = step
LAYOUT = "rows"


def step(W, b, x, y, lr, activation):
    def T(t):
        t = np.array(t, x.dtype) if isinstance(t, list) else t
        return (t.detach().numpy() if hasattr(t, "detach") else t).T

    W, b = [w.T.copy() for w in W], [v[:, None].copy() for v in b]
    r = columns(W, b, x.T.copy(), y.T.copy(), lr, activation)
    shown = {k: [T(t) for t in r[k]] for k in ("z", "a", "delta", "dW", "W") if k in r}
    shown |= {k: [T(t)[0] for t in r[k]] for k in ("db", "b") if k in r}
    return shown | ({"loss": r["loss"]} if "loss" in r else {})
"""
    )


PER_SAMPLE = GOOD.replace(
    "    dW = [d[l] @ a[l].T for l in range(L)]",
    "    dW = [np.zeros_like(w) for w in W]\n    for k in range(x.shape[1]):\n        for l in range(L):\n"
    "            dW[l] += np.outer(d[l][:, k], a[l][:, k])",
)
IN_PLACE = GOOD.replace(
    "    W = [W[l] - lr * dW[l] for l in range(L)]\n    b = [b[l] - lr * db[l] for l in range(L)]",
    "    for l in range(L):\n        W[l] -= lr * dW[l]\n        b[l] -= lr * db[l]",
)

CLASSES = """
import numpy as np


class Layer:
    def __init__(self, W, b, name):
        self.W, self.b, self.name = W, b, name

    def forward(self, a):
        self.below = a
        self.z = self.W @ a + self.b
        self.a = getattr(self, self.name)()
        return self.a

    def sigmoid(self):
        return 1 / (1 + np.exp(-self.z))

    def tanh(self):
        return np.tanh(self.z)

    def relu(self):
        return np.where(self.z > 0, self.z, 0)

    def identity(self):
        return self.z.copy()

    def slope(self):
        a = self.a
        return {
            "sigmoid": lambda: a * (1 - a),
            "tanh": lambda: 1 - a * a,
            "relu": lambda: (a > 0).astype(a.dtype),
            "identity": lambda: np.ones_like(a),
        }[self.name]()

    def backward(self, s):
        self.delta = s * self.slope()
        self.dW = self.delta @ self.below.T
        self.db = self.delta.sum(1, keepdims=True)
        return self.W.T @ self.delta

    def update(self, lr):
        self.W = self.W - lr * self.dW
        self.b = self.b - lr * self.db


def step(W, b, x, y, lr, activation):
    layers = [Layer(*three) for three in zip(W, b, activation)]
    a = x
    for layer in layers:
        a = layer.forward(a)
    s = 2 * (a - y) / a.size
    for layer in reversed(layers):
        s = layer.backward(s)
    for layer in layers:
        layer.update(lr)
    shown = {k: [getattr(layer, k) for layer in layers] for k in ("z", "a", "delta", "dW", "db", "W", "b")}
    return shown | {"loss": ((a - y) ** 2).mean()}
"""

TAPE = """
import numpy as np


class Value:
    def __init__(self, data, parents=(), pull=lambda g: ()):
        self.data, self.parents, self.pull, self.grad = data, parents, pull, 0

    def __matmul__(self, other):
        return Value(self.data @ other.data, (self, other), lambda g: (g @ other.data.T, self.data.T @ g))

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), lambda g: (g, g.sum(1, keepdims=True)))

    def apply(self, name):
        z = self.data
        if name == "sigmoid":
            a = 1 / (1 + np.exp(-z))
            return Value(a, (self,), lambda g: (g * (a * (1 - a)),))
        if name == "tanh":
            a = np.tanh(z)
            return Value(a, (self,), lambda g: (g * (1 - a * a),))
        if name == "relu":
            return Value(np.maximum(z, 0), (self,), lambda g: (g * (z > 0),))
        return Value(z, (self,), lambda g: (g,))


def back(root, seed):
    order, seen = [], set()

    def visit(v):
        if id(v) not in seen:
            seen.add(id(v))
            for parent in v.parents:
                visit(parent)
            order.append(v)

    visit(root)
    root.grad = seed
    for v in reversed(order):
        for parent, g in zip(v.parents, v.pull(v.grad)):
            parent.grad = parent.grad + g


def step(W, b, x, y, lr, activation):
    W, b, z, a = [Value(w) for w in W], [Value(v) for v in b], [], [Value(x)]
    for w, v, name in zip(W, b, activation):
        z.append(w @ a[-1] + v)
        a.append(z[-1].apply(name))
    r = a[-1].data - y
    back(a[-1], 2 * r / y.size)
    return {"z": [v.data for v in z], "a": [v.data for v in a[1:]], "loss": (r * r).mean(),
            "delta": [v.grad for v in z], "dW": [v.grad for v in W], "db": [v.grad for v in b],
            "W": [v.data - lr * v.grad for v in W], "b": [v.data - lr * v.grad for v in b]}
"""

RECURSIVE = """
import numpy as np

F = {"identity": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh,
     "relu": lambda z: z * (z > 0)}
D = {"identity": lambda z, a: a * 0 + 1, "sigmoid": lambda z, a: a * (1 - a), "tanh": lambda z, a: 1 - a**2,
     "relu": lambda z, a: np.where(z <= 0, 0, 1).astype(z.dtype)}
KEYS = ("z", "a", "delta", "dW", "db", "W", "b")


def descend(W, b, names, below, y, lr):
    z = W[0] @ below + b[0]
    a = F[names[0]](z)
    if len(W) == 1:
        above, s = [], 2 / y.size * (a - y)
    else:
        above, s = descend(W[1:], b[1:], names[1:], a, y, lr)
    delta = s * (D[names[0]](z, a) if names[0] != "identity" else 1)
    dW, db = delta @ below.T, delta.sum(axis=1)[:, None]
    return [(z, a, delta, dW, db, W[0] - lr * dW, b[0] - lr * db), *above], W[0].T @ delta


def step(W, b, x, y, lr, activation):
    layers, _ = descend(W, b, activation, x, y, lr)
    return {key: list(values) for key, values in zip(KEYS, zip(*layers))}
"""

TORCH_BY_HAND = """
import torch

F = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
     "relu": lambda z: z.clamp(min=0)}
D = {"identity": lambda z, a: torch.ones_like(z), "sigmoid": lambda z, a: a * (1 - a),
     "tanh": lambda z, a: 1 - a.square(), "relu": lambda z, a: (z > 0).to(z.dtype)}


def step(W, b, x, y, lr, activation):
    W, b = [torch.from_numpy(w) for w in W], [torch.from_numpy(v) for v in b]
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    z, a = [], [x]
    for w, v, name in zip(W, b, activation):
        z.append(torch.addmm(v, w, a[-1]))
        a.append(F[name](z[-1]))
    delta = [2 * (a[-1] - y) / y.numel() * D[activation[-1]](z[-1], a[-1])]
    for l in range(len(W) - 2, -1, -1):
        delta.insert(0, W[l + 1].T @ delta[0] * D[activation[l]](z[l], a[l + 1]))
    dW = [d @ below.T for d, below in zip(delta, a)]
    db = [d.sum(1, keepdim=True) for d in delta]
    return {"z": z, "a": a[1:], "loss": (a[-1] - y).square().mean(), "delta": delta, "dW": dW, "db": db,
            "W": [w - lr * g for w, g in zip(W, dW)], "b": [v - lr * g for v, g in zip(b, db)]}
"""

TORCH_MODULES = """
import torch
from torch import nn

F = {"identity": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


def step(W, b, x, y, lr, activation):
    model = nn.Sequential()
    for w, v, name in zip(W, b, activation):
        linear = nn.Linear(w.shape[1], w.shape[0])
        linear.weight.data, linear.bias.data = torch.from_numpy(w.copy()), torch.from_numpy(v[:, 0].copy())
        model += nn.Sequential(linear, F[name]())
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = nn.functional.mse_loss(model(torch.from_numpy(x.T.copy())), torch.from_numpy(y.T.copy()))
    loss.backward()
    dW = [layer.weight.grad.clone() for layer in model[::2]]
    db = [layer.bias.grad.clone()[:, None] for layer in model[::2]]
    optimizer.step()
    return {"loss": loss, "dW": dW, "db": db, "W": [layer.weight for layer in model[::2]],
            "b": [layer.bias[:, None] for layer in model[::2]]}
"""

AUGMENTED = """
import numpy as np

F = {"identity": (lambda z: z, lambda z: np.ones_like(z)), "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
     "sigmoid": (lambda z: 0.5 * (1 + np.tanh(z / 2)), lambda z: 0.25 * (1 - np.tanh(z / 2) ** 2)),
     "relu": (lambda z: np.maximum(0, z), lambda z: np.sign(np.maximum(0, z)))}


def one(a):
    return np.vstack([a, np.ones((1, a.shape[1]), a.dtype)])


def step(W, b, x, y, lr, activation):
    M = [np.hstack(pair) for pair in zip(W, b)]
    z, a = [], [one(x)]
    for m, name in zip(M, activation):
        z.append(m.dot(a[-1]))
        a.append(one(F[name][0](z[-1])))
    d = [(a[-1][:-1] - y) * 2 / y.size * F[activation[-1]][1](z[-1])]
    for l in range(len(M) - 2, -1, -1):
        d.insert(0, M[l + 1][:, :-1].T.dot(d[0]) * F[activation[l]][1](z[l]))
    G = [delta.dot(below.T) for delta, below in zip(d, a)]
    N = [m - lr * g for m, g in zip(M, G)]
    return {"z": z, "a": [t[:-1] for t in a[1:]], "delta": d, "dW": [g[:, :-1] for g in G],
            "db": [g[:, -1:] for g in G], "W": [n[:, :-1] for n in N], "b": [n[:, -1:] for n in N]}
"""

PLAIN_LISTS = """
import math


def f(name, z):
    if name == "sigmoid":
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))
    return {"tanh": math.tanh(z), "relu": max(z, 0.0), "identity": z}[name]


def slope(name, z, a):
    return {"sigmoid": a * (1 - a), "tanh": 1 - a * a, "relu": 1.0 if z > 0 else 0.0, "identity": 1.0}[name]


def step(W, b, x, y, lr, activation):
    W, b, x, y = [w.tolist() for w in W], [v.tolist() for v in b], x.tolist(), y.tolist()
    m = range(len(x[0]))
    z, a = [], [x]
    for w, v, name in zip(W, b, activation):
        z.append([[math.fsum(p * q[k] for p, q in zip(row, a[-1])) + c[0] for k in m]
                  for row, c in zip(w, v)])
        a.append([[f(name, t) for t in row] for row in z[-1]])
    n = len(y) * len(y[0])
    s = [[2 * (p - q) / n for p, q in zip(*rows)] for rows in zip(a[-1], y)]
    delta = []
    for l in reversed(range(len(W))):
        rows = zip(s, z[l], a[l + 1])
        delta.insert(0, [[t * slope(activation[l], u, v) for t, u, v in zip(*row)] for row in rows])
        s = [[math.fsum(W[l][o][i] * delta[0][o][k] for o in range(len(W[l]))) for k in m]
             for i in range(len(W[l][0]))]
    dW = [[[math.fsum(p * q for p, q in zip(d, c)) for c in below] for d in layer]
          for layer, below in zip(delta, a)]
    db = [[[math.fsum(d)] for d in layer] for layer in delta]
    moved = lambda P, G: [[[p - lr * g for p, g in zip(*r)] for r in zip(*layers)] for layers in zip(P, G)]
    return {"z": z, "a": a[1:], "delta": delta, "dW": dW, "db": db, "W": moved(W, dW), "b": moved(b, db)}
"""

ROUNDED = (
    "    given = {t}\n"
    "    r = plain([given(w) for w in W], [given(v) for v in b], given(x), given(y), lr, activation)\n"
    "    return {{k: x.dtype.type(v) if k == 'loss' else [t.astype(x.dtype) for t in v]"
    " for k, v in r.items()}}\n"
)
SHOWN = (
    "    r = plain(W, b, x, y, lr, activation)\n"
    "    return {{k: v if k == 'loss' else [{t} for t in v] for k, v in r.items()}}\n"
)
SAMPLES = "    for k in {order}:\n        for l in range(L):\n"

EVERYWHERE = {
    "matrices": CLEAN,
    "rows": ROWS,
    "loops": LOOPS.replace("np.zeros((rows, m))", "np.zeros((rows, m), x.dtype)"),
    "classes": CLASSES,
    "tape": TAPE,
    "recursion": RECURSIVE,
    "torch by hand": TORCH_BY_HAND,
    "torch modules": TORCH_MODULES,
    "autograd of torch": TORCH,
    "one matrix for W and b": AUGMENTED,
    "lists of lists": PLAIN_LISTS,
    # forms of f and f'
    "fused sigmoid": activations(sigmoid="lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a - a * a"),
    "factored tanh": activations(tanh="np.tanh, lambda z, a: (1 - a) * (1 + a)"),
    "sech": activations(tanh="np.tanh, lambda z, a: 1 / np.cosh(z) ** 2"),
    "sigmoid by tanh": activations(
        sigmoid="lambda z: 0.5 * (1 + np.tanh(z / 2)), lambda z, a: 0.25 * (1 - np.tanh(z / 2) ** 2)"
    ),
    "stable sigmoid": activations(
        sigmoid="lambda z: np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / "
        "(1 + np.exp(-np.abs(z)))), lambda z, a: a * (1 - a)"
    ),
    "tanh by sigmoid": activations(tanh="lambda z: 2 / (1 + np.exp(-2 * z)) - 1, lambda z, a: 1 - a * a"),
    "relu by product": activations(relu="lambda z: z * (z > 0), lambda z, a: (a > 0).astype(z.dtype)"),
    "relu by absolute value": activations(
        relu="lambda z: (np.abs(z) + z) / 2, lambda z, a: np.heaviside(z, z.dtype.type(0))"
    ),
    "relu by clip": activations(
        relu="lambda z: z.clip(0), lambda z, a: np.where(z <= 0, 0, 1).astype(z.dtype)"
    ),
    "slope from z alone": activations(
        sigmoid="lambda z: 1 / (1 + np.exp(-z)), "
        "lambda z, a: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))",
        tanh="np.tanh, lambda z, a: 1 - np.tanh(z) ** 2",
    ),
    "mask in place": edited(
        (
            "    dW = [",
            "    for l in range(L):\n        if activation[l] == 'relu':\n"
            "            d[l][z[l] <= 0] = 0\n    dW = [",
        )
    ),
    # orders of products and sums
    "einsum": edited(
        ("W[l + 1].T @ d[l + 1]", 'np.einsum("oi,ok->ik", W[l + 1], d[l + 1])'),
        ("d[l] @ a[l].T", 'np.einsum("ik,jk->ij", d[l], a[l])'),
        ("W[l] @ a[-1] + b[l]", 'np.einsum("ij,jk->ik", W[l], a[-1]) + b[l]'),
    ),
    "tensordot": edited(("d[l] @ a[l].T", "np.tensordot(d[l], a[l], axes=(1, 1))")),
    "broadcast and sum": edited(("d[l] @ a[l].T", "(d[l][:, None, :] * a[l][None, :, :]).sum(axis=-1)")),
    "transposed twice": edited(
        ("d[l] @ a[l].T", "(a[l] @ d[l].T).T"), ("W[l] @ a[-1]", "(a[-1].T @ W[l].T).T")
    ),
    "ones for the bias": edited(
        ("d[l].sum(axis=1, keepdims=True)", "d[l] @ np.ones((x.shape[1], 1), x.dtype)")
    ),
    "blocks of the batch": edited(
        ("d[l] @ a[l].T for", "d[l][:, ::2] @ a[l][:, ::2].T + d[l][:, 1::2] @ a[l][:, 1::2].T for")
    ),
    "per sample gradients": gradients(
        "    dW, db = [0 * w for w in W], [0 * v for v in b]\n"
        + SAMPLES.format(order="range(x.shape[1])")
        + "            dW[l] += np.outer(d[l][:, k], a[l][:, k])\n            db[l] += d[l][:, [k]]\n"
    ),
    "mean of samples": gradients(
        "    m = x.shape[1]\n    dW, db = [0 * w for w in W], [0 * v for v in b]\n"
        + SAMPLES.format(order="range(m)")
        + "            dW[l] += np.outer(m * d[l][:, k], a[l][:, k]) / m\n"
        "            db[l] += m * d[l][:, [k]] / m\n"
    ),
    "diagonal Jacobian": edited(
        (
            "(W[l + 1].T @ d[l + 1]) * F[activation[l]][1](z[l], a[l + 1])",
            "np.stack([np.diag(c) @ s for c, s in zip(F[activation[l]][1](z[l], a[l + 1]).T, "
            "(W[l + 1].T @ d[l + 1]).T)], axis=1)",
        ),
    ),
    "two factors of the loss": edited(("2 / y.size * (a[-1] - y)", "-(y - a[-1]) / y.size * 2")),
    # the update
    "in place": update("    for l in range(L):\n        W[l] -= lr * dW[l]\n        b[l] -= lr * db[l]\n"),
    "accumulated into W": update(
        SAMPLES.format(order="range(x.shape[1])")
        + "            W[l] -= lr * np.outer(d[l][:, k], a[l][:, k])\n"
        "            b[l] -= lr * d[l][:, [k]]\n"
    ),
    "accumulated backwards": update(
        SAMPLES.format(order="reversed(range(x.shape[1]))")
        + "            W[l] -= np.outer(lr * d[l][:, k], a[l][:, k])\n"
        "            b[l] += -lr * d[l][:, [k]]\n"
    ),
    "a mean accumulated into W": update(
        "    m = x.shape[1]\n"
        + SAMPLES.format(order="range(m)")
        + "            W[l] -= lr / m * np.outer(m * d[l][:, k], a[l][:, k])\n"
        "            b[l] -= lr / m * (m * d[l][:, [k]])\n"
    ),
    "two half steps": update(
        "    W = [(W[l] - lr * dW[l] / 2) - lr * dW[l] / 2 for l in range(L)]\n"
        "    b = [(b[l] - lr * db[l] / 2) - lr * db[l] / 2 for l in range(L)]\n"
    ),
    "η in δ": update(
        "    W = [W[l] - (lr * d[l]) @ a[l].T for l in range(L)]\n"
        "    b = [b[l] - (lr * d[l]).sum(axis=1, keepdims=True) for l in range(L)]\n"
    ),
    "η in a": update(
        "    W = [W[l] - d[l] @ (lr * a[l]).T for l in range(L)]\n"
        "    b = [b[l] - db[l] * lr for l in range(L)]\n"
    ),
    "minus η": update(
        "    W = [W[l] + -lr * dW[l] for l in range(L)]\n    b = [-(lr * db[l] - b[l]) for l in range(L)]\n"
    ),
    "out": update(
        "    for P, G in ((W, dW), (b, db)):\n        for p, g in zip(P, G):\n"
        "            np.subtract(p, np.multiply(g, p.dtype.type(lr)), out=p)\n"
    ),
    # formats and shapes of what is shown
    "longdouble inside": after(ROUNDED.format(t="lambda t: t.astype(np.longdouble)")),
    "double inside": after(ROUNDED.format(t="lambda t: t.astype(np.float64)")),
    "double inside, accumulated": after(
        ROUNDED.format(t="lambda t: t.astype(np.float64)"),
        update(
            SAMPLES.format(order="range(x.shape[1])")
            + "            W[l] -= lr * np.outer(d[l][:, k], a[l][:, k])\n"
            "            b[l] -= lr * d[l][:, [k]]\n"
        ),
    ),
    "big endian": after(SHOWN.format(t="t.astype(t.dtype.newbyteorder('>'))")),
    "Fortran order": after(SHOWN.format(t="np.asfortranarray(t)")),
    "views with strides": after(SHOWN.format(t="np.repeat(np.repeat(t, 2, 0), 3, 1)[::2, ::3]")),
    "reversed views": after(SHOWN.format(t="t[::-1, ::-1].copy()[::-1, ::-1]")),
    "np.matrix": after(SHOWN.format(t="np.asmatrix(t)")),
    "lists": after(SHOWN.format(t="t.tolist()")),
    "tensors of torch": after(
        "    import torch\n" + SHOWN.format(t="torch.from_numpy(t.copy()).requires_grad_()")
    ),
    "masked arrays": after(SHOWN.format(t="np.ma.masked_array(t)")),
    "tuples": after(
        "    r = plain(W, b, x, y, lr, activation)\n"
        "    return {k: v if k == 'loss' else tuple(v) for k, v in r.items()}\n"
    ),
    # what is shown of it
    "gradients only": after(
        "    r = plain(W, b, x, y, lr, activation)\n    return {'dW': r['dW'], 'db': r['db']}\n"
    ),
    "new parameters only": after(
        "    r = plain(W, b, x, y, lr, activation)\n    return {'W': r['W'], 'b': r['b']}\n"
    ),
    "all but δ": after("    r = plain(W, b, x, y, lr, activation)\n    del r['delta']\n    return r\n"),
    "no z": after("    r = plain(W, b, x, y, lr, activation)\n    del r['z']\n    return r\n"),
    "threads": edited(
        (
            "    dW = [d[l] @ a[l].T for l in range(L)]",
            "    from concurrent.futures import ThreadPoolExecutor\n"
            "    with ThreadPoolExecutor(2) as pool:\n"
            "        dW = list(pool.map(lambda l: d[l] @ a[l].T, range(L)))",
        ),
    ),
}
"""Right in both formats."""

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
