"""PyTorch's forms of δ, where PyTorch does not compute s ⊙ f′(z) in that order of operations.

The forms are mathematically equal. They differ in which intermediate products may underflow or
overflow and in which differences are taken, so a certificate checks PyTorch's numbers against these
forms and our engine's against the derivative.
Source: ATen/native/cpu/Activation.cpp, and autograd's own rules where there is no kernel.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, select
from reference.operations.activations.classic import sigmoid

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
"""SELU's scale, Klambauer et al. (2017), with the digits that torch.nn.SELU documents."""


def elu_backward(s: Array, z: Array, a: Array, alpha: float) -> Array:
    """PyTorch's kernel for ELU, SELU and CELU; factors are multiplied in order, and s α may overflow."""
    return select(np.greater(z, 0), s, s * alpha * np.exp(z))


def selu_backward(s: Array, z: Array, a: Array) -> Array:
    return select(np.greater(z, 0), s * SELU_SCALE, s * (SELU_ALPHA * SELU_SCALE) * np.exp(z))


def celu_backward(s: Array, z: Array, a: Array, alpha: float) -> Array:
    return select(np.greater(z, 0), s, s * (1 / alpha) * alpha * np.exp(z * (1 / alpha)))


def softplus_backward(s: Array, z: Array, a: Array, beta: float, threshold: float) -> Array:
    """s e/(e + 1) with e = e^(βz); s e may overflow."""
    e = np.exp(beta * z)
    return select(np.greater(beta * z, threshold), s, s * e / (e + 1))


def silu_backward(s: Array, z: Array, a: Array) -> Array:
    """(s σ)(1 + z(1 − σ)); s σ may underflow, and the second factor then enlarges the lost part."""
    return s * sigmoid(z) * (1 + z * (1 - sigmoid(z)))


def softsign_backward(s: Array, z: Array, a: Array) -> Array:
    """The derivative by the quotient rule: s/(1 + |z|) − s z sign z/(1 + |z|)²."""
    below = 1 + np.absolute(z)
    return s / below - s * np.absolute(z) / np.square(below)


def tanhshrink_backward(s: Array, z: Array, a: Array) -> Array:
    """The derivative term by term: s − s (1 − tanh² z)."""
    return s - s * (1 - np.square(np.tanh(z)))


def softmax_backward(s: Array, z: Array, a: Array) -> Array:
    """(s − Σ s a) a: the sum is subtracted before the multiplication."""
    return (s - np.add.reduce(s * a, axis=0, keepdims=True)) * a
