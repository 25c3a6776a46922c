"""The operations of a computational graph: forward, and right below it the way back.

A backward is the operation's local derivative, applied: it takes the gradient ∂L/∂value of the
operation's own value and gives ∂L/∂operand for each operand (a vector-Jacobian product). Wherever
the deck has the formula, the deck's formula does it. Matrices are as in the deck: a column is a
sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference import formulas
from reference.architecture import Architecture
from reference.arrays import Array
from reference.operations.activations import Activation


@dataclass(frozen=True)
class Operation:
    """One kind of node: what to draw in it, how many operands it takes, and its two directions.

    forward(*operands) -> value; backward(gradient, value, *operands) -> a gradient for each operand,
    None for one that is data and not differentiated, as a loss's target: only a leaf may stand in
    such a place (`data`, counted from 0). Forward raises ValueError for shapes that do not fit.
    """

    label: str
    arity: int
    forward: Callable[..., Array]
    backward: Callable[..., tuple[Array | None, ...]]
    data: tuple[int, ...] = ()


# --- A layer: z = W a + b, a = f(z) ---------------------------------------------------------------


def _affine(W: Array, a: Array, b: Array) -> Array:
    _fit("affine", (W, a, b), len(W.shape) == len(a.shape) == 2 and b.shape == (W.shape[0], 1))
    return formulas.affine(W, a, b)


def _affine_backward(g: Array, z: Array, W: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    return formulas.weight_gradient(g, a), formulas.backpropagated(W, g), formulas.bias_gradient(g)


def _matmul(W: Array, a: Array) -> Array:
    _fit("matmul", (W, a), len(W.shape) == len(a.shape) == 2)
    z: Array = np.matmul(W, a)
    return z


def _matmul_backward(g: Array, z: Array, W: Array, a: Array) -> tuple[Array, Array]:
    return formulas.weight_gradient(g, a), formulas.backpropagated(W, g)


def activation(f: Activation) -> Operation:
    """What a layer answers: a = f(z), and back: ∂L/∂z = ∂L/∂a ⊙ f′(z)."""

    def forward(z: Array, *learned: Array) -> Array:
        return formulas.activation(f, z, *learned)

    def backward(g: Array, a: Array, z: Array, *learned: Array) -> tuple[Array, ...]:
        own = (formulas.slope_gradient(f, g, z, *learned),) if learned else ()
        return formulas.through(f, g, z, a, *learned), *own

    return Operation(f.name, 2 if f.learned else 1, forward, backward)


# --- Elementwise ----------------------------------------------------------------------------------


def _add(p: Array, q: Array) -> Array:
    _fit("add", (p, q), p.shape == q.shape)
    return np.add(p, q)


def _add_backward(g: Array, value: Array, p: Array, q: Array) -> tuple[Array, Array]:
    return g, g


def _subtract(p: Array, q: Array) -> Array:
    _fit("subtract", (p, q), p.shape == q.shape)
    return np.subtract(p, q)


def _subtract_backward(g: Array, value: Array, p: Array, q: Array) -> tuple[Array, Array]:
    return g, np.negative(g)


def _square(r: Array) -> Array:
    return np.square(r)


def _square_backward(g: Array, value: Array, r: Array) -> tuple[Array]:
    return (np.multiply(np.multiply(2, g), r),)


# --- To one number --------------------------------------------------------------------------------


def _total(terms: Array) -> Array:
    total: Array = np.add.reduce(terms, axis=None)
    return total


def _total_backward(g: Array, value: Array, terms: Array) -> tuple[Array]:
    return (_spread(g, terms),)


def _mean(terms: Array) -> Array:
    _fit("mean", (terms,), 0 not in terms.shape)
    return np.divide(_total(terms), math.prod(terms.shape))


def _mean_backward(g: Array, value: Array, terms: Array) -> tuple[Array]:
    return (_spread(np.divide(g, math.prod(terms.shape)), terms),)


def loss(architecture: Architecture) -> Operation:
    """Any loss whole, with its reduction: L(ŷ, y), and back: ∂L/∂ŷ = g ∇_ŷ L. y is given, not learnt."""

    def forward(y_hat: Array, y: Array) -> Array:
        fits = len(y.shape) == 2 and architecture.target_shape(y_hat.shape[1]) == y.shape
        _fit(architecture.loss.name, (y_hat, y), fits)
        return formulas.loss(architecture.reduced_loss, y_hat, y, architecture.n(y.shape[1]))

    def backward(g: Array, value: Array, y_hat: Array, y: Array) -> tuple[Array, None]:
        s = formulas.loss_gradient(architecture.reduced_loss, y_hat, y, architecture.n(y.shape[1]))
        return np.multiply(g, s), None

    return Operation(architecture.loss.name, 2, forward, backward, data=(1,))


AFFINE = Operation("W a + b", 3, _affine, _affine_backward)
MATMUL = Operation("W a", 2, _matmul, _matmul_backward)
ADD = Operation("+", 2, _add, _add_backward)
SUBTRACT = Operation("−", 2, _subtract, _subtract_backward)
SQUARE = Operation("( )²", 1, _square, _square_backward)
TOTAL = Operation("Σ", 1, _total, _total_backward)
MEAN = Operation("(1/n) Σ", 1, _mean, _mean_backward)


def _fit(name: str, operands: tuple[Array, ...], fits: object) -> None:
    if not fits:
        shapes = " and ".join(str(operand.shape) for operand in operands)
        raise ValueError(f"{name}: shapes {shapes} do not fit")


def _spread(g: Array, terms: Array) -> Array:
    """One number for all terms, without a copy; other kinds of number than arrays broadcast later."""
    return np.broadcast_to(g, terms.shape) if isinstance(terms, np.ndarray) else g
