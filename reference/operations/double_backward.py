"""Vector-Jacobian products that autograd differentiates once more, as for the penalty of a gradient.

With `create_graph`, PyTorch's way back is made of operations of its own. Each takes e, the error of a
value, and what the way back needs; its own errors g go back to both. a = f(x) is the value where it is
taken in x's place.
Source: derivatives.yaml and FunctionsManual.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, select
from reference.operation import (
    REQUIRED,
    Operation,
    Option,
    Sample,
    define,
    with_forms,
)
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import gelu_derivative, gelu_tanh_derivative


def _tanh_e(e: Array, a: Array) -> Array:
    return e * (1 - np.square(a))


def _tanh_e_gradient(g: Array, a: Array) -> Array:
    return _tanh_e(g, a)


def _tanh_a_gradient(g: Array, e: Array, a: Array) -> Array:
    return g * (-2 * a * e)


def _sigmoid_e(e: Array, a: Array) -> Array:
    return e * (1 - a) * a


def _sigmoid_e_gradient(g: Array, a: Array) -> Array:
    return _sigmoid_e(g, a)


def _sigmoid_a_gradient(g: Array, e: Array, a: Array) -> Array:
    return g * e * (-2 * a + 1)


def _above(e: Array, x: Array, *, threshold: float) -> Array:
    return select(np.less_equal(x, threshold), np.zeros_like(e), e)


def _above_e_gradient(g: Array, x: Array, *, threshold: float) -> Array:
    return _above(g, x, threshold=threshold)


def _leaky(e: Array, x: Array, *, negative_slope: float) -> Array:
    return select(np.greater(x, 0), e, e * negative_slope)


def _leaky_e_gradient(g: Array, x: Array, *, negative_slope: float) -> Array:
    return _leaky(g, x, negative_slope=negative_slope)


def _flat(g: Array) -> Array:
    return np.zeros_like(g)


def _softplus(e: Array, x: Array, *, beta: float, threshold: float) -> Array:
    """e σ(βx), and e itself where βx is above the threshold."""
    power = np.exp(beta * x)
    return select(np.greater(beta * x, threshold), e, e * power / (power + 1))


def _softplus_e_gradient(g: Array, x: Array, *, beta: float, threshold: float) -> Array:
    return _softplus(g, x, beta=beta, threshold=threshold)


def _softplus_x_gradient(g: Array, e: Array, x: Array, *, beta: float, threshold: float) -> Array:
    a = sigmoid(beta * x)
    slope = (g * e) * (1 - a) * a * beta
    return select(np.greater(beta * x, threshold), np.zeros_like(g), slope)


def _gelu(e: Array, x: Array, *, approximate: str) -> Array:
    slope = gelu_derivative if approximate == "none" else gelu_tanh_derivative
    return np.multiply(e, slope(x, x))


def _gelu_e_gradient(g: Array, x: Array, *, approximate: str) -> Array:
    return _gelu(g, x, approximate=approximate)


def _gelu_x_gradient(g: Array, e: Array, x: Array, *, approximate: str) -> Array:
    """g e f″(x): φ(x) (2 − x²), or of t = tanh u, (1 − t²) (u′ + x u″/2 − x t u′²)."""
    if approximate == "none":
        return g * e * (np.exp(-0.5 * np.square(x)) / math.sqrt(2 * math.pi)) * (2 - np.square(x))
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    t = np.tanh(scale * (x + cubic * x * x * x))
    first, second = scale * (1 + 3 * cubic * np.square(x)), 6 * scale * cubic * x
    return g * e * ((1 - t * t) * (first + 0.5 * x * second - x * t * np.square(first)))


def _sum(x: Array, dim: int) -> Array:
    return x if np.ndim(x) == 0 else np.sum(x, axis=dim, keepdims=True)


def _softmax(e: Array, a: Array, *, dim: int) -> Array:
    return (e - _sum(e * a, dim)) * a


def _softmax_by_products(e: Array, a: Array, *, dim: int) -> Array:
    return e * a - a * _sum(e * a, dim)


def _softmax_e_gradient(g: Array, a: Array, *, dim: int) -> Array:
    return _softmax(g, a, dim=dim)


def _softmax_e_gradient_by_products(g: Array, a: Array, *, dim: int) -> Array:
    return _softmax_by_products(g, a, dim=dim)


def _softmax_a_gradient(g: Array, e: Array, a: Array, *, dim: int) -> Array:
    return g * e - _sum(a * g, dim) * e - g * _sum(e * a, dim)


def _log_softmax(e: Array, a: Array, *, dim: int) -> Array:
    return e - np.exp(a) * _sum(e, dim)


def _log_softmax_e_gradient(g: Array, a: Array, *, dim: int) -> Array:
    return g - _sum(g * np.exp(a), dim)


def _log_softmax_a_gradient(g: Array, e: Array, a: Array, *, dim: int) -> Array:
    return -_sum(e, dim) * np.exp(a) * g


# Samples and records


def _values(squash: Callable[[Array], Array] = np.positive, **options: Option) -> Iterator[Sample]:
    random = np.random.default_rng(61)
    second = "x" if squash is np.positive else "a"
    for shape in ((2, 3, 4), (7,), ()):
        e, x = random.standard_normal(shape), np.asarray(squash(2 * random.standard_normal(shape)))
        yield Sample({"e": e, second: x}, options)


def _thresholds() -> Iterator[Sample]:
    yield from _values(threshold=0)
    yield from _values(threshold=0.7)


def _slopes() -> Iterator[Sample]:
    yield from _values(negative_slope=0.01)
    yield from _values(negative_slope=0.3)


def _betas() -> Iterator[Sample]:
    yield from _values(beta=1, threshold=20)
    yield from _values(beta=1.7, threshold=1.5)


def _gelus() -> Iterator[Sample]:
    yield from _values()
    yield from _values(approximate="tanh")


def _distributions(*, logarithms: bool) -> Iterator[Sample]:
    random = np.random.default_rng(62)
    for shape, dim in (((2, 3, 4), -1), ((2, 3, 4), 1), ((5, 2), 0)):
        x = random.standard_normal(shape)
        a = np.exp(x) / np.sum(np.exp(x), axis=dim, keepdims=True)
        operands = {"e": random.standard_normal(shape), "a": np.log(a) if logarithms else a}
        yield Sample(operands, {"dim": dim})


def _elementwise(
    name: str,
    forward: tuple[Callable[..., Array], str],
    to_e: Callable[..., Array],
    to_other: tuple[Callable[..., Array], str],
    record: str,
    samples: Callable[[], Iterator[Sample]],
    **options: Option,
) -> Operation:
    """A product of e and a slope; g goes back to e by the same slope."""
    other = "a" if " a " in record else "x"
    return define(
        name,
        forward,
        {"e": (to_e, forward[1].replace("e", "g", 1)), other: to_other},
        operands=("e", other),
        options=options,
        torch="torch.autograd.grad",
        aten={f"aten.{name}.default": record},
        samples=samples,
    )


NOWHERE = (_flat, r"0")

OPERATIONS = (
    _elementwise(
        "tanh_backward",
        (_tanh_e, r"e (1 - a^2)"),
        _tanh_e_gradient,
        (_tanh_a_gradient, r"-2 g e a"),
        "e a -> y",
        lambda: _values(np.tanh),
    ),
    _elementwise(
        "sigmoid_backward",
        (_sigmoid_e, r"e (1 - a) a"),
        _sigmoid_e_gradient,
        (_sigmoid_a_gradient, r"g e (1 - 2 a)"),
        "e a -> y",
        lambda: _values(sigmoid),
    ),
    _elementwise(
        "threshold_backward",
        (_above, r"e [x > \theta]"),
        _above_e_gradient,
        NOWHERE,
        "e x threshold -> y",
        _thresholds,
        threshold=REQUIRED,
    ),
    _elementwise(
        "leaky_relu_backward",
        (_leaky, r"e ([x > 0] + \alpha [x \le 0])"),
        _leaky_e_gradient,
        NOWHERE,
        "e x negative_slope - -> y",
        _slopes,
        negative_slope=REQUIRED,
    ),
    _elementwise(
        "softplus_backward",
        (_softplus, r"e \sigma(\beta x)"),
        _softplus_e_gradient,
        (_softplus_x_gradient, r"g e \beta \sigma(\beta x) (1 - \sigma(\beta x))"),
        "e x beta threshold -> y",
        _betas,
        beta=REQUIRED,
        threshold=REQUIRED,
    ),
    _elementwise(
        "gelu_backward",
        (_gelu, r"e (\Phi(x) + x \varphi(x))"),
        _gelu_e_gradient,
        (_gelu_x_gradient, r"g e \varphi(x) (2 - x^2)"),
        "e x approximate -> y",
        _gelus,
        approximate="none",
    ),
    with_forms(
        _elementwise(
            "_softmax_backward_data",
            (_softmax, r"(e - \textstyle\sum e a) a"),
            _softmax_e_gradient,
            (_softmax_a_gradient, r"g e - e \textstyle\sum a g - g \sum e a"),
            "e a dim - -> y",
            lambda: _distributions(logarithms=False),
            dim=REQUIRED,
        ),
        {"e": _softmax_e_gradient_by_products},
    ),
    _elementwise(
        "_log_softmax_backward_data",
        (_log_softmax, r"e - e^a \textstyle\sum e"),
        _log_softmax_e_gradient,
        (_log_softmax_a_gradient, r"-g e^a \textstyle\sum e"),
        "e a dim - -> y",
        lambda: _distributions(logarithms=True),
        dim=REQUIRED,
    ),
)
