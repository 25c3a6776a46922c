"""The negative log likelihood of classes as PyTorch dispatches it: cross entropy, after log softmax.

Scores are (C,), (N, C) or (N, C, …); a target is the index of a class. Reductions: 0 keeps the terms, 1
takes their mean by weight, 2 their sum.
Source: ATen/native/LossNLL.cpp and LossNLL2d.cpp; https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, select
from reference.operation import Operation, Sample, define
from reference.operations.criteria import MEAN, NONE, SUM
from reference.operations.shapes import repeated_to


def _axis(x: Array) -> int:
    """The axis of the classes: of (C,) the first, of (N, C, …) the second."""
    return 0 if np.ndim(x) == 1 else 1


def _safe(target: Array, ignore_index: int) -> tuple[Array, Array]:
    """Whether a sample counts, and an index that exists in its place where it does not."""
    counts = np.not_equal(target, ignore_index)
    return counts, np.where(counts, target, 0)


def _of_class(x: Array, target: Array, ignore_index: int) -> Array:
    """x of each sample's class, and 0 of a sample that does not count."""
    counts, safe = _safe(target, ignore_index)
    axis = _axis(x)
    picked = np.take_along_axis(x, np.expand_dims(safe, axis), axis)
    return select(counts, np.reshape(picked, np.shape(target)), 0.0)


def _weights(x: Array, target: Array, weight: Array | None, ignore_index: int) -> Array:
    """The weight of each sample: of its class, 1 without weights, 0 where it does not count."""
    counts, safe = _safe(target, ignore_index)
    one = np.ones_like(np.reshape(np.take(x, 0, _axis(x)), np.shape(target)))
    return select(counts, one if weight is None else weight[safe], 0.0)


def total_weight(
    x: Array, target: Array, weight: Array | None, *, reduction: int, ignore_index: int
) -> Array:
    """Σ w of the samples that count; of several terms that are kept apart, 0."""
    together: Array = np.add.reduce(_weights(x, target, weight, ignore_index), axis=None)
    return np.zeros_like(together) if reduction == NONE and np.ndim(x) > 1 else together


def nll_loss(
    x: Array,
    target: Array,
    weight: Array | None,
    total_weight: Array,
    *,
    reduction: int,
    ignore_index: int,
) -> Array:
    """−w x of each sample's class; a mean divides by the total weight."""
    terms = np.negative(_weights(x, target, weight, ignore_index) * _of_class(x, target, ignore_index))
    if reduction == NONE:
        return terms
    total: Array = np.add.reduce(terms, axis=None)
    return total if reduction == SUM else np.divide(total, total_weight)


def nll_loss_gradient(
    g: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    total_weight: Array,
    *,
    reduction: int,
    ignore_index: int,
) -> Array:
    """−g w/(total weight) in the place of each sample's class, 0 elsewhere."""
    share = repeated_to(g, target) if reduction != MEAN else repeated_to(np.divide(g, total_weight), target)
    terms = np.negative(_weights(x, target, weight, ignore_index) * share)
    axis, (_, safe) = _axis(x), _safe(target, ignore_index)
    classes = np.arange(np.shape(x)[axis]).reshape([-1 if i == axis else 1 for i in range(np.ndim(x))])
    here = np.equal(classes, np.expand_dims(safe, axis))
    return select(here, np.expand_dims(terms, axis), 0.0)


def _classes() -> Iterator[Sample]:
    random = np.random.default_rng(8)
    for shape in ((4, 3), (3,)):
        yield from _of_classes(random, shape)


def _classes2d() -> Iterator[Sample]:
    return _of_classes(np.random.default_rng(9), (2, 3, 2, 2))


def _of_classes(random: np.random.Generator, shape: tuple[int, ...]) -> Iterator[Sample]:
    classes = shape[0] if len(shape) == 1 else shape[1]
    for reduction in (NONE, MEAN, SUM):
        for weighed in (False, True):
            for ignored in (-100, 1):
                target = random.integers(0, classes, () if len(shape) == 1 else (shape[0], *shape[2:]))
                if len(shape) == 1 and ignored == 1:
                    continue  # nothing would count
                operands = {
                    "x": random.standard_normal(shape),
                    "target": np.asarray(target),
                    "weight": random.uniform(0.5, 2, classes) if weighed else None,
                }
                yield Sample(operands, {"reduction": reduction, "ignore_index": ignored})


def _nll(name: str, aten: str, samples: Callable[[], Iterator[Sample]]) -> Operation:
    return define(
        name,
        {
            "total_weight": (total_weight, r"w = \sum_i w_{t_i}"),
            "y": (nll_loss, r"-\frac{1}{w} \sum_i w_{t_i} x_{i, t_i}"),
        },
        {"x": (nll_loss_gradient, r"-\frac{g}{w} w_{t_i} [j = t_i]")},
        ("x", "target", "weight?"),
        options={"reduction": MEAN, "ignore_index": -100},
        torch="torch.nn.functional.nll_loss",
        aten={aten: "x target weight reduction ignore_index -> y total_weight"},
        samples=samples,
    )


NLL = _nll("nll_loss", "aten.nll_loss_forward.default", _classes)
NLL_2D = _nll("nll_loss2d", "aten.nll_loss2d_forward.default", _classes2d)

OPERATIONS = (NLL, NLL_2D)
