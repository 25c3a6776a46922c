"""The deck, one function per formula, in the order of the slides.

A column is a sample: `a`, `z`, `delta` are (features, batch), `W` is (out, in), `b` is (out, 1).
Every function is written once and runs on several arithmetics: plain numpy arrays (the engine),
arrays that carry their rounding bound (`parity.bounds`) and arbitrary precision (the finite-difference
check). For that reason only numpy's own functions are used. With `out=`, the engine writes into
preallocated buffers; without it, the same line returns a new array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference.arrays import Array, Scalar
from reference.formula import formula

if TYPE_CHECKING:
    from reference.operations.activations import Activation
    from reference.operations.losses import Loss

# --- Slide 2: the flow of learning, forward -------------------------------------------------------


@formula("z", 2, r"z^{(l)} = W^{(l)} a^{(l-1)} + b^{(l)}")
def affine(W: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """Preactivation of a layer. The deck uses z without defining it; no other definition fits its use.

    z^(l) = W^(l) a^(l-1) + b^(l)

    Shapes: W (out, in), a (in, batch), b (out, 1) -> z (out, batch). Slide 2; `torch.nn.Linear`.
    """
    z = np.matmul(W, a, out=out)  # (out, batch)
    z += b  # the same bias for every sample
    return z


@formula("a", 2, r"a^{(l)} = f^{(l)}(z^{(l)})")
def activation(f: Activation, z: Array, *learned: Array, out: Array | None = None) -> Array:
    """Activation of a layer.

    a^(l) = f^(l)(z^(l)), and ŷ = a^(L)

    `learned` is f's own trainable parameter, if it has one (PReLU's slope α).
    Shapes: z (out, batch) -> a (out, batch). Slide 2.
    """
    return f.function(z, out, *learned)  # (out, batch)


# --- Slide 3: the loss ----------------------------------------------------------------------------


@formula("loss", 3, r"\mathrm{MSE} = \frac{1}{n}\sum_{i=1}^{n} (y_i - \hat{y}_i)^2")
def loss(L: Loss, y_hat: Array, y: Array, n: Scalar) -> Array:
    """The loss, a single number.

    MSE = (1/n) Σ (y_i − ŷ_i)²

    `n` counts every term of the sum: outputs × batch, `torch.nn.MSELoss(reduction="mean")`.
    Shapes: ŷ, y (outputs, batch) -> 0-d. Slide 3.
    """
    return L.value(y_hat, y, n)


@formula("s", 3, r"\nabla_{\hat{y}} L = \frac{2}{n}(\hat{y} - y)")
def loss_gradient(L: Loss, y_hat: Array, y: Array, n: Scalar, out: Array | None = None) -> Array:
    """Gradient of the loss with respect to each output; it carries the 1/n.

    s^(L) = ∇_ŷ L = (2/n)(ŷ − y)

    Shapes: ŷ, y (outputs, batch) -> s (outputs, batch). Slide 3, and the first factor of slide 4.
    """
    return L.gradient(y_hat, y, n, out)  # (outputs, batch)


# --- Slide 4: the output layer's gradient ---------------------------------------------------------


@formula("delta", 4, r"\delta^{(L)} = \nabla_{\hat{y}} L \odot f'(z^{(L)})")
def output_delta(s: Array, f_prime: Scalar, out: Array | None = None) -> Array:
    """Error of the output layer: the gradient of the loss with respect to z^(L).

    δ^(L) = ∇_ŷ L ⊙ f′(z^(L)), with s = ∇_ŷ L

    Shapes: s, f′ (outputs, batch) -> δ (outputs, batch). Slide 4.
    """
    return np.multiply(s, f_prime, out=out)  # (outputs, batch)


# --- Slide 5: the gradient goes back through the hidden layers ------------------------------------


@formula("delta", 5, r"\delta^{(l)} = (W^{(l+1)})^T \delta^{(l+1)} \odot f'(z^{(l)})")
def hidden_delta(
    W: Array,
    delta: Array,
    f_prime: Scalar,
    s: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Error of a hidden layer, computed from the error of the layer above it.

    δ^(l) = (W^(l+1))ᵀ δ^(l+1) ⊙ f′(z^(l))

    `W` and `delta` belong to layer l+1; `W` has its value from the forward pass, before the update.
    If `s` is given, the product s^(l) = (W^(l+1))ᵀ δ^(l+1) = ∂L/∂a^(l) is written into it.
    Shapes: W (up, out), δ^(l+1) (up, batch), f′ (out, batch) -> δ^(l) (out, batch). Slide 5.
    """
    s = backpropagated(W, delta, out=s)  # (out, batch)
    return np.multiply(s, f_prime, out=out)  # (out, batch)


