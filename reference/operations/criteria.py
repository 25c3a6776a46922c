"""Losses as PyTorch dispatches them: arrays of any shape, and a reduction by its number.

The terms and their slopes are those of `losses`; where PyTorch multiplies by 1/n, the quotient's bound
holds both. Reductions: 0 keeps the terms, 1 takes their mean, 2 their sum.
Source: ATen/native/Loss.cpp and LossNLL.cpp; https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, select
from reference.operation import Operation, Sample, define, reading_options, with_forms
from reference.operations.activations.classic import sigmoid
from reference.operations.activations.smooth import logsigmoid
from reference.operations.losses import regression
from reference.operations.shapes import repeated_to

Term = Callable[..., Array]

NONE, MEAN, SUM = range(3)


def reduced(terms: Array, reduction: int) -> Array:
    """The terms, their mean or their sum."""
    if reduction == NONE:
        return terms
    total: Array = np.add.reduce(terms, axis=None)
    return total if reduction == SUM else np.divide(total, math.prod(np.shape(terms)))


def share(g: Array, terms: Array, reduction: int) -> Array:
    """What a term gets of the gradient: g, or g/n of a mean."""
    g = repeated_to(g, terms)
    return np.divide(g, math.prod(np.shape(terms))) if reduction == MEAN else g


def _criterion(
    name: str,
    term: Term,
    slope: Term,
    latex: tuple[str, str],
    *,
    option: str | None = None,
    values: tuple[float, ...] = (),
    target: tuple[Term, str] | None = None,
    torch_form: Term | None = None,
) -> Operation:
    """A loss of x and a target, number by number: Σ term(x, t)/n, and g slope(x, t)/n.

    `target` is the slope in the target, and its LaTeX; without it the target is data. `option` is PyTorch's
    name of the one number that the terms take, if they take one, and `values` what it is tried with.
    `torch_form(share, x, t)` is the gradient in PyTorch's order, where a product may leave the range in it.
    """

    def value(x: Array, target: Array, *, reduction: int, **given: float) -> Array:
        return reduced(term(x, target, *given.values()), reduction)

    def product(along: Term) -> Term:
        def gradient(g: Array, x: Array, target: Array, *, reduction: int, **given: float) -> Array:
            return np.multiply(share(g, x, reduction), along(x, target, *given.values()))

        return gradient

    def reading(function: Term) -> Term:
        return reading_options(("reduction", option) if option else ("reduction",))(function)

    def samples() -> Iterator[Sample]:
        for pair in _pairs():
            for number in values or (None,):
                more = {} if number is None or option is None else {option: number}
                yield Sample(pair.operands, {**pair.options, **more})

    def in_order(sign: float) -> Term | None:
        if torch_form is None:
            return None

        def gradient(g: Array, x: Array, target: Array, *, reduction: int, **given: float) -> Array:
            return np.multiply(sign, torch_form(share(g, x, reduction), x, target, *given.values()))

        return reading(gradient)

    vjps = {"x": (reading(product(slope)), rf"\frac{{g}}{{n}} \left({latex[1]}\right)")}
    if target is not None:
        vjps["target"] = (reading(product(target[0])), rf"\frac{{g}}{{n}} \left({target[1]}\right)")
    made = define(
        name,
        (reading(value), rf"\frac{{1}}{{n}} \sum {latex[0]}"),
        vjps,
        ("x", "target"),
        options={"reduction": MEAN, **({option: values[0]} if option else {})},
        torch=f"torch.nn.functional.{name}",
        aten={f"aten.{name}.default": f"x target reduction {option or ''} -> y"},
        samples=samples,
    )
    return with_forms(made, {"x": in_order(1), "target": in_order(-1)})


def _negative(slope: Term) -> Term:
    def negated(x: Array, target: Array, *options: float) -> Array:
        return np.negative(slope(x, target, *options))

    return negated


def _pairs() -> Iterator[Sample]:
    """Outputs and targets of several shapes, with each reduction."""
    random = np.random.default_rng(5)
    for shape in ((4, 3), (2, 3, 4), (1,), ()):
        for reduction in (NONE, MEAN, SUM):
            x, target = (np.asarray(random.standard_normal(shape)) for _ in range(2))
            yield Sample({"x": x, "target": target}, {"reduction": reduction})


MSE = _criterion(
    "mse_loss",
    lambda x, target: np.square(x - target),
    lambda x, target: np.multiply(2, x - target),
    (r"(x - t)^2", r"2 (x - t)"),
    target=(lambda x, target: np.multiply(2, target - x), r"2 (t - x)"),
)
"""Slide 3, on arrays of any shape."""

SMOOTH_L1 = _criterion(
    "smooth_l1_loss",
    regression.smooth_l1,
    regression.smooth_l1_slope,
    (r"\ell_\beta(x - t)", r"\ell_\beta'(x - t)"),
    option="beta",
    target=(_negative(regression.smooth_l1_slope), r"-\ell_\beta'(x - t)"),
    values=(1.0, 0.3),
    torch_form=lambda g, x, target, beta: select(
        np.less(np.absolute(x - target), beta), (x - target) * g / beta, np.sign(x - target) * g
    ),
)

HUBER = _criterion(
    "huber_loss",
    regression.huber,
    regression.huber_slope,
    (r"\ell_\delta(x - t)", r"\ell_\delta'(x - t)"),
    option="delta",
    target=(_negative(regression.huber_slope), r"-\ell_\delta'(x - t)"),
    values=(1.0, 0.4),
)


# --- Probabilities --------------------------------------------------------------------------------


def _weighed(terms: Array, weight: Array | None) -> Array:
    return terms if weight is None else np.multiply(terms, weight)


def binary_cross_entropy(x: Array, target: Array, weight: Array | None, *, reduction: int) -> Array:
    """(t − 1) log(1 − x) − t log x, each logarithm at least −100."""
    return reduced(_weighed(regression.bce(x, target), weight), reduction)


def binary_cross_entropy_gradient(
    g: Array, x: Array, target: Array, weight: Array | None, *, reduction: int
) -> Array:
    """g (x − t)/max((1 − x) x, 10⁻¹²)."""
    slopes = np.multiply(share(g, x, reduction), regression.bce_slope(x, target))
    return _weighed(slopes, weight)


def binary_cross_entropy_target(
    g: Array, x: Array, target: Array, weight: Array | None, *, reduction: int
) -> Array:
    """g (log(1 − x) − log x)."""
    log, log_other = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    return _weighed(np.multiply(share(g, x, reduction), log_other - log), weight)


def _probabilities() -> Iterator[Sample]:
    random = np.random.default_rng(6)
    for reduction in (NONE, MEAN, SUM):
        for weighed in (False, True):
            x, target, weight = (random.uniform(0.05, 0.95, (4, 3)) for _ in range(3))
            operands = {"x": x, "target": target, "weight": weight if weighed else None}
            yield Sample(operands, {"reduction": reduction})


def binary_cross_entropy_in_order(
    g: Array, x: Array, target: Array, weight: Array | None, *, reduction: int
) -> Array:
    """The same, multiplied by g before it is divided."""
    below = np.maximum((1 - x) * x, 1e-12)
    return _weighed(share(g, x, reduction) * (x - target) / below, weight)


BCE = with_forms(
    define(
        "binary_cross_entropy",
        (binary_cross_entropy, r"\frac{1}{n} \sum (t - 1) \log(1 - x) - t \log x"),
        {
            "x": (binary_cross_entropy_gradient, r"\frac{g}{n} \frac{x - t}{\max((1 - x) x, 10^{-12})}"),
            "target": (binary_cross_entropy_target, r"\frac{g}{n} (\log(1 - x) - \log x)"),
        },
        ("x", "target", "weight?"),
        options={"reduction": MEAN},
        torch="torch.nn.functional.binary_cross_entropy",
        aten={"aten.binary_cross_entropy.default": "x target weight reduction -> y"},
        samples=_probabilities,
    ),
    {"x": binary_cross_entropy_in_order},
)


def with_logits(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    """(1 − t) x − (1 + (w − 1) t) log σ(x), w the weight of the positive class."""
    log = logsigmoid(x)
    if pos_weight is not None:
        log = np.multiply(1 + (pos_weight - 1) * target, log)
    return reduced(_weighed((1 - target) * x - log, weight), reduction)


def with_logits_gradient(
    g: Array, x: Array, target: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    """g ((w t + 1 − t) σ(x) − w t); without w, g (σ(x) − t)."""
    if pos_weight is None:
        slope = sigmoid(x) - target
    else:
        t = pos_weight * target
        slope = (t + 1 - target) * sigmoid(x) - t
    return _weighed(np.multiply(slope, share(g, x, reduction)), weight)


def with_logits_target(
    g: Array, x: Array, target: Array, weight: Array | None, pos_weight: Array | None, *, reduction: int
) -> Array:
    """−g x; with w, g (log σ(−x) − w log σ(x))."""
    if pos_weight is None:
        slope = np.negative(x)
    else:
        slope = logsigmoid(np.negative(x)) - pos_weight * logsigmoid(x)
    return _weighed(np.multiply(slope, share(g, x, reduction)), weight)


def _logits() -> Iterator[Sample]:
    random = np.random.default_rng(7)
    for reduction in (NONE, MEAN, SUM):
        for weighed, positive in ((False, False), (True, False), (True, True)):
            operands = {
                "x": random.standard_normal((4, 3)),
                "target": random.uniform(0, 1, (4, 3)),
                "weight": random.uniform(0.5, 2, (4, 3)) if weighed else None,
                "pos_weight": random.uniform(0.5, 3, 3) if positive else None,
            }
            yield Sample(operands, {"reduction": reduction})


BCE_WITH_LOGITS = define(
    "binary_cross_entropy_with_logits",
    (with_logits, r"\frac{1}{n} \sum (1 - t) x - (1 + (w - 1) t) \log \sigma(x)"),
    {
        "x": (with_logits_gradient, r"\frac{g}{n} ((w t + 1 - t) \sigma(x) - w t)"),
        "target": (with_logits_target, r"\frac{g}{n} (\log \sigma(-x) - w \log \sigma(x))"),
    },
    ("x", "target", "weight?", "pos_weight?"),
    options={"reduction": MEAN},
    torch="torch.nn.functional.binary_cross_entropy_with_logits",
    aten={"aten.binary_cross_entropy_with_logits.default": "x target weight pos_weight reduction -> y"},
    samples=_logits,
)


OPERATIONS = (MSE, SMOOTH_L1, HUBER, BCE, BCE_WITH_LOGITS)
