"""A learner's backprop with a slip in it, which shows its gradients and its update, and nothing else."""

import numpy as np

F = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
SLOPE = {
    "identity": lambda a: np.ones_like(a),
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "relu": lambda a: (a > 0) * 1.0,
}


def step(W, b, x, y, lr, activation):
    layers = range(len(W))
    a = [x]
    for l in layers:
        a.append(F[activation[l]](W[l] @ a[-1] + b[l]))
    delta = 2 / y.size * (a[-1] - y) * SLOPE[activation[-1]](a[-1])
    dW, db = [], []
    for l in reversed(layers):
        dW.insert(0, delta @ a[l].T)
        db.insert(0, delta.sum(axis=1, keepdims=True))
        delta = W[l].T @ delta
    return {
        "dW": dW,
        "db": db,
        "W": [W[l] - lr * dW[l] for l in layers],
        "b": [b[l] - lr * db[l] for l in layers],
    }
