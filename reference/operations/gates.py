"""Activations that PyTorch dispatches with options or operands that no row of the table has.

Source: PyTorch's pages of the functions; ATen/native/cpu/Activation.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, select
from reference.operation import REQUIRED, Sample, UnreadArgumentError, define
from reference.operations.activations import ACTIVATIONS
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import logsigmoid
from reference.operations.activations.softmax import softmax, softmax_jacobian
from reference.operations.shapes import summed_to


def _elu(x: Array, *, alpha: float, scale: float, input_scale: float) -> Array:
    """ELU; with a scale, SELU."""
    return select(np.greater(x, 0), x * scale, np.expm1(x * input_scale) * alpha * scale)


def _elu_gradient(g: Array, x: Array, *, alpha: float, scale: float, input_scale: float) -> Array:
    """Multiplied from the left, as PyTorch's kernel does."""
    below = g * input_scale * (alpha * scale) * np.exp(x * input_scale)
    return select(np.greater(x, 0), g * scale, below)


GELUS = {"none": ACTIVATIONS["gelu"], "tanh": ACTIVATIONS["gelu_tanh"]}


def _gelu(x: Array, *, approximate: str) -> Array:
    return GELUS[approximate].function(x)


def _gelu_gradient(g: Array, x: Array, y: Array, *, approximate: str) -> Array:
    return np.multiply(g, GELUS[approximate].derivative(x, y))


def _logsigmoid(x: Array) -> Array:
    return logsigmoid(x)


def _logsigmoid_buffer(x: Array) -> Array:
    """e^(−|x|), kept for the way back."""
    return np.exp(-np.absolute(x))


def _logsigmoid_gradient(g: Array, x: Array, buffer: Array) -> Array:
    """g σ(−x), from e^(−|x|)."""
    tail = buffer / (1 + buffer)
    return g * select(np.less(x, 0), 1 - tail, tail)


def _prelu(x: Array, alpha: Array) -> Array:
    return select(np.greater(x, 0), x, alpha * x)


def _prelu_x_gradient(g: Array, x: Array, alpha: Array) -> Array:
    return select(np.greater(x, 0), g, alpha * g)


def _prelu_alpha_gradient(g: Array, x: Array, alpha: Array) -> Array:
    return summed_to(select(np.greater(x, 0), np.zeros_like(g), x * g), alpha)


def _rrelu(x: Array, *, lower: float, upper: float, training: bool) -> Array:
    """In evaluation, a leaky ReLU with the mean slope; in training slopes are drawn, which is refused."""
    return select(np.greater(x, 0), x, x * _mean_slope(lower, upper, training=training))


def _rrelu_gradient(g: Array, x: Array, *, lower: float, upper: float, training: bool) -> Array:
    return select(np.greater(x, 0), g, g * _mean_slope(lower, upper, training=training))


def _mean_slope(lower: float, upper: float, *, training: bool) -> float:
    if training:
        raise UnreadArgumentError("training")
    return (lower + upper) / 2


def _halves(x: Array, dim: int) -> tuple[Array, Array]:
    front = np.moveaxis(x, dim, 0)
    middle = np.shape(x)[dim] // 2
    return np.moveaxis(front[:middle], 0, dim), np.moveaxis(front[middle:], 0, dim)


def _glu(x: Array, *, dim: int) -> Array:
    value, gate = _halves(x, dim)
    return value * sigmoid(gate)


def _glu_gradient(g: Array, x: Array, *, dim: int) -> Array:
    value, gate = _halves(x, dim)
    open_part = sigmoid(gate)
    return np.concatenate([open_part * g, (1 - open_part) * open_part * value * g], axis=dim)


def _safe_softmax(x: Array, *, dim: int, dtype: str | None) -> Array:
    """The softmax; 0 where all of a row is −∞."""
    if dtype is not None:
        raise UnreadArgumentError("dtype")
    front = np.moveaxis(x, dim, 0)
    largest = np.maximum.reduce(front, axis=0, keepdims=True)
    dead = np.logical_and(np.isinf(largest), np.less(largest, 0))
    return np.moveaxis(select(dead, np.zeros_like(front), softmax(front)), 0, dim)


def _safe_softmax_gradient(g: Array, x: Array, y: Array, *, dim: int) -> Array:
    return np.moveaxis(softmax_jacobian(*(np.moveaxis(array, dim, 0) for array in (g, x, y))), 0, dim)


def _spread(**options: float | str) -> Iterator[Sample]:
    rng = np.random.default_rng(15)
    yield Sample({"x": 3 * rng.standard_normal((2, 3, 4))}, options)
    yield Sample({"x": np.linspace(-21, 21, 29)}, options)
    yield Sample({"x": np.asarray(-0.7)}, options)


