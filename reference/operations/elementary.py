"""Functions of one number, element by element, with their derivatives.

The derivatives are written in PyTorch's order of operations, from x or from y, whichever it keeps.
Source: PyTorch's pages of the functions, and derivatives.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, Scalar, erf, select
from reference.formula import Formula
from reference.operation import Operation, Sample, define
from reference.operations.shapes import summed_to


def _real() -> Iterator[Sample]:
    rng = np.random.default_rng(5)
    yield Sample({"x": 2 * rng.standard_normal((2, 3, 4))})
    yield Sample({"x": np.array([0.0, -0.0, 0.5, 1.5, -2.5])})
    yield Sample({"x": np.asarray(0.7)})
    yield Sample({"x": np.zeros((0, 3))})


def _positive() -> Iterator[Sample]:
    rng = np.random.default_rng(6)
    yield Sample({"x": np.exp(rng.standard_normal((2, 3, 4)))})
    yield Sample({"x": np.asarray(1.0)})


def _inside_one() -> Iterator[Sample]:
    rng = np.random.default_rng(59)
    yield Sample({"x": np.tanh(rng.standard_normal((2, 3, 4)))})
    yield Sample({"x": np.array([0.0, -0.0, 0.5, -0.75])})
    yield Sample({"x": np.zeros((0, 3))})


def _above_one() -> Iterator[Sample]:
    rng = np.random.default_rng(60)
    yield Sample({"x": 1 + np.exp(rng.standard_normal((2, 3, 4)))})
    yield Sample({"x": np.asarray(1.5)})


def _unary(
    name: str,
    forward: tuple[Callable[[Array], Array], str],
    back: tuple[Callable[..., Array], str],
    *also: str,
    samples: Callable[[], Iterator[Sample]] = _real,
) -> Operation:
    """A function f and g ⊙ f′; `also` are further names under which PyTorch dispatches it."""
    aten = {f"aten.{known}.default": "x -> y" for known in (name, *also)}
    return define(name, forward, {"x": back}, torch=f"torch.{name}", aten=aten, samples=samples)


def _inverse_root(x: Array) -> Array:
    return np.reciprocal(np.sqrt(x))


def _no_slope(g: Array) -> Array:
    return np.zeros_like(g)


LOG_10 = 2.3025850929940456
"""As PyTorch writes it: the other of the two doubles on both sides of log 10, nearly as close."""

FLAT = (_no_slope, r"0")
"""The derivative of a step, wherever it has one."""

UNARY = (
    _unary("neg", (lambda x: np.negative(x), r"-x"), (lambda g: -g, r"-g")),
    _unary(
        "abs", (lambda x: np.absolute(x), r"|x|"), (lambda g, x: g * np.sign(x), r"g \operatorname{sign} x")
    ),
    _unary("sign", (lambda x: np.sign(x), r"\operatorname{sign} x"), FLAT, "sgn"),
    _unary("floor", (lambda x: np.floor(x), r"\lfloor x \rfloor"), FLAT),
    _unary("ceil", (lambda x: np.ceil(x), r"\lceil x \rceil"), FLAT),
    _unary("round", (lambda x: np.rint(x), r"\operatorname{round} x"), FLAT),
    _unary("trunc", (lambda x: np.trunc(x), r"\operatorname{trunc} x"), FLAT),
    _unary(
        "sqrt",
        (lambda x: np.sqrt(x), r"\sqrt{x}"),
        (lambda g, y: g / (2 * y), r"\frac{g}{2 y}"),
        samples=_positive,
    ),
    _unary(
        "rsqrt",
        (lambda x: np.reciprocal(np.sqrt(x)), r"\frac{1}{\sqrt{x}}"),
        (lambda g, y: (-0.5 * g) * (y * y * y), r"-\tfrac{1}{2} g y^3"),
        samples=_positive,
    ),
    _unary(
        "reciprocal",
        (lambda x: np.reciprocal(x), r"\frac{1}{x}"),
        (lambda g, y: -g * (y * y), r"-g y^2"),
        samples=_positive,
    ),
    _unary("exp", (lambda x: np.exp(x), r"e^x"), (lambda g, y: g * y, r"g y")),
    _unary("exp2", (lambda x: np.exp2(x), r"2^x"), (lambda g, y: g * y * math.log(2), r"g y \log 2")),
    _unary("expm1", (lambda x: np.expm1(x), r"e^x - 1"), (lambda g, y: g * (y + 1), r"g (y + 1)")),
    _unary(
        "log", (lambda x: np.log(x), r"\log x"), (lambda g, x: g / x, r"\frac{g}{x}"), samples=_positive
    ),
    _unary(
        "log2",
        (lambda x: np.log2(x), r"\log_2 x"),
        (lambda g, x: g / (x * math.log(2)), r"\frac{g}{x \log 2}"),
        samples=_positive,
    ),
    _unary(
        "log10",
        (lambda x: np.log10(x), r"\log_{10} x"),
        (lambda g, x: g / (x * LOG_10), r"\frac{g}{x \log 10}"),
        samples=_positive,
    ),
    _unary(
        "log1p",
        (lambda x: np.log1p(x), r"\log(1 + x)"),
        (lambda g, x: g / (x + 1), r"\frac{g}{x + 1}"),
        samples=_positive,
    ),
    _unary("sin", (lambda x: np.sin(x), r"\sin x"), (lambda g, x: g * np.cos(x), r"g \cos x")),
    _unary("cos", (lambda x: np.cos(x), r"\cos x"), (lambda g, x: g * -np.sin(x), r"-g \sin x")),
    _unary("tan", (lambda x: np.tan(x), r"\tan x"), (lambda g, y: g * (1 + np.square(y)), r"g (1 + y^2)")),
    _unary("sinh", (lambda x: np.sinh(x), r"\sinh x"), (lambda g, x: g * np.cosh(x), r"g \cosh x")),
    _unary("cosh", (lambda x: np.cosh(x), r"\cosh x"), (lambda g, x: g * np.sinh(x), r"g \sinh x")),
    _unary(
        "asin",
        (lambda x: np.arcsin(x), r"\arcsin x"),
        (lambda g, x: g * _inverse_root(1 - np.square(x)), r"\frac{g}{\sqrt{1 - x^2}}"),
        samples=_inside_one,
    ),
    _unary(
        "acos",
        (lambda x: np.arccos(x), r"\arccos x"),
        (lambda g, x: g * -_inverse_root(1 - np.square(x)), r"-\frac{g}{\sqrt{1 - x^2}}"),
        samples=_inside_one,
    ),
    _unary(
        "atan",
        (lambda x: np.arctan(x), r"\arctan x"),
        (lambda g, x: g / (np.square(x) + 1), r"\frac{g}{x^2 + 1}"),
    ),
    _unary(
        "asinh",
        (lambda x: np.arcsinh(x), r"\operatorname{arsinh} x"),
        (lambda g, x: g * _inverse_root(np.square(x) + 1), r"\frac{g}{\sqrt{x^2 + 1}}"),
    ),
    _unary(
        "acosh",
        (lambda x: np.arccosh(x), r"\operatorname{arcosh} x"),
        (lambda g, x: g * _inverse_root(np.square(x) - 1), r"\frac{g}{\sqrt{x^2 - 1}}"),
        samples=_above_one,
    ),
    _unary(
        "atanh",
        (lambda x: np.arctanh(x), r"\operatorname{artanh} x"),
        (lambda g, x: g * np.reciprocal(1 - np.square(x)), r"\frac{g}{1 - x^2}"),
        samples=_inside_one,
    ),
    _unary(
        "erf",
        (lambda x: erf(x), r"\operatorname{erf} x"),
        (
            lambda g, x: 2 / math.sqrt(math.pi) * np.exp(-np.square(x)) * g,
            r"\tfrac{2}{\sqrt\pi} e^{-x^2} g",
        ),
    ),
)


def _power(x: Scalar, p: Scalar) -> Array:
    """x^p, of which one may be a Python number: y, in the shape of both together."""
    return np.power(x, p)


def _power_by_squares(x: Array, p: Scalar) -> Array:
    """PyTorch's x^(−2) is 1/(x x), whose square overflows and underflows earlier."""
    return np.reciprocal(np.square(x)) if isinstance(p, float | int) and p == -2 else np.power(x, p)


