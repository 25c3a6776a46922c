"""Activations with exp, log or erf. Each f(z) is followed by f′, computed from z and a = f(z)."""

from __future__ import annotations

import math

import numpy as np

from reference.arrays import Array, Scalar, erf, full_like, select
from reference.operations.activations.activation import Activation, into
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.torch_forms import (
    SELU_ALPHA,
    SELU_SCALE,
    celu_backward,
    elu_backward,
    selu_backward,
    silu_backward,
    softplus_backward,
    softsign_backward,
    tanhshrink_backward,
)

GELU_CUBIC = 0.044715


@into
def elu(z: Array, alpha: float) -> Array:
    return select(np.greater(z, 0), z, alpha * np.expm1(z))


def elu_derivative(z: Array, a: Array, out: Array | None = None, *, alpha: float) -> Scalar:
    return select(np.greater(z, 0), full_like(z, 1.0), alpha * np.exp(z))


@into
def celu(z: Array, alpha: float) -> Array:
    return select(np.greater(z, 0), z, alpha * np.expm1(z / alpha))


def celu_derivative(z: Array, a: Array, out: Array | None = None, *, alpha: float) -> Scalar:
    return select(np.greater(z, 0), full_like(z, 1.0), np.exp(z / alpha))


@into
def selu(z: Array) -> Array:
    return SELU_SCALE * select(np.greater(z, 0), z, SELU_ALPHA * np.expm1(z))


def selu_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return SELU_SCALE * select(np.greater(z, 0), full_like(z, 1.0), SELU_ALPHA * np.exp(z))


@into
def softplus(z: Array, beta: float, threshold: float) -> Array:
    return select(np.greater(beta * z, threshold), z, np.log1p(np.exp(beta * z)) / beta)


def softplus_derivative(
    z: Array, a: Array, out: Array | None = None, *, beta: float, threshold: float
) -> Scalar:
    return select(np.greater(beta * z, threshold), full_like(z, 1.0), sigmoid(beta * z))


@into
def logsigmoid(z: Array) -> Array:
    return np.minimum(z, 0) - np.log1p(np.exp(-np.absolute(z)))


def logsigmoid_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return sigmoid(-z)


@into
def silu(z: Array) -> Array:
    return z * sigmoid(z)


def silu_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return sigmoid(z) * (1 + z * sigmoid(-z))


@into
def mish(z: Array) -> Array:
    return z * np.tanh(np.log1p(np.exp(z)))


def mish_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    t = np.tanh(np.log1p(np.exp(z)))
    return t + z * sigmoid(z) * (1 - t * t)


@into
def gelu(z: Array) -> Array:
    return z * (0.5 * (1 + erf(z * math.sqrt(0.5))))  # z Φ(z)


def gelu_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    phi = np.exp(-0.5 * np.square(z)) * (1 / math.sqrt(2 * math.pi))
    return 0.5 * (1 + erf(z * math.sqrt(0.5))) + z * phi  # Φ(z) + z φ(z)


@into
def gelu_tanh(z: Array) -> Array:
    return 0.5 * z * (1 + np.tanh(_gelu_inner(z)))