def _elus() -> Iterator[Sample]:
    yield from _spread()
    yield from _spread(alpha=1.67, scale=1.05)
    yield from _spread(alpha=0.3, scale=1.5, input_scale=0.7)


def _gelus() -> Iterator[Sample]:
    yield from _spread()
    yield from _spread(approximate="tanh")


def _slopes() -> Iterator[Sample]:
    rng = np.random.default_rng(16)
    x = rng.standard_normal((2, 3, 4))
    yield Sample({"x": x, "alpha": np.array([[[0.25]]])})
    yield Sample({"x": x, "alpha": rng.standard_normal((1, 3, 1))})
    yield Sample({"x": x[0], "alpha": rng.standard_normal((1, 4))})


def _noises() -> Iterator[Sample]:
    x = np.random.default_rng(17).standard_normal((3, 4))
    for options in ({}, {"lower": 0.2, "upper": 0.5}):
        yield Sample({"x": x, "noise": np.zeros((3, 4))}, options)


def _gated() -> Iterator[Sample]:
    rng = np.random.default_rng(18)
    for shape, dim in (((2, 6), -1), ((4, 3, 2), 0), ((1, 4, 3), 1)):
        yield Sample({"x": rng.standard_normal(shape)}, {"dim": dim})


def _masked() -> Iterator[Sample]:
    x = np.random.default_rng(19).standard_normal((2, 3, 4))
    x[0, 1], x[1, 2, 1:3] = -np.inf, -np.inf
    yield Sample({"x": x}, {"dim": -1})
    yield Sample({"x": x[1]}, {"dim": 0})


OPERATIONS = (
    define(
        "elu",
        (_elu, r"s \begin{cases} x & x > 0 \\ \alpha (e^{t x} - 1) & x \le 0 \end{cases}"),
        {"x": (_elu_gradient, r"g s \begin{cases} 1 & x > 0 \\ t \alpha e^{t x} & x \le 0 \end{cases}")},
        options={"alpha": 1, "scale": 1, "input_scale": 1},
        torch="torch.nn.functional.elu",
        aten={"aten.elu.default": "x alpha scale input_scale -> y"},
        samples=_elus,
    ),
    define(
        "gelu",
        (_gelu, GELUS["none"].latex),
        {"x": (_gelu_gradient, rf"g \left({GELUS['none'].latex_derivative}\right)")},
        options={"approximate": "none"},
        torch="torch.nn.functional.gelu",
        aten={"aten.gelu.default": "x approximate -> y"},
        samples=_gelus,
    ),
    define(
        "logsigmoid",
        {"buffer": (_logsigmoid_buffer, r"e^{-|x|}"), "y": (_logsigmoid, ACTIVATIONS["logsigmoid"].latex)},
        {"x": (_logsigmoid_gradient, r"g\,\sigma(-x)")},
        torch="torch.nn.functional.logsigmoid",
        aten={"aten.log_sigmoid_forward.default": "x -> y buffer"},
        samples=_spread,
    ),
    define(
        "prelu",
        (_prelu, ACTIVATIONS["prelu"].latex),
        {
            "x": (_prelu_x_gradient, r"g \begin{cases} 1 & x > 0 \\ \alpha & x \le 0 \end{cases}"),
            "alpha": (_prelu_alpha_gradient, r"\sum g \min(0, x)"),
        },
        torch="torch.nn.functional.prelu",
        aten={"aten._prelu_kernel.default": "x alpha -> y"},
        learned={"alpha": "weight"},
        samples=_slopes,
    ),
    define(
        "rrelu",
        (_rrelu, r"\begin{cases} x & x > 0 \\ \tfrac{l + u}{2} x & x \le 0 \end{cases}"),
        {"x": (_rrelu_gradient, r"g \begin{cases} 1 & x > 0 \\ \tfrac{l + u}{2} & x \le 0 \end{cases}")},
        operands=("x", "noise"),
        options={"lower": 1 / 8, "upper": 1 / 3, "training": False},
        torch="torch.nn.functional.rrelu",
        aten={"aten.rrelu_with_noise.default": "x noise lower upper training - -> y"},
        samples=_noises,
    ),
    define(
        "glu",
        (_glu, r"a\,\sigma(b), \; x = (a, b)"),
        {"x": (_glu_gradient, r"\left(g\,\sigma(b),\; g a\,\sigma(b) (1 - \sigma(b))\right)")},
        options={"dim": -1},
        torch="torch.nn.functional.glu",
        aten={"aten.glu.default": "x dim -> y"},
        samples=_gated,
    ),
    define(
        "safe_softmax",
        (_safe_softmax, ACTIVATIONS["softmax"].latex),
        {"x": (_safe_softmax_gradient, r"y (g - \sum_j g_j y_j)")},
        options={"dim": REQUIRED, "dtype": None},
        aten={"aten._safe_softmax.default": "x dim dtype -> y"},
        samples=_masked,
    ),
)