def _base_gradient(g: Array, x: Array, p: Scalar) -> Array:
    """g p x^(p − 1), and 0 of an exponent 0, also where x is 0."""
    return _through_base(g, x, p, np.power(x, p - 1))


def _base_gradient_by_squares(g: Array, x: Array, p: Scalar) -> Array:
    return _through_base(g, x, p, _power_by_squares(x, p - 1))


def _through_base(g: Array, x: Array, p: Scalar, below: Array) -> Array:
    return summed_to(select(np.equal(p, 0), np.zeros_like(g), g * (p * below)), x)


def _exponent_gradient(g: Array, y: Array, x: Scalar, p: Array) -> Array:
    """g y log x; 0 where x is 0 and the exponent is not below it."""
    flat = np.logical_and(np.equal(x, 0), np.greater_equal(p, 0))
    logarithm = float(np.log(x)) if isinstance(x, float | int) else np.log(x)
    return summed_to(select(flat, np.zeros_like(g), g * (y * logarithm)), p)


def _powers() -> Iterator[Sample]:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, 3, 4))
    for p in (0, 1, 2, 3, 4, -1, -2, -3, 2.0):
        yield Sample({"x": x, "p": p})
    for p in (0.5, -0.5, 1.7, -1.3):
        yield Sample({"x": np.exp(x), "p": p})
    yield Sample({"x": np.exp(x), "p": rng.standard_normal((3, 1))})
    yield Sample({"x": np.array([0.0, 0.0, 1.0]), "p": np.array([0.0, 2.0, 0.5])})
    yield Sample({"x": 1.7, "p": rng.standard_normal((2, 3))})


