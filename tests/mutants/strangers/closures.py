"""A tape: every operation leaves behind how to go back through it."""

import numpy as np


def sigmoid(z):
    a = 1 / (1 + np.exp(-z))
    return a, lambda g: g * a * (1 - a)


def tanh(z):
    a = np.tanh(z)
    return a, lambda g: g * (1 - a * a)


def relu(z):
    keep = z > 0
    return z * keep, lambda g: g * keep


def identity(z):
    return z, lambda g: g


def linear(w, c, h):
    def back(g):
        return w.T @ g, g @ h.T, g.sum(axis=1, keepdims=True)

    return w @ h + c, back


def squared(h, y):
    error = h - y
    return (error**2).sum() / error.size, lambda: 2 * error / error.size


def step(W, b, x, y, lr, activation):
    functions = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu, "identity": identity}
    zs, outs, tape = [], [], []
    h = x
    for w, c, name in zip(W, b, activation):
        z, back_linear = linear(w, c, h)
        h, back_function = functions[name](z)
        zs.append(z)
        outs.append(h)
        tape.append((back_linear, back_function))
    loss, back_loss = squared(h, y)
    g = back_loss()
    deltas, dW, db = [], [], []
    while tape:
        back_linear, back_function = tape.pop()
        delta = back_function(g)
        g, w_grad, b_grad = back_linear(delta)
        deltas.append(delta)
        dW.append(w_grad)
        db.append(b_grad)
    deltas, dW, db = deltas[::-1], dW[::-1], db[::-1]
    W = [w - lr * g for w, g in zip(W, dW)]
    b = [c - lr * g for c, g in zip(b, db)]
    return {"z": zs, "a": outs, "loss": loss, "delta": deltas, "dW": dW, "db": db, "W": W, "b": b}
