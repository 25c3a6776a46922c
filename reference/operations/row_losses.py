"""Losses of two arrays of one shape as ATen has them: the terms and slopes of the table of losses.

L = Σ terms, their mean, or the terms themselves; `reduction` is 0 for none, 1 for the mean, 2 for the sum,
as ATen counts.
Source: `torch.nn.functional`; ATen/native/Loss.cpp and derivatives.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from reference.arrays import Array, select, total
from reference.operation import Operation, Option, Sample, define
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import logsigmoid
from reference.operations.losses import LOSSES, regression

NONE, MEAN, SUM = 0, 1, 2

Term = Callable[..., Array]


def reduced(terms: Array, reduction: int) -> Array:
    """The terms, their mean or their sum."""
    if reduction == NONE:
        return terms
    found: Array = np.add.reduce(terms, axis=None)
    return found if reduction == SUM else np.divide(found, math.prod(np.shape(terms)))


def share(g: Array, x: Array, reduction: int) -> Array:
    """What comes back to each term, as many as x has numbers."""
    return np.divide(g, math.prod(np.shape(x))) if reduction == MEAN else np.positive(g)


# One option, or none: value = reduced(term), gradient = share ⊙ slope


def _value(term: Term, x: Array, target: Array, *, reduction: int) -> Array:
    return reduced(term(x, target), reduction)


def _gradient(slope: Term, g: Array, x: Array, target: Array, *, reduction: int) -> Array:
    return share(g, x, reduction) * slope(x, target)


def _beta_value(x: Array, target: Array, *, reduction: int, beta: float) -> Array:
    return reduced(regression.smooth_l1(x, target, beta), reduction)


def _beta_gradient(sign: int, g: Array, x: Array, target: Array, *, reduction: int, beta: float) -> Array:
    """g r/β within β, in this order: a tiny product is not made larger once it has underflowed."""
    r, back = x - target, share(g, x, reduction)
    return sign * select(np.less(np.absolute(r), beta), back * r / beta, back * np.sign(r))


def _delta_value(x: Array, target: Array, *, reduction: int, delta: float) -> Array:
    return reduced(regression.huber(x, target, delta), reduction)


def _delta_gradient(sign: int, g: Array, x: Array, target: Array, *, reduction: int, delta: float) -> Array:
    return share(g, x, reduction) * (sign * regression.huber_slope(x, target, delta))


def _square(x: Array, target: Array) -> Array:
    return np.square(x - target)


def _square_slope(x: Array, target: Array) -> Array:
    return 2 * (x - target)


def _square_target_slope(x: Array, target: Array) -> Array:
    return 2 * (target - x)


# With weights: one for each term, and one for each class's positive share


def _weighted(terms: Array, weight: Array | None) -> Array:
    return terms if weight is None else terms * weight


def _bce(x: Array, target: Array, weight: Array | None, *, reduction: int) -> Array:
    return reduced(_weighted(regression.bce(x, target), weight), reduction)


def _bce_gradient(g: Array, x: Array, target: Array, weight: Array | None, *, reduction: int) -> Array:
    """g (x − target)/max(x(1 − x), 1e-12), in this order, as in PyTorch."""
    back = g * (x - target) / np.maximum((1 - x) * x, 1e-12)
    return share(_weighted(back, weight), x, reduction)


def _bce_target_gradient(g: Array, x: Array, weight: Array | None, *, reduction: int) -> Array:
    slope = np.maximum(np.log1p(-x), -100) - np.maximum(np.log(x), -100)
    return _weighted(share(g, x, reduction) * slope, weight)


def _logits(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    log = logsigmoid(x)
    terms = (1 - target) * x - (log if pos_weight is None else _positive(target, pos_weight) * log)
    return reduced(_weighted(terms, weight), reduction)


def _positive(target: Array, pos_weight: Array) -> Array:
    """1 + (p − 1) target."""
    return 1 + (pos_weight - 1) * target


def _logits_gradient(
    g: Array, x: Array, target: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    if pos_weight is None:
        slope = sigmoid(x) - target
    else:
        t = pos_weight * target
        slope = total(t, 1, -target) * sigmoid(x) - t
    return _weighted(share(g, x, reduction) * slope, weight)


def _logits_target_gradient(
    g: Array, x: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    slope = -x if pos_weight is None else logsigmoid(-x) - pos_weight * logsigmoid(x)
    return _weighted(share(g, x, reduction) * slope, weight)


# Samples and records


def _pairs(**options: tuple[Option, ...]) -> Iterator[Sample]:
    random = np.random.default_rng(26)
    names = tuple(options)
    for place, shape in enumerate(((4, 3), (7,), (2, 3, 2), (5, 1))):
        chosen = {name: options[name][place % len(options[name])] for name in names}
        operands = {"x": random.standard_normal(shape), "target": random.standard_normal(shape)}
        yield Sample(operands, {"reduction": (MEAN, SUM, NONE, MEAN)[place], **chosen})


def _signs() -> Iterator[Sample]:
    for sample in _pairs():
        target = sample.operands["target"]
        assert target is not None
        yield Sample({**sample.operands, "target": np.sign(target)}, sample.options)


def _probabilities(logits: bool) -> Iterator[Sample]:  # noqa: FBT001 - which of two losses
    random = np.random.default_rng(27)
    for place, shape in enumerate(((4, 3), (3, 5), (2, 3, 2), (2, 4), (6,))):
        x = random.standard_normal(shape)
        operands: dict[str, Array | None] = {
            "x": x if logits else 1 / (1 + np.exp(-x)),
            "target": random.uniform(0, 1, shape),
            "weight": random.uniform(0.5, 2, shape) if place in (1, 2) else None,
        }
        if logits:
            operands["pos_weight"] = random.uniform(0.5, 2, shape[-1]) if place in (2, 3) else None
        yield Sample(operands, {"reduction": (MEAN, SUM, NONE)[place % 3]})


def _record(
    name: str,
    value: Term,
    back: Term,
    to_target: tuple[Term, str] | None,
    of: str,
    samples: Callable[[], Iterator[Sample]],
    options: dict[str, Option] | None = None,
    operands: tuple[str, ...] = ("x", "target"),
) -> Operation:
    """A record of ATen's under our name, with the LaTeX of the loss of the table that it is."""
    latex = LOSSES[of]
    arguments = " ".join(name.rstrip("?") for name in operands)
    order = " ".join(("reduction", *(options or {})))
    vjps = {"x": (back, r"g \odot " + latex.latex_gradient)}
    if to_target:
        vjps["target"] = to_target
    return define(
        name,
        (value, latex.latex),
        vjps,
        operands=operands,
        options={"reduction": MEAN, **(options or {})},
        torch=f"torch.nn.functional.{name}",
        aten={f"aten.{name}.default": f"x target{arguments[len('x target') :]} {order} -> y"},
        samples=samples,
    )


