"""Arithmetic, number by number; operands broadcast, and their gradients are summed back.

A Python number may stand in a tensor's place: it is a constant of the formula, and is not differentiated.
Source: PyTorch's pages of the functions, and derivatives.yaml for the order of operations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Scalar
from reference.formula import Formula
from reference.operation import Operation, Sample, UnreadArgumentError, define
from reference.operations.shapes import broadcast, summed_to


def _scaled(z: Array, alpha: float) -> Array:
    return z if alpha == 1 else z * alpha


def _times_alpha(z: Scalar, x: Array, alpha: float) -> Scalar:
    """α z; of a Python number in x's format, in which both are rounded before they are multiplied."""
    if alpha == 1:
        return z
    return (np.full_like(x, z) if isinstance(z, float | int) else z) * alpha


def _add(x: Array, z: Scalar, *, alpha: float) -> Array:
    return np.add(x, _times_alpha(z, x, alpha))


def _unchanged(g: Array, x: Array) -> Array:
    return summed_to(np.positive(g), x)


def _unchanged_z(g: Array, z: Array) -> Array:
    return _unchanged(g, z)


def _add_z_gradient(g: Array, z: Array, *, alpha: float) -> Array:
    return summed_to(_scaled(g, alpha), z)


def _subtract(x: Array, z: Scalar, *, alpha: float) -> Array:
    return np.subtract(x, _times_alpha(z, x, alpha))


def _subtract_z_gradient(g: Array, z: Array, *, alpha: float) -> Array:
    return summed_to(_scaled(np.negative(g), alpha), z)


def _reversed_subtract(x: Array, z: Array, *, alpha: float) -> Array:
    return np.subtract(z, _scaled(x, alpha))


def _reversed_subtract_x_gradient(g: Array, x: Array, *, alpha: float) -> Array:
    return summed_to(_scaled(np.negative(g), alpha), x)


def _multiply(x: Array, z: Array) -> Array:
    return np.multiply(x, z)


def _multiply_x_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(g * z, x)


def _multiply_z_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(g * x, z)


def _divide(x: Array, z: Array) -> Array:
    return np.divide(x, z)


def _divide_x_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(g / z, x)


def _divide_z_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(-g * ((x / z) / z), z)


def _divide_to_whole(x: Array, z: Array, *, rounding_mode: str | None) -> Array:
    """x/z, rounded down or towards zero; only of exact whole numbers, whose quotients nobody rounds.

    A floating quotient next to a step may fall on either side of it.
    """
    if rounding_mode is None:
        return np.divide(x, z)
    if np.asarray(x).dtype.kind == "f" or not isinstance(x, np.ndarray):
        raise UnreadArgumentError("rounding_mode of floating operands")
    floor = np.floor_divide(x, z)
    return floor if rounding_mode == "floor" else floor + ((floor < 0) & (floor * z != x))


def _square(r: Array) -> Array:
    return np.square(r)


def _square_gradient(g: Array, r: Array) -> Array:
    return np.multiply(np.multiply(2, g), r)


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
    return x + _scaled(p, value) * q


def _addcmul_p_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * _scaled(q, value), p)


def _addcmul_q_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * _scaled(p, value), q)


def _addcdiv(x: Array, p: Array, q: Array, *, value: float) -> Array:
    return x + _scaled(p, value) / q


def _addcdiv_p_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(g * (value / q), p)


def _addcdiv_q_gradient(g: Array, p: Array, q: Array, *, value: float) -> Array:
    return summed_to(-g * (value * p / (q * q)), q)


def _pairs(*, positive: bool = False) -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(1)
    for one, other in (
        ((3, 4), (3, 4)),
        ((2, 3, 4), (4,)),
        ((3, 1), (2, 1, 4)),
        ((5,), ()),
        ((0, 3), (3,)),
    ):
        x, z = rng.standard_normal(one), rng.standard_normal(other)
        yield x, np.asarray(np.exp(z)) if positive else z


def _two(**options: float) -> Iterator[Sample]:
    for x, z in _pairs():
        yield Sample({"x": x, "z": z}, options)
    x = np.random.default_rng(2).standard_normal((2, 3))
    yield Sample({"x": x, "z": 1.7}, options)


