"""Losses with a margin as ATen has them: a sample in each row, its class or its classes as indices.

`reduction` is 0 for none, 1 for the mean, 2 for the sum.
Source: `torch.nn.functional.soft_margin_loss` and those below it; ATen/native/Loss.cpp,
LossMultiMargin.cpp, LossMultiLabelMargin.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, full_like, labels, select
from reference.operation import Option, Sample, define
from reference.operations.criteria import MEAN, NONE, SUM, reduced, share
from reference.operations.losses import LOSSES, regression
from reference.operations.places import formed
from reference.operations.shapes import lined


def _soft_margin(x: Array, target: Array, *, reduction: int) -> Array:
    return reduced(regression.soft_margin(x, target), reduction)


def _soft_margin_gradient(g: Array, x: Array, target: Array, *, reduction: int) -> Array:
    return share(g, x, reduction) * regression.soft_margin_slope(x, target)


def _others(x: Array, target: Array, margin: float) -> tuple[Array, Array]:
    """max(0, margin − x_y + x_k) of every other class k, 0 of the class itself; and [k = y]."""
    own = np.arange(x.shape[-1]) == np.expand_dims(target, -1)
    right = np.expand_dims(x[(np.arange(len(target)), target)] if np.ndim(x) == 2 else x[target], -1)
    return np.where(own, 0.0, np.maximum(margin - right + x, 0)), own


def _multi_margin(
    x: Array, target: Array, weight: Array | None, *, p: int, margin: float, reduction: int
) -> Array:
    x = lined(x)
    z, _ = _others(x, target, margin)
    z = z if p == 1 else np.square(z)
    if weight is not None:
        z = z * np.expand_dims(weight[target], -1)
    return reduced(np.add.reduce(z, axis=-1) / x.shape[-1], reduction)


def _multi_margin_gradient(
    g: Array, x: Array, target: Array, weight: Array | None, *, p: int, margin: float, reduction: int
) -> Array:
    shape, x = np.shape(x), lined(x)
    z, own = _others(x, target, margin)
    back = np.expand_dims(np.broadcast_to(share(g, x[..., 0], reduction), target.shape), -1) / x.shape[-1]
    if weight is not None:
        back = back * np.expand_dims(weight[target], -1)
    slope = select(np.greater(z, 0), full_like(z, 1.0), 0.0) if p == 1 else 2 * z
    each = back * slope
    gradient = np.where(own, -np.add.reduce(each, axis=-1, keepdims=True), each)
    return np.reshape(gradient, shape)  # of one sample, x has no axis of samples


def _listed(target: Array) -> Array:
    """How often each class is listed: indices that −1 closes."""
    return labels(np.atleast_2d(target).T).T.reshape(target.shape)


def _is_target(x: Array, target: Array) -> Array:
    listed = np.reshape(_listed(lined(target)), np.shape(x))
    return np.where(listed > 0, np.ones_like(x), 0.0)


def _pairs(x: Array, target: Array) -> tuple[Array, Array]:
    """max(0, 1 − x_j + x_i) of each listed class j and each i that is none, and how often j is listed."""
    times = _listed(target)
    gap = np.maximum(1 - np.expand_dims(x, -1) + np.expand_dims(x, -2), 0)  # (…, j, i)
    pair = (times[..., :, None] > 0) & (times[..., None, :] == 0)
    return np.where(pair, gap, 0.0), formed(times[..., None], x)


def _multilabel_margin(x: Array, target: Array, *, reduction: int) -> Array:
    x = lined(x)
    z, times = _pairs(x, lined(target))
    return reduced(np.add.reduce(times * z, axis=(-2, -1)) / x.shape[-1], reduction)


def _multilabel_margin_gradient(g: Array, x: Array, target: Array, *, reduction: int) -> Array:
    shape, x = np.shape(x), lined(x)
    z, times = _pairs(x, lined(target))
    back = share(g, x[..., 0], reduction) / x.shape[-1]
    each = times * select(np.greater(z, 0), full_like(z, 1.0), 0.0) * back[..., None, None]
    return np.reshape(np.add.reduce(each, axis=-2) - np.add.reduce(each, axis=-1), shape)


def _sign_samples() -> Iterator[Sample]:
    random = np.random.default_rng(26)
    for shape, reduction in (((4, 3), MEAN), ((7,), SUM), ((2, 3, 2), NONE)):
        x, target = random.standard_normal(shape), np.sign(random.standard_normal(shape))
        yield Sample({"x": x, "target": target}, {"reduction": reduction})


def _margin_samples() -> Iterator[Sample]:
    random = np.random.default_rng(29)
    for place, shape in enumerate(((5, 4), (6, 3), (7, 4), (3, 1))):
        target = random.integers(0, shape[1], shape[0])
        options: dict[str, Option] = {"reduction": (MEAN, SUM, NONE)[place % 3]}
        options |= {"p": 1 + place % 2, "margin": (1.0, 0.4)[place // 2]}
        weight = random.uniform(0.5, 2, shape[1]) if place in (1, 2) else None
        yield Sample({"x": random.standard_normal(shape), "target": target, "weight": weight}, options)


def _label_samples() -> Iterator[Sample]:
    random = np.random.default_rng(30)
    lists = ((1, 3, -1, 0), (0, -1, 2, 2), (2, 2, 1, -1))
    for reduction in (MEAN, SUM, NONE):
        yield Sample(
            {"x": random.standard_normal((3, 4)), "target": np.array(lists)}, {"reduction": reduction}
        )


SOFT_MARGIN = define(
    "soft_margin_loss",
    (_soft_margin, LOSSES["soft_margin"].latex),
    {"x": (_soft_margin_gradient, r"g \odot " + LOSSES["soft_margin"].latex_gradient)},
    operands=("x", "target"),
    options={"reduction": MEAN},
    torch="torch.nn.functional.soft_margin_loss",
    aten={"aten.soft_margin_loss.default": "x target reduction -> y"},
    samples=_sign_samples,
)

MULTI_MARGIN = define(
    "multi_margin_loss",
    (_multi_margin, LOSSES["multi_margin"].latex),
    {"x": (_multi_margin_gradient, r"g \odot " + LOSSES["multi_margin"].latex_gradient)},
    operands=("x", "target", "weight?"),
    options={"p": 1, "margin": 1.0, "reduction": MEAN},
    torch="torch.nn.functional.multi_margin_loss",
    aten={"aten.multi_margin_loss.default": "x target p margin weight reduction -> y"},
    samples=_margin_samples,
)

MULTILABEL_MARGIN = define(
    "multilabel_margin_loss",
    {
        "is_target": (_is_target, r"[k \in y]"),
        "y": (_multilabel_margin, LOSSES["multilabel_margin"].latex),
    },
    {"x": (_multilabel_margin_gradient, r"g \odot " + LOSSES["multilabel_margin"].latex_gradient)},
    operands=("x", "target"),
    options={"reduction": MEAN},
    torch="torch.nn.functional.multilabel_margin_loss",
    aten={"aten.multilabel_margin_loss_forward.default": "x target reduction -> y is_target"},
    samples=_label_samples,
)

OPERATIONS = (SOFT_MARGIN, MULTI_MARGIN, MULTILABEL_MARGIN)
