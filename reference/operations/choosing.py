"""Choosing between numbers: the larger, the smaller, by a mask. Errors go back to what was chosen.

Operands broadcast; a Python number may stand in a tensor's place.
Source: PyTorch's pages of the functions; `clamp_backward` and its like in FunctionsManual.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Data, Scalar, select
from reference.operation import Sample, define
from reference.operations.shapes import broadcast, summed_to


def _maximum(x: Array, z: Array) -> Array:
    return np.maximum(x, z)


def _minimum(x: Array, z: Array) -> Array:
    return np.minimum(x, z)


def _to_larger(g: Array, one: Array, other: Array) -> Array:
    """g to the larger of two, half of it to each of two equal ones."""
    return select(np.equal(one, other), g / 2, select(np.greater(one, other), g, np.zeros_like(g)))


def _maximum_x_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(_to_larger(g, x, z), x)


def _maximum_z_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(_to_larger(g, z, x), z)


def _minimum_x_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(_to_larger(g, z, x), x)


def _minimum_z_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(_to_larger(g, x, z), z)


def _clamp(x: Array, low: Scalar | None, high: Scalar | None) -> Array:
    """min(max(x, low), high), each of the two where it is given."""
    raised = x if low is None else np.maximum(x, low)
    return raised if high is None else np.minimum(raised, high)


def _clamp_x_gradient(g: Array, x: Array, low: Scalar | None, high: Scalar | None) -> Array:
    """g where low ≤ x ≤ high, both ends included."""
    kept = g if low is None else select(np.greater_equal(x, low), g, np.zeros_like(g))
    return summed_to(kept if high is None else select(np.less_equal(x, high), kept, np.zeros_like(g)), x)


def _clamp_low_gradient(g: Array, x: Array, low: Array, high: Array | None) -> Array:
    """g where x < low, and low < high."""
    raised = select(np.less(x, low), g, np.zeros_like(g))
    return summed_to(raised if high is None else select(np.less(low, high), raised, np.zeros_like(g)), low)


def _clamp_high_gradient(g: Array, x: Array, low: Array | None, high: Array) -> Array:
    """g where x > high, and everywhere where high < low."""
    lowered = select(np.greater(x, high), g, np.zeros_like(g))
    return summed_to(lowered if low is None else select(np.less(high, low), g, lowered), high)


def _where(condition: Data, x: Array, z: Array) -> Array:
    return np.where(condition, x, z)


def _where_x_gradient(g: Array, condition: Data, x: Array) -> Array:
    return summed_to(np.where(condition, g, 0.0), x)


def _where_z_gradient(g: Array, condition: Data, z: Array) -> Array:
    return summed_to(np.where(condition, 0.0, g), z)


def _masked_fill(x: Array, mask: Data, value: Scalar) -> Array:
    return np.where(mask, value, x)


def _masked_fill_x_gradient(g: Array, x: Array, mask: Data) -> Array:
    return summed_to(np.where(mask, 0.0, g), x)


def _masked_fill_value_gradient(g: Array, mask: Data, value: Array) -> Array:
    return summed_to(np.where(mask, g, 0.0), value)


def _pairs() -> Iterator[Sample]:
    rng = np.random.default_rng(8)
    x = np.rint(2 * rng.standard_normal((3, 4)))  # with ties
    yield Sample({"x": x, "z": np.rint(2 * rng.standard_normal((3, 4)))})
    yield Sample({"x": x, "z": np.rint(2 * rng.standard_normal((2, 1, 4)))})
    yield Sample({"x": x, "z": np.asarray(1.0)})


def _clamps() -> Iterator[Sample]:
    rng = np.random.default_rng(9)
    x = np.concatenate([2 * rng.standard_normal((3, 4)), np.array([[-0.5, 0.5, 1.0, -1.0]])])
    for low, high in ((-0.5, 0.75), (0.5, None), (None, 0.5), (1.0, -1.0)):
        yield Sample({"x": x, "low": low, "high": high})
    lows, highs = rng.standard_normal((4, 1)), rng.standard_normal(4)
    yield Sample({"x": x, "low": lows, "high": None})
    yield Sample({"x": x, "low": None, "high": highs})
    yield Sample({"x": x, "low": lows, "high": highs})
    yield Sample({"x": np.arange(6), "low": 2, "high": 4})


def _masks() -> Iterator[Sample]:
    rng = np.random.default_rng(10)
    x = rng.standard_normal((3, 4))
    yield Sample({"condition": x > 0, "x": x, "z": rng.standard_normal((2, 1, 4))})
    yield Sample({"condition": x[0] > 0, "x": rng.standard_normal((3, 1)), "z": np.asarray(0.5)})


def _fills() -> Iterator[Sample]:
    rng = np.random.default_rng(11)
    x = rng.standard_normal((2, 3, 4))
    for value in (-0.3, float("-inf"), np.asarray(0.7)):
        yield Sample({"x": x, "mask": x > 0, "value": value})
    yield Sample({"x": x, "mask": x[0, :1] > 0, "value": 0})


MAXIMUM = define(
    "maximum",
    (_maximum, r"\max(x, z)"),
    {
        "x": (_maximum_x_gradient, r"g [x > z] + \tfrac{g}{2} [x = z]"),
        "z": (_maximum_z_gradient, r"g [z > x] + \tfrac{g}{2} [x = z]"),
    },
    torch="torch.maximum",
    aten={"aten.maximum.default": "x z -> y"},
    fits=broadcast,
    samples=_pairs,
)
MINIMUM = define(
    "minimum",
    (_minimum, r"\min(x, z)"),
    {
        "x": (_minimum_x_gradient, r"g [x < z] + \tfrac{g}{2} [x = z]"),
        "z": (_minimum_z_gradient, r"g [z < x] + \tfrac{g}{2} [x = z]"),
    },
    torch="torch.minimum",
    aten={"aten.minimum.default": "x z -> y"},
    fits=broadcast,
    samples=_pairs,
)
CLAMP = define(
    "clamp",
    (_clamp, r"\min(\max(x, m), M)"),
    {
        "x": (_clamp_x_gradient, r"g [m \le x \le M]"),
        "low": (_clamp_low_gradient, r"g [x < m < M]"),
        "high": (_clamp_high_gradient, r"g [x > M \lor M < m]"),
    },
    operands=("x", "low?", "high?"),
    torch="torch.clamp",
    aten={
        "aten.clamp.default": "x low high -> y",
        "aten.clamp.Tensor": "x low high -> y",
        "aten.clamp_min.default": "x low -> y",
        "aten.clamp_min.Tensor": "x low -> y",
        "aten.clamp_max.default": "x high -> y",
        "aten.clamp_max.Tensor": "x high -> y",
    },
    samples=_clamps,
)
WHERE = define(
    "where",
    (_where, r"\begin{cases} x & c \\ z & \lnot c \end{cases}"),
    {"x": (_where_x_gradient, r"g [c]"), "z": (_where_z_gradient, r"g [\lnot c]")},
    torch="torch.where",
    aten={"aten.where.self": "condition x z -> y"},
    fits=broadcast,
    samples=_masks,
)
MASKED_FILL = define(
    "masked_fill",
    (_masked_fill, r"\begin{cases} v & m \\ x & \lnot m \end{cases}"),
    {
        "x": (_masked_fill_x_gradient, r"g [\lnot m]"),
        "value": (_masked_fill_value_gradient, r"\sum g [m]"),
    },
    torch="torch.Tensor.masked_fill",
    aten={"aten.masked_fill.Scalar": "x mask value -> y", "aten.masked_fill.Tensor": "x mask value -> y"},
    samples=_fills,
)

OPERATIONS = (MAXIMUM, MINIMUM, CLAMP, WHERE, MASKED_FILL)
