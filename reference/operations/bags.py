"""Bags of embeddings: the sum or the mean of the rows that each bag names; and products of three tensors.

Source: `torch.nn.functional.embedding_bag` and `bilinear`; EmbeddingBag.cpp, `_trilinear` in Linear.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reference.arrays import Array, Data, any_order, scatter_add
from reference.operation import REQUIRED, Operand, Sample, UnreadArgumentError, define
from reference.operations.shapes import summed_to

Sizes = tuple[int, ...]

SUM, MEAN = 0, 1


def _bags(
    indices: Array, offsets: npt.NDArray[np.int64], *, padding_idx: int, include_last_offset: bool
) -> tuple[Data, Data]:
    """The bag of each index, and which are not padding."""
    ends = offsets[1:] if include_last_offset else np.append(offsets[1:], len(indices))
    starts = offsets[:-1] if include_last_offset else offsets
    return np.repeat(np.arange(len(starts)), ends - starts), indices != padding_idx


def _weighted(rows: Array, weights: Array | None) -> Array:
    return rows if weights is None else rows * np.expand_dims(weights, -1)


def _divided(rows: Array, counts: Data, mode: int) -> Array:
    """By the number of rows in the bag, for a mean; of an empty bag, 0."""
    if mode == SUM:
        return rows
    if mode != MEAN:
        raise UnreadArgumentError("mode='max'")
    return rows / np.expand_dims(np.maximum(counts, 1).astype(rows.dtype), -1)


def _bag(
    W: Array,
    indices: Array,
    offsets: npt.NDArray[np.int64],
    weights: Array | None,
    *,
    mode: int,
    include_last_offset: bool,
    padding_idx: int,
) -> Array:
    bag, kept = _bags(indices, offsets, padding_idx=padding_idx, include_last_offset=include_last_offset)
    number = len(offsets) - include_last_offset
    rows = _weighted(np.take(W, indices, axis=0), weights)[kept]  # type: ignore[arg-type]
    sums = scatter_add((number, np.shape(W)[1]), (bag[kept],), rows)
    return _divided(sums, np.bincount(bag[kept], minlength=number), mode)


def _bag_W_gradient(
    g: Array,
    W: Array,
    indices: Array,
    offsets: npt.NDArray[np.int64],
    weights: Array | None,
    *,
    mode: int,
    include_last_offset: bool,
    padding_idx: int,
    scale_grad_by_freq: bool,
    sparse: bool,
) -> Array:
    if sparse or scale_grad_by_freq:
        raise UnreadArgumentError("sparse" if sparse else "scale_grad_by_freq")
    bag, kept = _bags(indices, offsets, padding_idx=padding_idx, include_last_offset=include_last_offset)
    counts = np.bincount(bag[kept], minlength=np.shape(g)[0])
    errors = _weighted(np.take(_divided(g, counts, mode), bag, axis=0), weights)  # type: ignore[arg-type]
    return scatter_add(np.shape(W), (indices[kept],), errors[kept])


def _bag_weights_gradient(
    g: Array,
    W: Array,
    indices: Array,
    offsets: npt.NDArray[np.int64],
    *,
    include_last_offset: bool,
    padding_idx: int,
) -> Array:
    """g of the bag times the row, summed; none to padding."""
    bag, kept = _bags(indices, offsets, padding_idx=padding_idx, include_last_offset=include_last_offset)
    products = np.take(g, bag, axis=0) * np.take(W, indices, axis=0)  # type: ignore[arg-type]
    return np.where(kept, np.sum(products, axis=-1), 0.0)


def _opened(x: Array, dims: Sizes) -> Array:
    for dim in sorted(dims):
        x = np.expand_dims(x, dim)
    return x


def _trilinear(
    p: Array, q: Array, r: Array, *, expand1: Sizes, expand2: Sizes, expand3: Sizes, sumdim: Sizes
) -> Array:
    """Σ p q r over the axes `sumdim`, each with new axes where the others have theirs."""

    def summed(p: Array, q: Array, r: Array) -> Array:
        return np.sum(_opened(p, expand1) * _opened(q, expand2) * _opened(r, expand3), axis=sumdim)

    return any_order(summed(p, q, r), (p, q, r), summed)


def _back(
    g: Array, x: Array, expand: Sizes, sumdim: Sizes, one: tuple[Array, Sizes], other: tuple[Array, Sizes]
) -> Array:
    """Σ of g and the two other factors over the axes that x does not have."""
    opened = _opened(x, expand)

    def summed(g: Array, one_factor: Array, other_factor: Array) -> Array:
        products = _opened(g, sumdim) * (_opened(one_factor, one[1]) * _opened(other_factor, other[1]))
        return np.reshape(summed_to(products, opened), np.shape(x))

    factors = g, one[0], other[0]
    return any_order(summed(*factors), factors, summed)


def _trilinear_p_gradient(
    g: Array, p: Array, q: Array, r: Array, *, expand1: Sizes, expand2: Sizes, expand3: Sizes, sumdim: Sizes
) -> Array:
    return _back(g, p, expand1, sumdim, (q, expand2), (r, expand3))


def _trilinear_q_gradient(
    g: Array, p: Array, q: Array, r: Array, *, expand1: Sizes, expand2: Sizes, expand3: Sizes, sumdim: Sizes
) -> Array:
    return _back(g, q, expand2, sumdim, (p, expand1), (r, expand3))


def _trilinear_r_gradient(
    g: Array, p: Array, q: Array, r: Array, *, expand1: Sizes, expand2: Sizes, expand3: Sizes, sumdim: Sizes
) -> Array:
    return _back(g, r, expand3, sumdim, (p, expand1), (q, expand2))


def _bagged() -> Iterator[Sample]:
    rng = np.random.default_rng(55)
    W, indices = rng.standard_normal((6, 3)), np.array([1, 4, 1, 0, 5, 5, 2])
    offsets = np.array([0, 3, 3, 5])
    for mode in (SUM, MEAN):
        data = {"W": W, "indices": indices, "offsets": offsets, "weights": None}
        yield Sample(data, {"mode": mode})
        yield Sample(data, {"mode": mode, "padding_idx": 1})
        last = {**data, "offsets": np.array([0, 3, 3, 7])}
        yield Sample(last, {"mode": mode, "include_last_offset": True})
    yield Sample({"W": W, "indices": indices, "offsets": offsets, "weights": rng.standard_normal(7)})


def _three(rng: np.random.Generator, *shapes: Sizes) -> dict[str, Operand]:
    return {name: rng.standard_normal(shape) for name, shape in zip("pqr", shapes, strict=True)}


def _bilinear() -> Iterator[Sample]:
    rng = np.random.default_rng(56)
    for n in (3, 1):
        parts = {
            "p": rng.standard_normal((n, 4)),
            "q": rng.standard_normal((2, 4, 5)),
            "r": rng.standard_normal((n, 5)),
        }
        yield Sample(parts, {"expand1": (1, 3), "expand2": (0,), "expand3": (1, 2), "sumdim": (2, 3)})
    parts = {
        "p": rng.standard_normal((3, 2)),
        "q": rng.standard_normal((3, 4)),
        "r": rng.standard_normal((2, 4)),
    }
    yield Sample(parts, {"expand1": (2,), "expand2": (1,), "expand3": (0,), "sumdim": (0,)})


OPERATIONS = (
    define(
        "embedding_bag",
        (_bag, r"\frac{1}{n_b} \sum_{k \in b} w_k W_{i_k}"),
        {
            "W": (_bag_W_gradient, r"\sum_{k: i_k = r} \frac{w_k}{n_b} g_b"),
            "weights": (_bag_weights_gradient, r"g_b \cdot W_{i_k}"),
        },
        operands=("W", "indices", "offsets", "weights?"),
        options={
            "scale_grad_by_freq": False,
            "mode": SUM,
            "sparse": False,
            "include_last_offset": False,
            "padding_idx": -1,
        },
        torch="torch.nn.functional.embedding_bag",
        aten={
            "aten._embedding_bag.default": "W indices offsets scale_grad_by_freq mode sparse weights "
            "include_last_offset padding_idx -> y - - -"
        },
        learned={"W": "weight"},
        samples=_bagged,
    ),
    define(
        "trilinear",
        (_trilinear, r"\sum p q r"),
        {
            "p": (_trilinear_p_gradient, r"\sum g q r"),
            "q": (_trilinear_q_gradient, r"\sum g p r"),
            "r": (_trilinear_r_gradient, r"\sum g p q"),
        },
        options=dict.fromkeys(("expand1", "expand2", "expand3", "sumdim"), REQUIRED),
        torch="torch.nn.functional.bilinear",
        aten={"aten._trilinear.default": "p q r expand1 expand2 expand3 sumdim - -> y"},
        samples=_bilinear,
    ),
)
