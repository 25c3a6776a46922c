"""What mixtures of experts run: products of groups of rows, each with a matrix of its own; histograms.

Source: `torch.nn.functional.grouped_mm` and `torch.histc`; GroupedMMUtils.h, HistogramKernel.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reference.arrays import Array, select
from reference.operation import Sample, UnreadArgumentError, define

Ends = npt.NDArray[np.int32]


def _groups(x: Array, z: Array, ends: Ends | None) -> list[slice]:
    """The rows of each group, from the end of the group before to its own."""
    if ends is None or (np.ndim(x), np.ndim(z)) != (2, 3):
        raise UnreadArgumentError("offs of other operands than rows and a matrix for each group")
    if np.shape(x)[0] != ends[-1]:
        raise UnreadArgumentError("offs that leave rows out")  # PyTorch leaves them unwritten
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _grouped(x: Array, z: Array, ends: Ends | None, *, bias: None, out_dtype: str | None) -> Array:
    if bias is not None or out_dtype is not None:
        raise UnreadArgumentError("bias or out_dtype")
    return np.concatenate([np.matmul(x[rows], z[e]) for e, rows in enumerate(_groups(x, z, ends))])


def _grouped_x_gradient(g: Array, x: Array, z: Array, ends: Ends | None) -> Array:
    return np.concatenate([np.matmul(g[rows], z[e].T) for e, rows in enumerate(_groups(x, z, ends))])


def _grouped_z_gradient(g: Array, x: Array, z: Array, ends: Ends | None) -> Array:
    return np.stack([np.matmul(x[rows].T, g[rows]) for rows in _groups(x, z, ends)])


def _histogram(x: Array, *, bins: int, min: float, max: float) -> Array:
    """How many numbers lie in each of equal parts of [min, max], of which max is in the last."""
    if not min < max:
        raise UnreadArgumentError("min and max: those of the numbers")
    x = np.reshape(x, (-1,))
    part = select(np.equal(x, max), np.full_like(x, bins - 1), np.floor((x - min) / (max - min) * bins))
    inside = np.logical_and(np.greater_equal(x, min), np.less_equal(x, max))
    here = np.equal(part, np.arange(bins, dtype=np.float32)[:, np.newaxis])
    return np.sum(select(here, np.where(inside, np.ones_like(x), 0), np.zeros_like(x)), axis=-1)


def _rows() -> Iterator[Sample]:
    rng = np.random.default_rng(60)
    for ends in ((2, 2, 6), (3, 5, 6), (0, 6, 6)):
        x, z = rng.standard_normal((6, 8)), rng.standard_normal((3, 8, 4))
        yield Sample({"x": x, "z": z, "ends": np.array(ends, np.int32)})


def _numbers() -> Iterator[Sample]:
    rng = np.random.default_rng(61)
    yield Sample({"x": rng.uniform(-1, 3, (4, 5))}, {"bins": 7, "min": 0, "max": 2.5})
    yield Sample({"x": rng.integers(0, 5, 12).astype(float)}, {"bins": 5, "min": 0, "max": 4})


OPERATIONS = (
    define(
        "grouped_product",
        (_grouped, r"x_i W_{e(i)}"),
        {
            "x": (_grouped_x_gradient, r"g_i W_{e(i)}^T"),
            "z": (_grouped_z_gradient, r"\sum_{i: e(i) = e} x_i^T g_i"),
        },
        operands=("x", "z", "ends?"),
        options={"bias": None, "out_dtype": None},
        torch="torch.nn.functional.grouped_mm",
        aten={"aten._grouped_mm.default": "x z ends bias out_dtype -> y"},
        samples=_rows,
    ),
    define(
        "histogram",
        (_histogram, r"|\{i: x_i \in b\}|"),
        {},
        options={"bins": 100, "min": 0, "max": 0},
        torch="torch.histc",
        aten={"aten.histc.default": "x bins min max -> y"},
        samples=_numbers,
    ),
)
