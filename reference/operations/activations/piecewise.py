"""Piecewise linear activations. At a kink, f′ is the one-sided slope that PyTorch uses.

Each f(z) is followed by f′, computed from z and a = f(z). [condition] is 1 where it holds, else 0.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, Scalar, full_like, select
from reference.operations.activations.activation import REQUIRED, Activation, Learned, into


@into
def leaky_relu(z: Array, negative_slope: float) -> Array:
    return select(np.greater(z, 0), z, negative_slope * z)


def leaky_relu_derivative(z: Array, a: Array, out: Array | None = None, *, negative_slope: float) -> Scalar:
    return select(np.greater(z, 0), full_like(z, 1.0), negative_slope)


@into
def prelu(z: Array, alpha: Array) -> Array:
    return select(np.greater(z, 0), z, alpha * z)


def prelu_derivative(z: Array, a: Array, out: Array | None, alpha: Array) -> Scalar:
    return select(np.greater(z, 0), full_like(z, 1.0), alpha)


def prelu_slope_gradient(s: Array, z: Array, alpha: Array) -> Array:
    """∂L/∂α = Σ s ⊙ min(0, z), summed over the batch and, for a single shared α, over the units."""
    shares = s * np.minimum(z, 0)  # (out, batch)
    axis = 1 if alpha.shape[0] > 1 or z.shape[0] == 1 else None
    return np.add.reduce(shares, axis=axis, keepdims=True)  # (out, 1) or (1, 1)


@into
def relu6(z: Array) -> Array:
    return np.minimum(np.maximum(z, 0), 6)


def relu6_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return np.logical_and(np.greater(z, 0), np.less(z, 6))


@into
def hardtanh(z: Array, min_val: float, max_val: float) -> Array:
    return np.minimum(np.maximum(z, min_val), max_val)


def hardtanh_derivative(
    z: Array, a: Array, out: Array | None = None, *, min_val: float, max_val: float
) -> Scalar:
    return np.logical_and(np.greater(z, min_val), np.less(z, max_val))


@into
def hardsigmoid(z: Array) -> Array:
    return np.minimum(np.maximum(z + 3, 0), 6) / 6


def hardsigmoid_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return select(np.logical_and(np.greater(z, -3), np.less(z, 3)), full_like(z, 1 / 6), 0.0)


@into
def hardswish(z: Array) -> Array:
    return z * np.minimum(np.maximum(z + 3, 0), 6) / 6


def hardswish_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    middle = select(np.less(z, 3), z / 3 + 0.5, 1.0)
    return select(np.greater(z, -3), middle, 0.0)


@into
def hardshrink(z: Array, lambd: float) -> Array:
    return select(np.less_equal(np.absolute(z), lambd), 0.0, z)


def hardshrink_derivative(z: Array, a: Array, out: Array | None = None, *, lambd: float) -> Scalar:
    return np.greater(np.absolute(z), lambd)


@into
def softshrink(z: Array, lambd: float) -> Array:
    outside = select(np.greater(z, 0), z - lambd, z + lambd)
    return select(np.less_equal(np.absolute(z), lambd), 0.0, outside)


def softshrink_derivative(z: Array, a: Array, out: Array | None = None, *, lambd: float) -> Scalar:
    return np.greater(np.absolute(z), lambd)


@into
def threshold(z: Array, threshold: float, value: float) -> Array:
    return select(np.less_equal(z, threshold), value, z)


def threshold_derivative(
    z: Array, a: Array, out: Array | None = None, *, threshold: float, value: float
) -> Scalar:
    return np.greater(z, threshold)


PIECEWISE = (
    Activation(
        "leaky_relu",
        leaky_relu,
        leaky_relu_derivative,
        r"\begin{cases} z & z > 0 \\ \beta z & z \le 0 \end{cases}",
        r"\begin{cases} 1 & z > 0 \\ \beta & z \le 0 \end{cases}",
        "torch.nn.LeakyReLU",
        aten="aten.leaky_relu.default x negative_slope -> y",
        options={"negative_slope": 0.01},
    ),
    Activation(
        "prelu",
        prelu,
        prelu_derivative,
        r"\begin{cases} z & z > 0 \\ \alpha z & z \le 0 \end{cases}",
        r"\begin{cases} 1 & z > 0 \\ \alpha & z \le 0 \end{cases}",
        "torch.nn.PReLU",
        options={"num_parameters": 1, "init": 0.25},
        learned=Learned("alpha", prelu_slope_gradient, r"\sum s \odot \min(0, z)"),
    ),
    Activation(
        "relu6",
        relu6,
        relu6_derivative,
        r"\min(\max(0, z), 6)",
        r"[0 < z < 6]",
        "torch.nn.ReLU6",
    ),
    Activation(
        "hardtanh",
        hardtanh,
        hardtanh_derivative,
        r"\min(\max(z, m), M)",
        r"[m < z < M]",
        "torch.nn.Hardtanh",
        aten="aten.hardtanh.default x min_val max_val -> y",
        options={"min_val": -1.0, "max_val": 1.0},
    ),
    Activation(
        "hardsigmoid",
        hardsigmoid,
        hardsigmoid_derivative,
        r"\tfrac{1}{6} \min(\max(0, z + 3), 6)",
        r"\tfrac{1}{6} [-3 < z < 3]",
        "torch.nn.Hardsigmoid",
        aten="aten.hardsigmoid.default x -> y",
        unit=True,
    ),
    Activation(
        "hardswish",
        hardswish,
        hardswish_derivative,
        r"\tfrac{1}{6} z \min(\max(0, z + 3), 6)",
        r"\begin{cases} 0 & z \le -3 \\ z/3 + 1/2 & -3 < z < 3 \\ 1 & z \ge 3 \end{cases}",
        "torch.nn.Hardswish",
        aten="aten.hardswish.default x -> y",
    ),
    Activation(
        "hardshrink",
        hardshrink,
        hardshrink_derivative,
        r"z \, [|z| > \lambda]",
        r"[|z| > \lambda]",
        "torch.nn.Hardshrink",
        aten="aten.hardshrink.default x lambd -> y",
        options={"lambd": 0.5},
    ),
    Activation(
        "softshrink",
        softshrink,
        softshrink_derivative,
        r"\begin{cases} z - \lambda & z > \lambda \\ z + \lambda & z < -\lambda \\ 0 & \end{cases}",
        r"[|z| > \lambda]",
        "torch.nn.Softshrink",
        aten="aten.softshrink.default x lambd -> y",
        options={"lambd": 0.5},
    ),
    Activation(
        "threshold",
        threshold,
        threshold_derivative,
        r"\begin{cases} z & z > \theta \\ v & z \le \theta \end{cases}",
        r"[z > \theta]",
        "torch.nn.Threshold",
        aten="aten.threshold.default x threshold value -> y",
        options={"threshold": REQUIRED, "value": REQUIRED},
    ),
)
