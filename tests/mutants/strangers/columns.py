"""Columns, in a dictionary of lists."""

import numpy as np

F = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: np.tanh(z),
    "relu": lambda z: np.maximum(z, 0),
    "identity": lambda z: z,
}
F_PRIME = {
    "sigmoid": lambda z, a: a * (1 - a),
    "tanh": lambda z, a: 1 - a**2,
    "relu": lambda z, a: np.where(z > 0, 1.0, 0.0),
    "identity": lambda z, a: np.ones(z.shape),
}


def forward(W, b, x, activation):
    cache = {"z": [], "a": [x]}
    for l in range(len(W)):
        z = W[l] @ cache["a"][l] + b[l]
        cache["z"].append(z)
        cache["a"].append(F[activation[l]](z))
    return cache


def backward(W, cache, y, activation):
    L = len(W)
    z, a = cache["z"], cache["a"]
    n = y.size
    grads = {"delta": [None] * L, "dW": [None] * L, "db": [None] * L}
    error = 2 / n * (a[L] - y)
    for l in range(L - 1, -1, -1):
        delta = error * F_PRIME[activation[l]](z[l], a[l + 1])
        grads["delta"][l] = delta
        grads["dW"][l] = delta @ a[l].T
        grads["db"][l] = np.sum(delta, axis=1, keepdims=True)
        error = W[l].T @ delta
    return grads


def step(W, b, x, y, lr, activation):
    cache = forward(W, b, x, activation)
    y_hat = cache["a"][-1]
    loss = np.sum((y - y_hat) ** 2) / y.size
    grads = backward(W, cache, y, activation)
    new = {"W": [], "b": []}
    for l in range(len(W)):
        new["W"].append(W[l] - lr * grads["dW"][l])
        new["b"].append(b[l] - lr * grads["db"][l])
    return {"z": cache["z"], "a": cache["a"][1:], "loss": loss, **grads, **new}