def _negated(of: str) -> str:
    return r"-g \odot " + LOSSES[of].latex_gradient


OPERATIONS = (
    _record(
        "mse_loss",
        partial(_value, _square),
        partial(_gradient, _square_slope),
        (partial(_gradient, _square_target_slope), _negated("mse")),
        "mse",
        _pairs,
    ),
    _record(
        "smooth_l1_loss",
        _beta_value,
        partial(_beta_gradient, 1),
        (partial(_beta_gradient, -1), _negated("smooth_l1")),
        "smooth_l1",
        partial(_pairs, beta=(1.0, 0.3, 2.5)),
        {"beta": 1.0},
    ),
    _record(
        "huber_loss",
        _delta_value,
        partial(_delta_gradient, 1),
        (partial(_delta_gradient, -1), _negated("huber")),
        "huber",
        partial(_pairs, delta=(1.0, 0.3, 2.5)),
        {"delta": 1.0},
    ),
    _record(
        "soft_margin_loss",
        partial(_value, regression.soft_margin),
        partial(_gradient, regression.soft_margin_slope),
        None,
        "soft_margin",
        _signs,
    ),
    _record(
        "binary_cross_entropy",
        _bce,
        _bce_gradient,
        (_bce_target_gradient, r"\frac{g}{n} (\log(1 - \hat{y}) - \log \hat{y})"),
        "bce",
        partial(_probabilities, False),  # noqa: FBT003 - which of two losses
        operands=("x", "target", "weight?"),
    ),
    _record(
        "binary_cross_entropy_with_logits",
        _logits,
        _logits_gradient,
        (_logits_target_gradient, r"\frac{g}{n} (\log \sigma(-\hat{y}) - p \log \sigma(\hat{y}))"),
        "bce_with_logits",
        partial(_probabilities, True),  # noqa: FBT003 - which of two losses
        operands=("x", "target", "weight?", "pos_weight?"),
    ),
)
