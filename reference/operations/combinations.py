"""Arithmetic of three tensors at once, number by number; operands broadcast.

Source: PyTorch's pages of the functions; ATen/native/Lerp.h; derivatives.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array
from reference.formula import Formula
from reference.operation import Operation, Sample, define
from reference.operations.shapes import summed_to


def _times(z: Array, factor: float) -> Array:
    return z if factor == 1 else z * factor


def _x_gradient(g: Array, x: Array) -> Array:
    return summed_to(np.positive(g), x)


def _lerp(x: Array, end: Array, weight: Array) -> Array:
    """From x to end, a part `weight` of the way, counted from the nearer end as PyTorch does."""
    return x + weight * (end - x)


def _lerp_from_the_end(x: Array, end: Array, weight: Array) -> Array:
    return end - (end - x) * (1 - weight)


def _lerp_x_gradient(g: Array, x: Array, weight: Array) -> Array:
    return summed_to(g * (1 - weight), x)


def _lerp_end_gradient(g: Array, end: Array, weight: Array) -> Array:
    return summed_to(g * weight, end)


def _lerp_weight_gradient(g: Array, x: Array, end: Array, weight: Array) -> Array:
    return summed_to(g * (end - x), weight)


def _addcmul(x: Array, p: Array, q: Array, *, value: float) -> Array:
    return x + _times(p, value) * q


def _addcmul_p_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * _times(q, value), p)


def _addcmul_q_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * _times(p, value), q)


def _addcdiv(x: Array, p: Array, q: Array, *, value: float) -> Array:
    return x + _times(p, value) / q


def _addcdiv_p_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * (value / q), p)


def _addcdiv_q_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(-g * (value * p / (q * q)), q)


def _three() -> Iterator[Sample]:
    rng = np.random.default_rng(3)
    for value in (1, 0.7):
        x, p, q = (rng.standard_normal(shape) for shape in ((2, 3), (3,), (4, 2, 1)))
        yield Sample({"x": x, "p": p, "q": q}, {"value": value})


def _blends() -> Iterator[Sample]:
    rng = np.random.default_rng(4)
    x, end = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    for weight in (0.25, 0.9, 1.7, -0.4):
        yield Sample({"x": x, "end": end, "weight": weight})
    yield Sample({"x": x, "end": end, "weight": rng.uniform(0.1, 0.9, (2, 3))})


LERP = Operation(
    "lerp",
    ("x", "end", "weight"),
    {
        "y": Formula(
            "lerp", r"x + w (e - x)", _lerp, other_forms=(_lerp_from_the_end,), also=(_lerp_from_the_end,)
        )
    },
    {
        "x": Formula("lerp_input_gradient", r"g (1 - w)", _lerp_x_gradient),
        "end": Formula("lerp_end_gradient", r"g w", _lerp_end_gradient),
        "weight": Formula("lerp_weight_gradient", r"g (e - x)", _lerp_weight_gradient),
    },
    torch="torch.lerp",
    aten={"aten.lerp.Scalar": "x end weight -> y", "aten.lerp.Tensor": "x end weight -> y"},
    samples=_blends,
)
ADDCMUL = define(
    "addcmul",
    (_addcmul, r"x + v p q"),
    {
        "x": (_x_gradient, r"g"),
        "p": (_addcmul_p_gradient, r"v g q"),
        "q": (_addcmul_q_gradient, r"v g p"),
    },
    options={"value": 1},
    torch="torch.addcmul",
    aten={"aten.addcmul.default": "x p q value -> y"},
    samples=_three,
)
ADDCDIV = define(
    "addcdiv",
    (_addcdiv, r"x + v \frac{p}{q}"),
    {
        "x": (_x_gradient, r"g"),
        "p": (_addcdiv_p_gradient, r"g \frac{v}{q}"),
        "q": (_addcdiv_q_gradient, r"-g v \frac{p}{q^2}"),
    },
    options={"value": 1},
    torch="torch.addcdiv",
    aten={"aten.addcdiv.default": "x p q value -> y"},
    samples=_three,
)

OPERATIONS = (LERP, ADDCMUL, ADDCDIV)