POWER = Operation(
    "power",
    ("x", "p"),
    {"y": Formula("power", r"x^p", _power, other_forms=(_power_by_squares,), also=(_power_by_squares,))},
    {
        "x": Formula(
            "power_input_gradient",
            r"g p x^{p - 1}",
            _base_gradient,
            other_forms=(_base_gradient_by_squares,),
            also=(_base_gradient_by_squares,),
        ),
        "p": Formula("power_exponent_gradient", r"g y \log x", _exponent_gradient),
    },
    torch="torch.pow",
    aten={
        "aten.pow.Tensor_Scalar": "x p -> y",
        "aten.pow.Tensor_Tensor": "x p -> y",
        "aten.pow.Scalar": "x p -> y",
    },
    samples=_powers,
)


def _xlogy(x: Scalar, z: Scalar) -> Array:
    """x log z; 0 where x is 0, whatever z is."""
    product = x * np.log(z)
    return select(np.equal(x, 0), np.zeros_like(product), product)


def _xlogy_x_gradient(g: Array, x: Array, z: Scalar) -> Array:
    flat = np.logical_and(np.equal(x, 0), np.less_equal(z, 0))
    return summed_to(g * select(flat, np.zeros_like(g), np.log(z) * np.ones_like(g)), x)


def _xlogy_z_gradient(g: Array, x: Scalar, z: Array) -> Array:
    return summed_to(g * x / z, z)


def _xlogy_z_gradient_by_quotient(g: Array, x: Scalar, z: Array) -> Array:
    return summed_to(g * (x / z), z)


def _logarithms() -> Iterator[Sample]:
    rng = np.random.default_rng(57)
    z = np.exp(rng.standard_normal((3, 4)))
    yield Sample({"x": rng.standard_normal((2, 1, 4)), "z": z})
    yield Sample({"x": np.array([0.0, 0.5, 0.0, 1.0]), "z": z})


XLOGY = Operation(
    "xlogy",
    ("x", "z"),
    {"y": Formula("xlogy", r"x \log z", _xlogy)},
    {
        "x": Formula("xlogy_input_gradient", r"g \log z", _xlogy_x_gradient),
        "z": Formula(
            "xlogy_z_gradient",
            r"g \frac{x}{z}",
            _xlogy_z_gradient,
            other_forms=(_xlogy_z_gradient_by_quotient,),
            also=(_xlogy_z_gradient_by_quotient,),
        ),
    },
    torch="torch.xlogy",
    aten={"aten.xlogy.Tensor": "x z -> y"},
    samples=_logarithms,
)

OPERATIONS = (*UNARY, POWER, XLOGY)
