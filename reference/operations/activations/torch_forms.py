"""δ as PyTorch computes it, where that is not s ⊙ f′(z) in this order of operations.

Equal as mathematics. What differs is where a product may underflow or overflow on the way, and what
is subtracted from what: a certificate holds PyTorch to these, and our engine to the derivative.
Source: ATen/native/cpu/Activation.cpp, and autograd's own rules where there is no kernel.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, select
from reference.operations.activations.classic import sigmoid

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
"""Klambauer et al. (2017), as many digits as torch.nn.SELU documents."""


def elu_backward(s: Array, z: Array, a: Array, alpha: float) -> Array:
    """One kernel for ELU, SELU and CELU, multiplied from the left: s α may overflow where e^z is 0."""
    return select(np.greater(z, 0), s, s * alpha * np.exp(z))


def selu_backward(s: Array, z: Array, a: Array) -> Array:
    return select(np.greater(z, 0), s * SELU_SCALE, s * (SELU_ALPHA * SELU_SCALE) * np.exp(z))


def celu_backward(s: Array, z: Array, a: Array, alpha: float) -> Array:
    return select(np.greater(z, 0), s, s * (1 / alpha) * alpha * np.exp(z * (1 / alpha)))


def softplus_backward(s: Array, z: Array, a: Array, beta: float, threshold: float) -> Array:
    """s e/(e + 1), e = e^(βz): s e may overflow."""
    e = np.exp(beta * z)
    return select(np.greater(beta * z, threshold), s, s * e / (e + 1))


def silu_backward(s: Array, z: Array, a: Array) -> Array:
    """From the left: s σ may underflow, and 1 + z(1 − σ) makes that larger again."""
    return s * sigmoid(z) * (1 + z * (1 - sigmoid(z)))


def softsign_backward(s: Array, z: Array, a: Array) -> Array:
    """The quotient, differentiated: s/(1 + |z|) − s z sign z/(1 + |z|)²."""
    below = 1 + np.absolute(z)
    return s / below - s * np.absolute(z) / np.square(below)


def tanhshrink_backward(s: Array, z: Array, a: Array) -> Array:
    """The difference, differentiated: s − s (1 − tanh² z)."""
    return s - s * (1 - np.square(np.tanh(z)))


def softmax_backward(s: Array, z: Array, a: Array) -> Array:
    """The sum taken off before the product: (s − Σ s a) a."""
    return (s - np.add.reduce(s * a, axis=0, keepdims=True)) * a
