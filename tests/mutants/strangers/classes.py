"""A class for each layer, with methods; the error handed down as ∂L/∂a."""

import numpy as np


class Layer:
    def __init__(self, W, b, kind):
        self.W = W
        self.b = b
        self.kind = kind

    def forward(self, x):
        self.x = x
        self.z = self.W.dot(x) + self.b
        if self.kind == "sigmoid":
            self.a = 1.0 / (1.0 + np.exp(-self.z))
        elif self.kind == "tanh":
            self.a = np.tanh(self.z)
        elif self.kind == "relu":
            self.a = np.where(self.z > 0, self.z, 0)
        else:
            self.a = self.z
        return self.a

    def slope(self):
        if self.kind == "sigmoid":
            return self.a * (1.0 - self.a)
        if self.kind == "tanh":
            return 1.0 - np.power(self.a, 2)
        if self.kind == "relu":
            return (self.a > 0).astype(float)
        return 1.0

    def backward(self, grad):
        self.delta = grad * self.slope()
        self.dW = self.delta.dot(self.x.T)
        self.db = self.delta.sum(axis=1).reshape(-1, 1)
        return self.W.T.dot(self.delta)

    def update(self, lr):
        self.new_W = self.W - lr * self.dW
        self.new_b = self.b - lr * self.db


class Network:
    def __init__(self, W, b, activation):
        self.layers = [Layer(w, c, kind) for w, c, kind in zip(W, b, activation)]

    def train(self, x, y, lr):
        out = x
        for layer in self.layers:
            out = layer.forward(out)
        self.loss = ((out - y) ** 2).mean()
        grad = (out - y) * 2 / y.size
        for layer in self.layers[::-1]:
            grad = layer.backward(grad)
        for layer in self.layers:
            layer.update(lr)


def step(W, b, x, y, lr, activation):
    net = Network(W, b, activation)
    net.train(x, y, lr)
    shown = {"z": "z", "a": "a", "delta": "delta", "dW": "dW", "db": "db", "W": "new_W", "b": "new_b"}
    return {key: [getattr(layer, name) for layer in net.layers] for key, name in shown.items()} | {
        "loss": net.loss
    }