def _scaled_pairs() -> Iterator[Sample]:
    yield from _two()
    yield from _two(alpha=-0.3)
    yield Sample({"x": np.arange(6).reshape(2, 3), "z": np.arange(3)})


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


def _whole() -> Iterator[Sample]:
    x, z = np.arange(-6, 6).reshape(3, 4), np.array([-3, 2, 5, 4])
    for rounding_mode in ("floor", "trunc"):
        yield Sample({"x": x, "z": z}, {"rounding_mode": rounding_mode})
        yield Sample({"x": x, "z": 4}, {"rounding_mode": rounding_mode})


def _divisions() -> Iterator[Sample]:
    yield from (Sample({"x": x, "z": z}) for x, z in _pairs(positive=True))
    yield Sample({"x": np.ones((2, 3)), "z": 1.7})


G = r"g"

ADD = define(
    "add",
    (_add, r"x + \alpha z"),
    {"x": (_unchanged, G), "z": (_add_z_gradient, r"\alpha g")},
    options={"alpha": 1},
    label="+",
    fits=broadcast,
    torch="torch.add",
    aten={"aten.add.Tensor": "x z alpha -> y", "aten.add.Scalar": "x z alpha -> y"},
    samples=_scaled_pairs,
)
SUBTRACT = define(
    "subtract",
    (_subtract, r"x - \alpha z"),
    {"x": (_unchanged, G), "z": (_subtract_z_gradient, r"-\alpha g")},
    options={"alpha": 1},
    label="−",
    fits=broadcast,
    torch="torch.sub",
    aten={"aten.sub.Tensor": "x z alpha -> y", "aten.sub.Scalar": "x z alpha -> y"},
    samples=_scaled_pairs,
)
REVERSED_SUBTRACT = define(
    "reversed_subtract",
    (_reversed_subtract, r"z - \alpha x"),
    {"x": (_reversed_subtract_x_gradient, r"-\alpha g"), "z": (_unchanged_z, G)},
    options={"alpha": 1},
    label="−",
    fits=broadcast,
    torch="torch.rsub",
    aten={"aten.rsub.Scalar": "x z alpha -> y", "aten.rsub.Tensor": "x z alpha -> y"},
    samples=_scaled_pairs,
)
MULTIPLY = define(
    "multiply",
    (_multiply, r"x z"),
    {"x": (_multiply_x_gradient, r"g z"), "z": (_multiply_z_gradient, r"g x")},
    label="×",
    fits=broadcast,
    torch="torch.mul",
    aten={"aten.mul.Tensor": "x z -> y", "aten.mul.Scalar": "x z -> y"},
    samples=_two,
)
DIVIDE = define(
    "divide",
    (_divide, r"\frac{x}{z}"),
    {"x": (_divide_x_gradient, r"\frac{g}{z}"), "z": (_divide_z_gradient, r"-g \frac{x}{z^2}")},
    label="÷",
    fits=broadcast,
    torch="torch.div",
    aten={"aten.div.Tensor": "x z -> y", "aten.div.Scalar": "x z -> y"},
    samples=_divisions,
)
DIVIDE_TO_WHOLE = define(
    "divide_to_whole",
    (_divide_to_whole, r"\lfloor x / z \rfloor"),
    {},
    options={"rounding_mode": None},
    label="⌊÷⌋",
    torch="torch.div",
    aten={
        "aten.div.Tensor_mode": "x z rounding_mode -> y",
        "aten.div.Scalar_mode": "x z rounding_mode -> y",
    },
    samples=_whole,
)
SQUARE = define("square", (_square, r"r^2"), {"r": (_square_gradient, r"2 g r")}, label="( )²")
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
        "x": (_unchanged, G),
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
        "x": (_unchanged, G),
        "p": (_addcdiv_p_gradient, r"g \frac{v}{q}"),
        "q": (_addcdiv_q_gradient, r"-g v \frac{p}{q^2}"),
    },
    options={"value": 1},
    torch="torch.addcdiv",
    aten={"aten.addcdiv.default": "x p q value -> y"},
    samples=_three,
)

OPERATIONS = (
    ADD,
    SUBTRACT,
    REVERSED_SUBTRACT,
    MULTIPLY,
    DIVIDE,
    DIVIDE_TO_WHOLE,
    SQUARE,
    LERP,
    ADDCMUL,
    ADDCDIV,
)
