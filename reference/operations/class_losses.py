"""Losses of classification as ATen has them: a sample in each row, its class an index.

`reduction` is 0 for none, 1 for the mean, 2 for the sum. Classes are in the second axis, or the only one.
Source: `torch.nn.functional.nll_loss`, `multi_margin_loss`, `multilabel_margin_loss`; ATen/native.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from reference.arrays import Array, full_like, labels, scatter_add, select
from reference.operation import Operation, Option, Sample, define
from reference.operations.losses import LOSSES
from reference.operations.places import formed
from reference.operations.row_losses import MEAN, NONE, SUM, reduced, share


def _cells(x: Array, target: Array) -> tuple[Array, ...]:
    """Where each target's own number of x is."""
    if np.ndim(x) == 1:
        return (target,)
    grid = np.indices(np.shape(target), sparse=True)
    return (grid[0], target, *grid[1:])


def _counted(x: Array, target: Array, weight: Array | None, ignore_index: int) -> tuple[Array, Array]:
    """Each target's class, 0 where it is ignored, and its weight, 0 there."""
    kept = target != ignore_index
    classes = np.where(kept, target, 0)
    each = np.ones_like(x[_cells(x, classes)]) if weight is None else weight[classes]
    return classes, np.where(kept, each, 0.0)


def _total_weight(
    x: Array, target: Array, weight: Array | None, *, reduction: int, ignore_index: int
) -> Array:
    """Σ of the weights of what counts: what a mean divides by; 0 of a batch that is not reduced."""
    _, w = _counted(x, target, weight, ignore_index)
    single = reduction == NONE and np.ndim(x) > 1
    return np.add.reduce(np.zeros_like(w) if single else w, axis=None)


def _nll(
    x: Array, target: Array, weight: Array | None, total_weight: Array, *, reduction: int, ignore_index: int
) -> Array:
    classes, w = _counted(x, target, weight, ignore_index)
    own = x[_cells(x, classes)]
    terms = np.where(target != ignore_index, -own * w, 0.0)
    if reduction == NONE:
        return terms
    found = np.add.reduce(terms, axis=None)
    return found / total_weight if reduction == MEAN else found


def _nll_gradient(
    g: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    total_weight: Array,
    *,
    reduction: int,
    ignore_index: int,
) -> Array:
    classes, w = _counted(x, target, weight, ignore_index)
    back = -w * (g / total_weight if reduction == MEAN else g)
    back = np.where(target != ignore_index, back, 0.0)  # also where nothing counts, and 0 divides
    return scatter_add(np.shape(x), _cells(x, classes), back)


def _others(x: Array, target: Array, margin: float) -> tuple[Array, Array]:
    """max(0, margin − x_y + x_k) of every other class k, 0 of the class itself; and [k = y]."""
    own = np.arange(x.shape[-1]) == np.expand_dims(target, -1)
    right = np.expand_dims(x[(np.arange(len(target)), target)] if np.ndim(x) == 2 else x[target], -1)
    return np.where(own, 0.0, np.maximum(margin - right + x, 0)), own


def _multi_margin(
    x: Array, target: Array, weight: Array | None, *, p: int, margin: float, reduction: int
) -> Array:
    z, _ = _others(x, target, margin)
    z = z if p == 1 else np.square(z)
    if weight is not None:
        z = z * np.expand_dims(weight[target], -1)
    return reduced(np.add.reduce(z, axis=-1) / x.shape[-1], reduction)


def _multi_margin_gradient(
    g: Array, x: Array, target: Array, weight: Array | None, *, p: int, margin: float, reduction: int
) -> Array:
    z, own = _others(x, target, margin)
    back = np.expand_dims(np.broadcast_to(share(g, x[..., 0], reduction), target.shape), -1) / x.shape[-1]
    if weight is not None:
        back = back * np.expand_dims(weight[target], -1)
    slope = select(np.greater(z, 0), full_like(z, 1.0), 0.0) if p == 1 else 2 * z
    each = back * slope
    return np.where(own, -np.add.reduce(each, axis=-1, keepdims=True), each)


def _listed(target: Array) -> Array:
    """How often each class is listed: indices that −1 closes."""
    return labels(np.atleast_2d(target).T).T.reshape(target.shape)


def _is_target(x: Array, target: Array) -> Array:
    return np.where(_listed(target) > 0, np.ones_like(x), 0.0)


def _pairs(x: Array, target: Array) -> tuple[Array, Array]:
    """max(0, 1 − x_j + x_i) of each listed class j and each i that is none, and how often j is listed."""
    times = _listed(target)
    gap = np.maximum(1 - np.expand_dims(x, -1) + np.expand_dims(x, -2), 0)  # (…, j, i)
    pair = (times[..., :, None] > 0) & (times[..., None, :] == 0)
    return np.where(pair, gap, 0.0), formed(times[..., None], x)


def _multilabel_margin(x: Array, target: Array, *, reduction: int) -> Array:
    z, times = _pairs(x, target)
    return reduced(np.add.reduce(times * z, axis=(-2, -1)) / x.shape[-1], reduction)


def _multilabel_margin_gradient(g: Array, x: Array, target: Array, *, reduction: int) -> Array:
    z, times = _pairs(x, target)
    back = share(g, x[..., 0], reduction) / x.shape[-1]
    each = times * select(np.greater(z, 0), full_like(z, 1.0), 0.0) * back[..., None, None]
    return np.add.reduce(each, axis=-2) - np.add.reduce(each, axis=-1)


def _nll_samples(axes: int) -> Iterator[Sample]:
    random = np.random.default_rng(28)
    flat = ((5, 4), (6, 3), (7, 4), (4, 3), (3, 5), (4,))
    places = ((3, 2, 2, 3), (2, 4, 1, 2), (2, 3, 2, 2), (1, 3, 2, 1), (2, 2, 3, 2))
    for place, shape in enumerate(flat if axes == 0 else places):
        rest = (shape[0], *shape[2:]) if len(shape) > 1 else ()
        classes = shape[1] if len(shape) > 1 else shape[0]
        target = np.asarray(random.integers(0, classes, rest))
        options: dict[str, Option] = {"reduction": (MEAN, SUM, NONE)[place % 3], "ignore_index": -100}
        if place in (1, 2, 3):
            options["ignore_index"] = 1
        weight = random.uniform(0.5, 2, classes) if place in (0, 1, 5) else None
        operands = {"x": random.standard_normal(shape), "target": target, "weight": weight}
        yield Sample(operands, options)


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


def _nll_loss(name: str, aten: str, axes: int) -> Operation:
    return define(
        name,
        {"total_weight": (_total_weight, r"\sum_i w_{y_i}"), "y": (_nll, LOSSES["nll"].latex)},
        {"x": (_nll_gradient, r"g \odot " + LOSSES["nll"].latex_gradient)},
        operands=("x", "target", "weight?"),
        options={"reduction": MEAN, "ignore_index": -100},
        torch="torch.nn.functional.nll_loss",
        aten={f"aten.{aten}.default": "x target weight reduction ignore_index -> y total_weight"},
        samples=partial(_nll_samples, axes),
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

OPERATIONS = (
    _nll_loss("nll_loss", "nll_loss_forward", 0),
    _nll_loss("nll_loss2d", "nll_loss2d_forward", 2),
    MULTI_MARGIN,
    MULTILABEL_MARGIN,
)
