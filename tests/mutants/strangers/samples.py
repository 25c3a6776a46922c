"""One sample at a time, gradients accumulated by outer products, errors taken back by einsum."""

import numpy as np


def act(kind, v):
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-v))
    if kind == "tanh":
        return (np.exp(2 * v) - 1) / (np.exp(2 * v) + 1)
    if kind == "relu":
        return np.maximum(0, v)
    return v


def act_slope(kind, v):
    if kind == "sigmoid":
        return act(kind, v) * (1 - act(kind, v))
    if kind == "tanh":
        return 1 - act(kind, v) ** 2
    if kind == "relu":
        return np.heaviside(v, 0)
    return np.ones(len(v))


def step(W, b, x, y, lr, activation):
    depth = len(W)
    outputs, batch = y.shape
    Z = [np.zeros((len(w), batch)) for w in W]
    A = [np.zeros((len(w), batch)) for w in W]
    D = [np.zeros((len(w), batch)) for w in W]
    dW = [np.zeros(w.shape) for w in W]
    db = [np.zeros(c.shape) for c in b]
    loss = 0.0
    for m in range(batch):
        h = x[:, m]
        for k in range(depth):
            v = np.einsum("ij,j->i", W[k], h) + b[k][:, 0]
            h = act(activation[k], v)
            Z[k][:, m] = v
            A[k][:, m] = h
        error = h - y[:, m]
        loss += np.sum(error**2) / (outputs * batch)
        back = 2 * error / (outputs * batch)
        for k in range(depth - 1, -1, -1):
            d = back * act_slope(activation[k], Z[k][:, m])
            below = x[:, m] if k == 0 else A[k - 1][:, m]
            dW[k] += np.outer(d, below)
            db[k][:, 0] += d
            D[k][:, m] = d
            back = np.einsum("oi,o->i", W[k], d)
    new_W = [W[k] - lr * dW[k] for k in range(depth)]
    new_b = [b[k] - lr * db[k] for k in range(depth)]
    return {"z": Z, "a": A, "loss": loss, "delta": D, "dW": dW, "db": db, "W": new_W, "b": new_b}
