"""Comparisons and what is made of them: truth values are data, and nothing is differentiated.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array
from reference.operation import Operation, Sample, define


def _compared() -> Iterator[Sample]:
    rng = np.random.default_rng(12)
    x = np.rint(2 * rng.standard_normal((3, 4)))  # with ties
    yield Sample({"x": x, "z": np.rint(2 * rng.standard_normal((2, 1, 4)))})
    yield Sample({"x": x, "z": 1})
    yield Sample({"x": np.arange(4), "z": np.array([[3], [2]])})


def _truths() -> Iterator[Sample]:
    x, z = np.array([[True], [False]]), np.array([True, False, True])
    yield Sample({"x": x, "z": z})


def _numbers() -> Iterator[Sample]:
    yield Sample({"x": np.array([[0.0, 1.0, -np.inf], [np.nan, np.inf, -2.0]])})


def _comparison(name: str, function: Callable[[Array, Array], Array], latex: str) -> Operation:
    aten = {f"aten.{name}.{overload}": "x z -> y" for overload in ("Tensor", "Scalar")}
    return define(name, (function, latex), {}, torch=f"torch.{name}", aten=aten, samples=_compared)


def _connective(name: str, function: Callable[[Array, Array], Array], latex: str) -> Operation:
    """Of truth values, PyTorch's bitwise operation is the logical one."""
    aten = {f"aten.logical_{name}.default": "x z -> y", f"aten.bitwise_{name}.Tensor": "x z -> y"}
    torch = f"torch.logical_{name}"
    return define(f"logical_{name}", (function, latex), {}, torch=torch, aten=aten, samples=_truths)


def _predicate(name: str, function: Callable[[Array], Array], latex: str) -> Operation:
    aten = {f"aten.{name}.default": "x -> y"}
    return define(name, (function, latex), {}, torch=f"torch.{name}", aten=aten, samples=_numbers)


def _bits(x: Array) -> Array:
    """Of truth values, not; of whole numbers, −x − 1."""
    return np.invert(x)


def _integers() -> Iterator[Sample]:
    yield Sample({"x": np.array([True, False])})
    yield Sample({"x": np.arange(-2, 3)})


OPERATIONS = (
    _comparison("eq", lambda x, z: np.equal(x, z), r"[x = z]"),
    _comparison("ne", lambda x, z: np.not_equal(x, z), r"[x \ne z]"),
    _comparison("lt", lambda x, z: np.less(x, z), r"[x < z]"),
    _comparison("le", lambda x, z: np.less_equal(x, z), r"[x \le z]"),
    _comparison("gt", lambda x, z: np.greater(x, z), r"[x > z]"),
    _comparison("ge", lambda x, z: np.greater_equal(x, z), r"[x \ge z]"),
    _connective("and", lambda x, z: np.logical_and(x, z), r"x \land z"),
    _connective("or", lambda x, z: np.logical_or(x, z), r"x \lor z"),
    _connective("xor", lambda x, z: np.not_equal(x, z), r"x \oplus z"),
    _predicate("logical_not", lambda x: np.logical_not(x), r"\lnot x"),
    _predicate("isnan", lambda x: np.isnan(x), r"[x = \mathrm{NaN}]"),
    _predicate("isinf", lambda x: np.isinf(x), r"[|x| = \infty]"),
    define(
        "bitwise_not",
        (_bits, r"\lnot x"),
        {},
        torch="torch.bitwise_not",
        aten={"aten.bitwise_not.default": "x -> y"},
        samples=_integers,
    ),
)
