"""Scaled dot-product attention in one kernel: y = softmax(scale q kᵀ + mask) v, block by block of keys.

The kernel never holds a whole row of the softmax. It keeps the largest score m so far, the sum ℓ and the
mixture y of the values, each relative to e^m, and when a later block has a larger score, both are scaled
by e^(m − m′). So does this formula: its bound is the kernel's own, up to the order within a block. Blocks
beyond the first cost each one exponential and one product; the exponents themselves telescope.
A query all of whose scores are −∞ attends to nothing: its y and its logsumexp are 0.
Going back, e^(score − logsumexp) is made again from the recorded logsumexp.

Shapes: q (batch, heads, queries, d), k and v (batch, groups, keys, d), groups a divisor of heads; y as q,
logsumexp (batch, heads, queries); mask broadcasts to (batch, heads, queries, keys).
Source: `torch.nn.functional.scaled_dot_product_attention`; ATen/native/cpu/FlashAttentionKernel.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, certain_nans, exp_u20, select
from reference.operation import Option, Sample, UnreadArgumentError, define

BLOCK = 512
"""Keys in a block of the kernel's."""


def _scores(
    q: Array,
    k: Array,
    mask: Array | None,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    """scale q kᵀ + mask, −∞ where a query may not look ahead: (batch, heads, queries, keys)."""
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    found = np.matmul(q, np.swapaxes(_for_heads(k, q), -1, -2)) * factor
    if mask is not None:
        found = found + mask
    if not is_causal:
        return found
    return np.where(np.tri(*found.shape[-2:], dtype=np.bool_), found, -np.inf)


def _for_heads(k: Array, q: Array) -> Array:
    """A group's keys or values, for each of the heads that share it."""
    return np.repeat(k, q.shape[1] // k.shape[1], axis=1)


def _of_groups(g: Array, k: Array) -> Array:
    """What comes back to a group: the sum over its heads."""
    shape = (k.shape[0], k.shape[1], -1, *k.shape[2:])
    return np.add.reduce(np.reshape(g, shape), axis=2)


def _online(scores: Array, v: Array) -> tuple[Array, Array, Array]:
    """The largest score, Σ e^(s − m) and Σ e^(s − m) v over all keys, block by block."""
    m, total, mixed = _of_block(scores[..., :BLOCK], v[..., :BLOCK, :], None)
    for first in range(BLOCK, scores.shape[-1], BLOCK):
        s, values = scores[..., first : first + BLOCK], v[..., first : first + BLOCK, :]
        largest, sums, mixtures = _of_block(s, values, m)
        less = np.exp(m - _subtracted(largest))
        m, total, mixed = largest, sums + less * total, mixtures + less * mixed
    return m, total, mixed


def _of_block(s: Array, v: Array, before: Array | None) -> tuple[Array, Array, Array]:
    """The largest score up to here, and both sums of one block's keys relative to it."""
    largest = np.maximum.reduce(s, axis=-1, keepdims=True)
    largest = largest if before is None else np.maximum(before, largest)
    p = exp_u20(s - _subtracted(largest))
    return largest, np.add.reduce(p, axis=-1, keepdims=True), np.matmul(p, v)


def _nothing(m: Array) -> Array:
    """Where a query's largest score is −∞: it may not look at any key."""
    return np.equal(m, -np.inf)


def _subtracted(m: Array) -> Array:
    """What is subtracted from the scores: the largest, or 0 where there is none."""
    return select(_nothing(m), np.zeros_like(m), m)


def _divisor(m: Array, total: Array) -> Array:
    """Σ e^(s − m), or 1 where it has no terms."""
    return select(_nothing(m), np.ones_like(total), total)


def _refuse(dropout_p: float) -> None:
    if dropout_p:
        raise UnreadArgumentError("dropout_p")


def _logsumexp(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
) -> Array:
    _refuse(dropout_p)
    m, total, _ = _online(_scores(q, k, mask, is_causal=is_causal, scale=scale), _for_heads(v, q))
    return (_subtracted(m) + np.log(_divisor(m, total)))[..., 0]


def _attention(
    q: Array, k: Array, v: Array, mask: Array | None, *, is_causal: bool, scale: float | None
) -> Array:
    m, total, mixed = _online(_scores(q, k, mask, is_causal=is_causal, scale=scale), _for_heads(v, q))
    return mixed / _divisor(m, total)


def _weights(
    q: Array,
    k: Array,
    mask: Array | None,
    logsumexp: Array,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    """P = e^(scores − logsumexp): each row of the softmax.

    What a query may not look at has the weight 0 in PyTorch's kernel, even if its logsumexp is no number.
    """
    P = exp_u20(_scores(q, k, mask, is_causal=is_causal, scale=scale) - logsumexp[..., None])
    return certain_nans(P, (P,), _seen) if is_causal else P


def _seen(P: Array) -> Array:
    """The weights, and 0 of what lies ahead of a query."""
    return np.where(np.tri(*P.shape[-2:], dtype=np.bool_), P, 0.0)


def _score_gradient(
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    y: Array,
    logsumexp: Array,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    """scale P ⊙ (g vᵀ − Σ g ⊙ y): what comes back to q kᵀ."""
    P = _weights(q, k, mask, logsumexp, is_causal=is_causal, scale=scale)
    along = np.matmul(g, np.swapaxes(_for_heads(v, q), -1, -2))
    back = P * (along - np.add.reduce(g * y, axis=-1, keepdims=True))
    return back * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)


def _query_gradient(
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    y: Array,
    logsumexp: Array,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    return np.matmul(
        _score_gradient(g, q, k, v, mask, y, logsumexp, is_causal=is_causal, scale=scale), _for_heads(k, q)
    )


def _key_gradient(
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    y: Array,
    logsumexp: Array,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    back = _score_gradient(g, q, k, v, mask, y, logsumexp, is_causal=is_causal, scale=scale)
    return _of_groups(np.matmul(np.swapaxes(back, -1, -2), q), k)


def _value_gradient(
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    logsumexp: Array,
    *,
    is_causal: bool,
    scale: float | None,
) -> Array:
    P = _weights(q, k, mask, logsumexp, is_causal=is_causal, scale=scale)
    return _of_groups(np.matmul(np.swapaxes(P, -1, -2), g), v)


def _samples() -> Iterator[Sample]:
    random = np.random.default_rng(31)

    def sample(
        q: tuple[int, ...], keys: int, mask: object = None, groups: int = 0, **options: Option
    ) -> Sample:
        shape = (q[0], groups or q[1], keys, q[3])
        operands: dict[str, Array | None] = {"q": random.standard_normal(q)}
        operands |= {name: random.standard_normal(shape) for name in ("k", "v")}
        if mask is not None:
            operands["mask"] = np.asarray(mask, np.float64)
        return Sample(operands, options)

    yield sample((2, 3, 5, 4), 7)
    yield sample((1, 2, 6, 3), 6, is_causal=True)
    yield sample((2, 2, 4, 8), 9, random.standard_normal((4, 9)), scale=0.3)
    hidden = np.where(random.uniform(size=(2, 1, 4, 5)) < 0.3, -np.inf, 0.0)
    hidden[..., 2] = 0.0
    yield sample((2, 2, 4, 2), 5, hidden, scale=1.5)
    alone = np.zeros((4, 600))
    alone[1], alone[2, :512], alone[3, 512:] = -np.inf, -np.inf, -np.inf
    yield sample((1, 1, 4, 3), 600, alone)
    yield sample((1, 1, 3, 2), 1100)
    yield sample((1, 1, 1, 1), 1)
    yield sample((2, 4, 3, 5), 6, groups=2)


ATTENTION = define(
    "attention",
    {
        "logsumexp": (_logsumexp, r"\log \sum_j e^{s_j}"),
        "y": (_attention, r"\frac{\sum_j e^{s_j} v_j}{\sum_j e^{s_j}}, \; s = \alpha q k^T + M"),
    },
    {
        "q": (_query_gradient, r"\alpha \left(P \odot (g v^T - \textstyle\sum g \odot y)\right) k"),
        "k": (_key_gradient, r"\alpha \left(P \odot (g v^T - \textstyle\sum g \odot y)\right)^T q"),
        "v": (_value_gradient, r"P^T g, \; P = e^{s - \log \sum e^s}"),
    },
    operands=("q", "k", "v", "mask?"),
    options={"dropout_p": 0.0, "is_causal": False, "scale": None},
    torch="torch.nn.functional.scaled_dot_product_attention",
    aten={
        "aten._scaled_dot_product_flash_attention_for_cpu.default": (
            "q k v dropout_p is_causal mask scale -> y logsumexp"
        )
    },
    samples=_samples,
)

OPERATIONS = (ATTENTION,)
