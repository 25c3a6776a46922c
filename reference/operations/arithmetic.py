"""Arithmetic, number by number; operands broadcast, and their gradients are summed back.

A Python number may stand in a tensor's place: it is a constant of the formula, and is not differentiated.
Source: PyTorch's pages of the functions, and derivatives.yaml for the order of operations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Scalar
from reference.operation import Sample, UnreadArgumentError, define
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
    """x/z, rounded down or towards zero.

    The quotient of floating numbers is rounded first: next to a step it may fall on either side of it.
    """
    if rounding_mode is None:
        return np.divide(x, z)
    if not _whole_numbers(x):
        return (np.floor if rounding_mode == "floor" else np.trunc)(np.divide(x, z))
    if not _whole_numbers(z):
        raise UnreadArgumentError("rounding_mode of whole numbers and floating ones")
    floor = np.floor_divide(x, z)
    return floor if rounding_mode == "floor" else floor + ((floor < 0) & (floor * z != x))


def _whole_numbers(x: object) -> bool:
    return isinstance(x, int) or (isinstance(x, np.ndarray) and x.dtype.kind != "f")


def _divide_to_whole_x_gradient(g: Array, x: Array, z: Array, *, rounding_mode: str | None) -> Array:
    """0, the slope of a step wherever it has one."""
    if rounding_mode is None:
        return _divide_x_gradient(g, x, z)
    return summed_to(np.zeros_like(g), x)


def _divide_to_whole_z_gradient(g: Array, x: Array, z: Array, *, rounding_mode: str | None) -> Array:
    if rounding_mode is None:
        return _divide_z_gradient(g, x, z)
    return summed_to(np.zeros_like(g), z)


def _remainder(x: Array, z: Array) -> Array:
    """x − z ⌊x/z⌋, of whole numbers."""
    if not _whole_numbers(x):
        raise UnreadArgumentError("remainder of floating operands")
    return np.remainder(x, z)


def _floor_divide(x: Array, z: Array) -> Array:
    return _divide_to_whole(x, z, rounding_mode="floor")


def _square(r: Array) -> Array:
    return np.square(r)


def _square_gradient(g: Array, r: Array) -> Array:
    return np.multiply(np.multiply(2, g), r)


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


def _whole() -> Iterator[Sample]:
    x, z = np.arange(-6, 6).reshape(3, 4), np.array([-3, 2, 5, 4])
    for rounding_mode in ("floor", "trunc"):
        yield Sample({"x": x, "z": z}, {"rounding_mode": rounding_mode})
        yield Sample({"x": x, "z": 4}, {"rounding_mode": rounding_mode})
    for mode in ("floor", "trunc", None):
        yield from (Sample({"x": x, "z": z}, {"rounding_mode": mode}) for x, z in _pairs(positive=True))


def _whole_pairs() -> Iterator[Sample]:
    x, z = np.arange(-6, 6).reshape(3, 4), np.array([-3, 2, 5, 4])
    yield Sample({"x": x, "z": z})
    yield Sample({"x": x, "z": 5})


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
    {"x": (_divide_to_whole_x_gradient, r"0"), "z": (_divide_to_whole_z_gradient, r"0")},
    options={"rounding_mode": None},
    fits=broadcast,
    label="⌊÷⌋",
    torch="torch.div",
    aten={
        "aten.div.Tensor_mode": "x z rounding_mode -> y",
        "aten.div.Scalar_mode": "x z rounding_mode -> y",
    },
    samples=_whole,
)
REMAINDER = define(
    "remainder",
    (_remainder, r"x - z \lfloor x / z \rfloor"),
    {},
    torch="torch.remainder",
    aten={"aten.remainder.Tensor": "x z -> y", "aten.remainder.Scalar": "x z -> y"},
    samples=_whole_pairs,
)
FLOOR_DIVIDE = define(
    "floor_divide",
    (_floor_divide, r"\lfloor x / z \rfloor"),
    {},
    torch="torch.floor_divide",
    aten={"aten.floor_divide.default": "x z -> y", "aten.floor_divide.Scalar": "x z -> y"},
    samples=_whole_pairs,
)
SQUARE = define("square", (_square, r"r^2"), {"r": (_square_gradient, r"2 g r")}, label="( )²")
OPERATIONS = (
    ADD,
    SUBTRACT,
    REVERSED_SUBTRACT,
    MULTIPLY,
    DIVIDE,
    DIVIDE_TO_WHOLE,
    REMAINDER,
    FLOOR_DIVIDE,
    SQUARE,
)