def backpropagated(W: Array, delta: Array, out: Array | None = None) -> Array:
    """Gradient of the loss with respect to a hidden layer's activation, the first factor of slide 5.

    s^(l) = (W^(l+1))ᵀ δ^(l+1) = ∂L/∂a^(l)

    Shapes: W (up, out), δ^(l+1) (up, batch) -> s (out, batch).
    """
    return np.matmul(W.T, delta, out=out)  # (out, batch)


def through(
    f: Activation,
    s: Array,
    z: Array,
    a: Array,
    *learned: Array,
    f_prime: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Error propagated back through the activation: δ = s ⊙ f′(z), the last step of slides 4 and 5.

    If f mixes the components of a sample (softmax), f′ is the Jacobian J of the sample, a matrix,
    and the deck's ⊙ becomes the product Jᵀ s.
    Shapes: s, z, a (out, batch) -> δ (out, batch); f′ is written into `f_prime` if that is given.
    """
    if f.jacobian is None:
        return output_delta(s, f.derivative(z, a, f_prime, *learned), out=out)  # (out, batch)
    delta = f.jacobian(s, z, a)  # (out, batch)
    if out is None:
        return delta
    np.copyto(out, delta)
    return out


# --- Slide 6: gradients and update ----------------------------------------------------------------


@formula("dW", 6, r"\frac{\partial L}{\partial W^{(l)}} = \delta^{(l)} (a^{(l-1)})^T")
def weight_gradient(delta: Array, a: Array, out: Array | None = None) -> Array:
    """Gradient of the loss with respect to the weights; the matrix product sums over the batch.

    dW^(l) = δ^(l) (a^(l-1))ᵀ

    Shapes: δ (out, batch), a (in, batch) -> dW (out, in). Slide 6.
    """
    return np.matmul(delta, a.T, out=out)  # (out, in)


@formula("db", 6, r"\frac{\partial L}{\partial b^{(l)}} = \delta^{(l)}")
def bias_gradient(delta: Array, out: Array | None = None) -> Array:
    """Gradient of the loss with respect to the biases: the row sums of δ, or δ itself for one sample.

    db^(l) = Σ_batch δ^(l)

    Shapes: δ (out, batch) -> db (out, 1). Slide 6.
    """
    return np.add.reduce(delta, axis=1, keepdims=True, out=out)  # (out, 1)


@formula("W_next", 6, r"W^{(l)} \leftarrow W^{(l)} - \eta\, \delta^{(l)} (a^{(l-1)})^T")
def weight_update(W: Array, dW: Array, lr: Scalar, out: Array | None = None) -> Array:
    """Gradient descent step for the weights. η is the learning rate, `lr`.

    W^(l) ← W^(l) − η dW^(l)

    Shapes: W, dW (out, in) -> W (out, in). Slide 6; `torch.optim.SGD`.
    """
    step = np.multiply(lr, dW, out=out)  # (out, in)
    return np.subtract(W, step, out=out)  # (out, in)


@formula("b_next", 6, r"b^{(l)} \leftarrow b^{(l)} - \eta\, \delta^{(l)}")
def bias_update(b: Array, db: Array, lr: Scalar, out: Array | None = None) -> Array:
    """Gradient descent step for the biases.

    b^(l) ← b^(l) − η db^(l)

    Shapes: b, db (out, 1) -> b (out, 1). Slide 6; `torch.optim.SGD`.
    """
    step = np.multiply(lr, db, out=out)  # (out, 1)
    return np.subtract(b, step, out=out)  # (out, 1)


def slope_gradient(f: Activation, s: Array, z: Array, alpha: Array) -> Array:
    """Gradient of the loss with respect to the activation's own parameter (PReLU's slope α).

    dα^(l) = Σ s^(l) ⊙ ∂f/∂α, summed over the batch and over the units that share one α

    Shapes: s, z (out, batch), α (1, 1) or (out, 1) -> dα like α. Not in the deck; `torch.nn.PReLU`.
    """
    assert f.learned is not None
    return f.learned.gradient(s, z, alpha)
