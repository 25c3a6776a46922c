"""Tensors taken apart and put together: operations with a list of results or of operands.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED, Sample, define

PARTS = "*parts"


def _between(x: Array, dim: int, start: int, end: int) -> Array:
    return x[(*(slice(None),) * (dim % np.ndim(x)), slice(start, end))]


def _split(x: Array, *, at: int, split_size: int, dim: int) -> Array:
    """The part `at` of parts of one size; the last may be smaller."""
    return _between(x, dim, at * split_size, (at + 1) * split_size)


def _split_with_sizes(x: Array, *, at: int, split_sizes: tuple[int, ...], dim: int) -> Array:
    start = sum(split_sizes[:at])
    return _between(x, dim, start, start + split_sizes[at])


def _joined(*g: Array, dim: int) -> Array:
    return np.concatenate(g, axis=dim)


def _unbind(x: Array, *, at: int, dim: int) -> Array:
    return np.take(x, at, axis=dim)


def _stacked(*g: Array, dim: int) -> Array:
    return np.stack(g, axis=dim)


def _is_placeholder(part: Array) -> bool:
    """An array of no numbers and one axis, which PyTorch lets stand among arrays of any shape."""
    return np.shape(part) == (0,)


def _cat(*parts: Array, dim: int) -> Array:
    joined = [part for part in parts if not _is_placeholder(part)] or parts[:1]
    return np.concatenate(joined, axis=dim)


def _cat_gradient(g: Array, *parts: Array, at: int, dim: int) -> Array:
    """The part of g that is in the place of the part `at`."""
    if _is_placeholder(parts[at]):
        return np.zeros_like(parts[at])
    sizes = [0 if _is_placeholder(part) else np.shape(part)[dim] for part in parts]
    return _between(g, dim, sum(sizes[:at]), sum(sizes[: at + 1]))


def _stack(*parts: Array, dim: int) -> Array:
    return np.stack(parts, axis=dim)


def _stack_gradient(g: Array, *, at: int, dim: int) -> Array:
    return np.take(g, at, axis=dim)


def _divided() -> Iterator[Sample]:
    rng = np.random.default_rng(25)
    yield Sample({"x": rng.standard_normal((7, 2))}, {"split_size": 3})
    yield Sample({"x": rng.standard_normal((2, 6))}, {"split_size": 2, "dim": -1})
    yield Sample({"x": rng.standard_normal((3, 2))}, {"split_size": 5})


def _sized() -> Iterator[Sample]:
    rng = np.random.default_rng(26)
    yield Sample({"x": rng.standard_normal((7, 2))}, {"split_sizes": (3, 1, 3)})
    yield Sample({"x": rng.standard_normal((2, 6))}, {"split_sizes": (0, 6), "dim": -1})


def _unbound() -> Iterator[Sample]:
    rng = np.random.default_rng(27)
    for dim in (0, -1):
        yield Sample({"x": rng.standard_normal((3, 4))}, {"dim": dim})


def _lists() -> Iterator[Sample]:
    rng = np.random.default_rng(28)
    for shapes, dim in (
        (((2, 3), (2, 1), (2, 4)), -1),
        (((1, 3), (4, 3)), 0),
        (((2, 3),), 0),
        (((2, 3), (0,)), 0),
    ):
        yield Sample({PARTS: tuple(rng.standard_normal(shape) for shape in shapes)}, {"dim": dim})


def _alike() -> Iterator[Sample]:
    rng = np.random.default_rng(29)
    for dim in (0, 1, -1):
        yield Sample({PARTS: tuple(rng.standard_normal((2, 3)) for _ in range(3))}, {"dim": dim})


OPERATIONS = (
    define(
        "split",
        {PARTS: (_split, r"(x_1, x_2, \dots)")},
        {"x": (_joined, r"(g_1, g_2, \dots)")},
        options={"split_size": REQUIRED, "dim": 0},
        value=PARTS,
        torch="torch.split",
        aten={
            "aten.split.Tensor": "x split_size dim -> *parts",
            "aten.unsafe_split.Tensor": "x split_size dim -> *parts",
        },
        samples=_divided,
    ),
    define(
        "split_with_sizes",
        {PARTS: (_split_with_sizes, r"(x_1, x_2, \dots)")},
        {"x": (_joined, r"(g_1, g_2, \dots)")},
        options={"split_sizes": REQUIRED, "dim": 0},
        value=PARTS,
        torch="torch.split",
        aten={
            "aten.split_with_sizes.default": "x split_sizes dim -> *parts",
            "aten.unsafe_split_with_sizes.default": "x split_sizes dim -> *parts",
        },
        samples=_sized,
    ),
    define(
        "unbind",
        {PARTS: (_unbind, r"(x_1, x_2, \dots)")},
        {"x": (_stacked, r"(g_1, g_2, \dots)")},
        options={"dim": 0},
        value=PARTS,
        torch="torch.unbind",
        aten={"aten.unbind.int": "x dim -> *parts"},
        samples=_unbound,
    ),
    define(
        "cat",
        (_cat, r"(x_1, x_2, \dots)"),
        {PARTS: (_cat_gradient, r"g_k")},
        options={"dim": 0},
        torch="torch.cat",
        aten={"aten.cat.default": "*parts dim -> y"},
        samples=_lists,
    ),
    define(
        "stack",
        (_stack, r"(x_1, x_2, \dots)"),
        {PARTS: (_stack_gradient, r"g_k")},
        options={"dim": 0},
        torch="torch.stack",
        aten={"aten.stack.default": "*parts dim -> y"},
        samples=_alike,
    ),
)
