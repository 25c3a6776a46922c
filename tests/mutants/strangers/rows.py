"""Rows, with a stable sigmoid, and lists built backwards."""

import numpy as np

LAYOUT = "rows"


def sigmoid(v):
    e = np.exp(-np.abs(v))
    return np.where(v >= 0, 1 / (1 + e), e / (1 + e))


def activate(v, kind):
    if kind == "sigmoid":
        return sigmoid(v)
    if kind == "tanh":
        return np.tanh(v)
    if kind == "relu":
        return v * (v > 0)
    return v


def slope(v, kind):
    if kind == "sigmoid":
        s = sigmoid(v)
        return s * (1 - s)
    if kind == "tanh":
        t = np.tanh(v)
        return 1 - t * t
    if kind == "relu":
        return (v > 0) * 1.0
    return np.ones_like(v)


def step(W, b, x, y, lr, activation):
    zs, outs = [], [x]
    h = x
    for w, c, kind in zip(W, b, activation):
        z = np.dot(h, w) + c
        h = activate(z, kind)
        zs.append(z)
        outs.append(h)
    batch, outputs = y.shape
    diff = h - y
    loss = np.mean(np.square(diff))
    grad = 2 * diff / (batch * outputs)
    deltas, dW, db = [], [], []
    for k in reversed(range(len(W))):
        delta = grad * slope(zs[k], activation[k])
        deltas.insert(0, delta)
        dW.insert(0, np.dot(outs[k].T, delta))
        db.insert(0, delta.sum(axis=0))
        grad = np.dot(delta, W[k].T)
    new_W = [w - lr * g for w, g in zip(W, dW)]
    new_b = [c - lr * g for c, g in zip(b, db)]
    return {
        "z": zs,
        "a": outs[1:],
        "loss": loss,
        "delta": deltas,
        "dW": dW,
        "db": db,
        "W": new_W,
        "b": new_b,
    }
