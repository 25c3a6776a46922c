"""Copies: the same numbers, in another place or another format; and tensors of constants.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, Scalar, cast
from reference.operation import REQUIRED, Operation, Option, Sample, UnreadArgumentError, define
from reference.operations.shapes import summed_to

Sizes = tuple[int, ...]


def _same(x: Array) -> Array:
    return np.positive(x) if np.asarray(x).dtype != np.bool_ else x


def _to_copy(x: Array, *, dtype: str | None) -> Array:
    """x, in the format `dtype`, each number rounded to the nearest."""
    return x if dtype is None else cast(x, dtype)


def _to_copy_gradient(g: Array, x: Array) -> Array:
    return cast(g, x.dtype)


def _copy(x: Array, z: Array) -> Array:
    """z, broadcast to x's shape, in x's format."""
    return np.broadcast_to(cast(z, x.dtype), np.shape(x))


def _nothing(g: Array) -> Array:
    return np.zeros_like(g)


def _copy_z_gradient(g: Array, z: Array) -> Array:
    return cast(summed_to(g, z), z.dtype)


def _filled(x: Array, value: Scalar) -> Array:
    return np.broadcast_to(np.full_like(x, value), np.shape(x))


def _fill_value_gradient(g: Array) -> Array:
    return np.sum(g)  # type: ignore[return-value]  # an array without axes


def _full(*, size: Sizes, value: float, dtype: str | None) -> Array:
    if dtype is None:
        raise UnreadArgumentError("dtype: the default one")
    return np.full(size, value, dtype)


def _scalar_tensor(*, value: float, dtype: str | None) -> Array:
    return _full(size=(), value=value, dtype=dtype)


def _zeros(*, size: Sizes, dtype: str | None) -> Array:
    return _full(size=size, value=0, dtype=dtype)


def _ones(*, size: Sizes, dtype: str | None) -> Array:
    return _full(size=size, value=1, dtype=dtype)


def _full_like(x: Array, *, value: float, dtype: str | None) -> Array:
    return np.full_like(x, value) if dtype is None else np.full(np.shape(x), value, dtype)


def _zeros_like(x: Array, *, dtype: str | None) -> Array:
    return _full_like(x, value=0, dtype=dtype)


def _ones_like(x: Array, *, dtype: str | None) -> Array:
    return _full_like(x, value=1, dtype=dtype)


def _new_full(x: Array, *, size: Sizes, value: float, dtype: str | None) -> Array:
    return np.full(size, value, x.dtype if dtype is None else dtype)


def _new_zeros(x: Array, *, size: Sizes, dtype: str | None) -> Array:
    return _new_full(x, size=size, value=0, dtype=dtype)


def _new_ones(x: Array, *, size: Sizes, dtype: str | None) -> Array:
    return _new_full(x, size=size, value=1, dtype=dtype)


def _arange(*, start: int, end: int, step: int, dtype: str | None) -> Array:
    """Of whole numbers only: others are computed in another way on each machine."""
    if any(isinstance(number, float) for number in (start, end, step)):
        raise UnreadArgumentError("arange of numbers that are not whole")
    return np.arange(start, end, step).astype(dtype or "int64")


def _anything() -> Iterator[Sample]:
    rng = np.random.default_rng(30)
    yield Sample({"x": rng.standard_normal((2, 3))})
    yield Sample({"x": np.asarray(0.7)})
    yield Sample({"x": np.arange(3)})
    yield Sample({"x": np.zeros((0, 2))})


def _formats() -> Iterator[Sample]:
    x = np.random.default_rng(31).standard_normal((3, 4))
    for dtype in (None, "float32", "float64", "int64", "bool"):
        yield Sample({"x": 3 * x}, {"dtype": dtype})
    yield Sample({"x": np.arange(-2, 3)}, {"dtype": "float32"})
    yield Sample({"x": x > 0}, {"dtype": "float64"})


def _copied() -> Iterator[Sample]:
    rng = np.random.default_rng(32)
    yield Sample({"x": rng.standard_normal((2, 3)), "z": rng.standard_normal(3)})
    yield Sample({"x": rng.standard_normal((2, 3)), "z": rng.standard_normal((2, 1))})


def _fills() -> Iterator[Sample]:
    x = np.random.default_rng(33).standard_normal((2, 3))
    yield Sample({"x": x, "value": 1.7})
    yield Sample({"x": x, "value": np.asarray(0.3)})


def _constants(**options: Option) -> Iterator[Sample]:
    for size, value in (((2, 3), 1.7), ((), 2), ((0, 2), 0)):
        for dtype in ("float32", "float64", "int64"):
            known = {"size": size, "value": int(value) if dtype == "int64" else value, "dtype": dtype}
            yield Sample({}, {name: known[name] for name in options})


def _modelled(**options: Option) -> Iterator[Sample]:
    x = np.random.default_rng(34).standard_normal((2, 3))
    for size, value in (((4,), 1.7), ((), 2)):
        for dtype in (None, "float32", "float64"):
            known = {"size": size, "value": value, "dtype": dtype}
            yield Sample({"x": x}, {name: known[name] for name in options})


def _counted() -> Iterator[Sample]:
    yield Sample({}, {"end": 5})
    yield Sample({}, {"start": 2, "end": 5})
    yield Sample({}, {"start": 7, "end": -2, "step": -3, "dtype": "float32"})


def _constant(name: str, function: object, latex: str, record: str, **options: Option) -> Operation:
    """A tensor of constants: of a size, or as large as another."""
    modelled = record.startswith("x")
    return define(
        name,
        (function, latex),  # type: ignore[arg-type]
        {},
        options={**options, "dtype": None},
        torch=f"torch.{name}",
        aten={f"aten.{name}.default": record},
        samples=lambda: (_modelled if modelled else _constants)(**options, dtype=None),
    )


LAYOUT = "- - -"
"""Layout, device and pinned memory."""

OPERATIONS = (
    define(
        "copy",
        (_same, r"x"),
        {"x": (lambda g: np.positive(g), r"g")},
        torch="torch.clone",
        aten={
            "aten.clone.default": "x - -> y",
            "aten.alias.default": "x -> y",
            "aten.lift_fresh.default": "x -> y",
            "aten.contiguous.default": "x - -> y",
            "aten.positive.default": "x -> y",
        },
        samples=_anything,
    ),
    define(
        "detach",
        (_same, r"x"),
        {},
        torch="torch.Tensor.detach",
        aten={"aten.detach.default": "x -> y"},
        samples=_anything,
    ),
    define(
        "to_copy",
        (_to_copy, r"\operatorname{fl} x"),
        {"x": (_to_copy_gradient, r"\operatorname{fl} g")},
        options={"dtype": None},
        torch="torch.Tensor.to",
        aten={"aten._to_copy.default": f"x dtype {LAYOUT} - - -> y"},
        samples=_formats,
    ),
    define(
        "copy_into",
        (_copy, r"z"),
        {"x": (_nothing, r"0"), "z": (_copy_z_gradient, r"\sum g")},
        torch="torch.Tensor.copy_",
        aten={"aten.copy_.default": "x z - -> y"},
        samples=_copied,
    ),
    define(
        "fill",
        (_filled, r"v"),
        {"x": (_nothing, r"0"), "value": (_fill_value_gradient, r"\sum g")},
        torch="torch.Tensor.fill_",
        aten={"aten.fill.Scalar": "x value -> y", "aten.fill.Tensor": "x value -> y"},
        samples=_fills,
    ),
    define(
        "zero",
        (lambda x: np.zeros_like(x), r"0"),
        {"x": (_nothing, r"0")},
        torch="torch.Tensor.zero_",
        aten={"aten.zero.default": "x -> y"},
        samples=_anything,
    ),
    _constant("full", _full, r"v", f"size value dtype {LAYOUT} -> y", size=REQUIRED, value=REQUIRED),
    _constant("scalar_tensor", _scalar_tensor, r"v", f"value dtype {LAYOUT} -> y", value=REQUIRED),
    _constant("zeros", _zeros, r"0", f"size dtype {LAYOUT} -> y", size=REQUIRED),
    _constant("ones", _ones, r"1", f"size dtype {LAYOUT} -> y", size=REQUIRED),
    _constant("full_like", _full_like, r"v", f"x value dtype {LAYOUT} - -> y", value=REQUIRED),
    _constant("zeros_like", _zeros_like, r"0", f"x dtype {LAYOUT} - -> y"),
    _constant("ones_like", _ones_like, r"1", f"x dtype {LAYOUT} - -> y"),
    _constant(
        "new_full", _new_full, r"v", f"x size value dtype {LAYOUT} -> y", size=REQUIRED, value=REQUIRED
    ),
    _constant("new_zeros", _new_zeros, r"0", f"x size dtype {LAYOUT} -> y", size=REQUIRED),
    _constant("new_ones", _new_ones, r"1", f"x size dtype {LAYOUT} -> y", size=REQUIRED),
    define(
        "arange",
        (_arange, r"(a, a + s, \dots)"),
        {},
        options={"start": 0, "end": REQUIRED, "step": 1, "dtype": None},
        torch="torch.arange",
        aten={
            "aten.arange.default": f"end dtype {LAYOUT} -> y",
            "aten.arange.start": f"start end dtype {LAYOUT} -> y",
            "aten.arange.start_step": f"start end step dtype {LAYOUT} -> y",
        },
        samples=_counted,
    ),
)
