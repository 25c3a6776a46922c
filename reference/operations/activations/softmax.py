"""Activations that mix the components of a sample, so that their derivative is a matrix.

The deck's ⊙ f′(z) becomes a product with the transposed Jacobian, sample by sample:
δ_j = Σ_i s_i ∂a_i/∂z_j. Each function is followed by this product.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array
from reference.operations.activations.activation import Activation, into, no_derivative
from reference.operations.activations.torch_forms import softmax_backward


@into
def softmax(z: Array) -> Array:
    e = np.exp(z - np.maximum.reduce(z, axis=0, keepdims=True))  # the largest is e^0: no overflow
    return e / np.add.reduce(e, axis=0, keepdims=True)


def softmax_jacobian(s: Array, z: Array, a: Array) -> Array:
    """J = diag(a) − a aᵀ: Jᵀ s = s ⊙ a − a Σ s a."""
    share = s * a
    return share - a * np.add.reduce(share, axis=0, keepdims=True)


@into
def log_softmax(z: Array) -> Array:
    shifted = z - np.maximum.reduce(z, axis=0, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=0, keepdims=True))


def log_softmax_jacobian(s: Array, z: Array, a: Array) -> Array:
    """J_ij = [i = j] − e^(a_j): Jᵀ s = s − e^a Σ s."""
    return s - np.exp(a) * np.add.reduce(s, axis=0, keepdims=True)


@into
def softmin(z: Array) -> Array:
    return softmax(-z)


def softmin_jacobian(s: Array, z: Array, a: Array) -> Array:
    """Softmin is the softmax of −z, so Jᵀ s is softmax's with the opposite sign."""
    return -softmax_jacobian(s, z, a)


MIXING = (
    Activation(
        "softmax",
        softmax,
        no_derivative,
        r"\frac{e^{z_i}}{\sum_j e^{z_j}}",
        r"a_i ([i = j] - a_j)",
        "torch.nn.Softmax",
        aten="aten._softmax.default x dim half_to_float -> y",
        torch_form=softmax_backward,
        torch_options={"dim": 1},
        jacobian=softmax_jacobian,
        unit=True,
    ),
    Activation(
        "log_softmax",
        log_softmax,
        no_derivative,
        r"\log \frac{e^{z_i}}{\sum_j e^{z_j}}",
        r"[i = j] - e^{a_j}",
        "torch.nn.LogSoftmax",
        aten="aten._log_softmax.default x dim half_to_float -> y",
        torch_options={"dim": 1},
        jacobian=log_softmax_jacobian,
    ),
    Activation(
        "softmin",
        softmin,
        no_derivative,
        r"\frac{e^{-z_i}}{\sum_j e^{-z_j}}",
        r"-a_i ([i = j] - a_j)",
        "torch.nn.Softmin",
        torch_options={"dim": 1},
        jacobian=softmin_jacobian,
        unit=True,
    ),
)