def gelu_tanh_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    t = np.tanh(_gelu_inner(z))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * GELU_CUBIC * np.square(z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * inner_slope


def _gelu_inner(z: Array) -> Array:
    return math.sqrt(2 / math.pi) * (z + GELU_CUBIC * (np.square(z) * z))


@into
def softsign(z: Array) -> Array:
    return z / (1 + np.absolute(z))


def softsign_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return 1 / np.square(1 + np.absolute(z))


@into
def tanhshrink(z: Array) -> Array:
    return z - np.tanh(z)


def tanhshrink_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    return np.square(np.tanh(z))


SMOOTH = (
    Activation(
        "elu",
        elu,
        elu_derivative,
        r"\begin{cases} z & z > 0 \\ \alpha (e^z - 1) & z \le 0 \end{cases}",
        r"\begin{cases} 1 & z > 0 \\ \alpha e^z & z \le 0 \end{cases}",
        "torch.nn.ELU",
        other_functions=(lambda z, alpha: select(np.greater(z, 0), z, alpha * (np.exp(z) - 1)),),
        other_forms=(lambda z, a, alpha: select(np.greater(z, 0), full_like(z, 1.0), a + alpha),),
        torch_form=elu_backward,
        options={"alpha": 1.0},
    ),
    Activation(
        "celu",
        celu,
        celu_derivative,
        r"\begin{cases} z & z > 0 \\ \alpha (e^{z/\alpha} - 1) & z \le 0 \end{cases}",
        r"\begin{cases} 1 & z > 0 \\ e^{z/\alpha} & z \le 0 \end{cases}",
        "torch.nn.CELU",
        aten="aten.celu.default x alpha -> y",
        other_functions=(lambda z, alpha: select(np.greater(z, 0), z, alpha * (np.exp(z / alpha) - 1)),),
        torch_form=celu_backward,
        options={"alpha": 1.0},
    ),
    Activation(
        "selu",
        selu,
        selu_derivative,
        r"\lambda \begin{cases} z & z > 0 \\ \alpha (e^z - 1) & z \le 0 \end{cases}",
        r"\lambda \begin{cases} 1 & z > 0 \\ \alpha e^z & z \le 0 \end{cases}",
        "torch.nn.SELU",
        other_functions=(lambda z: SELU_SCALE * select(np.greater(z, 0), z, SELU_ALPHA * (np.exp(z) - 1)),),
        torch_form=selu_backward,
    ),
    Activation(
        "softplus",
        softplus,
        softplus_derivative,
        r"\tfrac{1}{\beta} \log(1 + e^{\beta z})",
        r"\sigma(\beta z)",
        "torch.nn.Softplus",
        aten="aten.softplus.default x beta threshold -> y",
        torch_form=softplus_backward,
        options={"beta": 1.0, "threshold": 20.0},
        remark="Above βz = threshold PyTorch's is z itself, with slope 1.",
    ),
    Activation(
        "logsigmoid",
        logsigmoid,
        logsigmoid_derivative,
        r"\log \frac{1}{1 + e^{-z}}",
        r"\sigma(-z)",
        "torch.nn.LogSigmoid",
        other_functions=(lambda z: -np.log1p(np.exp(-z)), lambda z: np.log(sigmoid(z))),
        other_forms=(lambda z, a: 1 - sigmoid(z), lambda z, a: 1 - np.exp(a)),
    ),
    Activation(
        "silu",
        silu,
        silu_derivative,
        r"z \, \sigma(z)",
        r"\sigma(z) (1 + z\, \sigma(-z))",
        "torch.nn.SiLU",
        aten="aten.silu.default x -> y",
        other_functions=(lambda z: z / (1 + np.exp(-z)),),
        other_forms=(
            lambda z, a: a + sigmoid(z) * (1 - a),
            lambda z, a: sigmoid(z) + a * (1 - sigmoid(z)),
        ),
        torch_form=silu_backward,
    ),
    Activation(
        "mish",
        mish,
        mish_derivative,
        r"z \tanh(\log(1 + e^z))",
        r"t + z\, \sigma(z) (1 - t^2), \; t = \tanh(\log(1 + e^z))",
        "torch.nn.Mish",
        aten="aten.mish.default x -> y",
    ),
    Activation(
        "gelu",
        gelu,
        gelu_derivative,
        r"z \, \Phi(z) = \tfrac{z}{2} (1 + \operatorname{erf} \tfrac{z}{\sqrt 2})",
        r"\Phi(z) + z \, \varphi(z)",
        "torch.nn.GELU",
        torch_options={"approximate": "none"},
    ),
    Activation(
        "gelu_tanh",
        gelu_tanh,
        gelu_tanh_derivative,
        r"\tfrac{z}{2} (1 + \tanh u), \; u = \sqrt{2/\pi} (z + 0.044715 z^3)",
        r"\tfrac{1}{2}(1 + t) + \tfrac{z}{2} (1 - t^2) u', \; t = \tanh u",
        "torch.nn.GELU",
        torch_options={"approximate": "tanh"},
        remark="An approximation of GELU, and another function.",
    ),
    Activation(
        "softsign",
        softsign,
        softsign_derivative,
        r"\frac{z}{1 + |z|}",
        r"\frac{1}{(1 + |z|)^2}",
        "torch.nn.Softsign",
        other_forms=(lambda z, a: np.square(1 - np.absolute(a)),),
        torch_form=softsign_backward,
    ),
    Activation(
        "tanhshrink",
        tanhshrink,
        tanhshrink_derivative,
        r"z - \tanh z",
        r"\tanh^2 z",
        "torch.nn.Tanhshrink",
        other_forms=(lambda z, a: np.square(z - a),),
        torch_form=tanhshrink_backward,
    ),
)
