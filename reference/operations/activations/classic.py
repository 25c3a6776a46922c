"""The standard activations sigmoid, tanh, ReLU and identity, written to compute in buffers.

Each f(z) is followed by f′, computed from z and a = f(z).
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, Scalar
from reference.operations.activations.activation import Activation


def identity(z: Array, out: Array | None = None) -> Array:
    return np.positive(z, out=out)


def identity_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return 1.0


def sigmoid(z: Array, out: Array | None = None) -> Array:
    e = np.exp(np.negative(z, out=out), out=out)  # e^−z; inf for very negative z, where σ is 0
    return np.reciprocal(np.add(1, e, out=out), out=out)


def sigmoid_derivative(z: Array, a: Array, out: Array | None = None) -> Array:
    return np.multiply(a, np.subtract(1, a, out=out), out=out)


def tanh(z: Array, out: Array | None = None) -> Array:
    return np.tanh(z, out=out)


def tanh_derivative(z: Array, a: Array, out: Array | None = None) -> Array:
    return np.subtract(1, np.square(a, out=out), out=out)


def relu(z: Array, out: Array | None = None) -> Array:
    return np.maximum(z, 0, out=out)


def relu_derivative(z: Array, a: Array, out: Array | None = None) -> Array:
    return np.greater(z, 0, out=out)  # 1 where z > 0; 0 at z = 0, as in PyTorch


CLASSIC = (
    Activation(
        "identity",
        identity,
        identity_derivative,
        r"z",
        r"1",
        "torch.nn.Identity",
    ),
    Activation(
        "sigmoid",
        sigmoid,
        sigmoid_derivative,
        r"\frac{1}{1 + e^{-z}}",
        r"a (1 - a)",
        "torch.nn.Sigmoid",
        aten="aten.sigmoid.default x -> y",
        unit=True,
        other_functions=(
            lambda z: np.exp(z) / (1 + np.exp(z)),
            lambda z: 0.5 * (1 + np.tanh(z / 2)),
            lambda z: 1 - 1 / (1 + np.exp(z)),
        ),
        other_forms=(
            lambda z, a: a - a * a,
            lambda z, a: sigmoid(z) * (1 - sigmoid(z)),
            lambda z, a: sigmoid(z) * sigmoid(-z),
            lambda z, a: np.exp(-z) / np.square(1 + np.exp(-z)),
            lambda z, a: 0.25 * (1 - np.square(np.tanh(z / 2))),
        ),
    ),
    Activation(
        "tanh",
        tanh,
        tanh_derivative,
        r"\tanh z",
        r"1 - a^2",
        "torch.nn.Tanh",
        aten="aten.tanh.default x -> y",
        other_functions=(
            lambda z: 2 * sigmoid(2 * z) - 1,
            lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
        ),
        other_forms=(
            lambda z, a: (1 - a) * (1 + a),
            lambda z, a: 1 - np.square(np.tanh(z)),
            lambda z, a: 1 / np.square(np.cosh(z)),
            lambda z, a: np.square(2 / (np.exp(z) + np.exp(-z))),
        ),
    ),
    Activation(
        "relu",
        relu,
        relu_derivative,
        r"\max(0, z)",
        r"[z > 0]",
        "torch.nn.ReLU",
        aten="aten.relu.default x -> y",
    ),
)
