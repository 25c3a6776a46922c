"""Batch norm: each channel by its mean and variance over batch and places, or by running ones.

In training the running statistics are updated in place, by the mean and the unbiased variance: they are
outputs `running_mean_next` and `running_var_next`. In evaluation mean and rstd are empty, and the running
ones stand in their place.
Instance norm is batch norm of one sample, whose channels PyTorch lays side by side.

Shapes: x (batch, channels, *sizes); W, b, running_mean, running_var, mean, rstd (channels,).
Source: `torch.nn.BatchNorm2d`; ATen/native/Normalization.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, root, variance
from reference.operation import REQUIRED, Sample, define
from reference.operations.normalisation import (
    BACK,
    BIAS,
    LATEX,
    WEIGHT,
    also,
    but_channels,
    channel_sums,
    channels,
    linear,
    mean_over,
    numbers_along,
    rstd_over,
    scaled,
)


def _mean(x: Array, *, training: bool) -> Array:
    return np.reshape(mean_over(x, but_channels(x)), (-1,)) if training else np.reshape(x, (-1,))[:0]


def _rstd(x: Array, *, training: bool, eps: float) -> Array:
    return np.reshape(rstd_over(x, but_channels(x), eps), (-1,)) if training else np.reshape(x, (-1,))[:0]


def _used(
    x: Array, means: tuple[Array, Array], rstd: Array, var: Array, *, training: bool, eps: float
) -> tuple[Array, Array]:
    """The mean and the rstd that x is normalised by, for each channel: (channels, 1, …)."""
    m, r = (means[0], rstd) if training else (means[1], np.divide(1, root(var + eps)))
    shape = (-1, *(1,) * (np.ndim(x) - 2))
    return np.reshape(m, shape), np.reshape(r, shape)


def _batch_norm(
    x: Array,
    W: Array | None,
    b: Array | None,
    running_mean: Array,
    running_var: Array,
    mean: Array,
    rstd: Array,
    *,
    training: bool,
    eps: float,
) -> Array:
    m, r = _used(x, (mean, running_mean), rstd, running_var, training=training, eps=eps)
    return scaled((x - m) * r, channels(W, x), channels(b, x))


def _batch_norm_linear(
    x: Array,
    W: Array | None,
    b: Array | None,
    running_mean: Array,
    running_var: Array,
    mean: Array,
    rstd: Array,
    *,
    training: bool,
    eps: float,
) -> Array:
    """PyTorch's kernel."""
    m, r = _used(x, (mean, running_mean), rstd, running_var, training=training, eps=eps)
    return linear(x, m, r, channels(W, x), channels(b, x))


def _moving(old: Array, new: Array, momentum: float) -> Array:
    """(1 − momentum) old + momentum new; momentum is rounded to the format before it leaves 1."""
    share = np.full_like(old, momentum)
    return (1 - share) * old + share * new


def _running_mean(running_mean: Array, mean: Array, *, training: bool, momentum: float) -> Array:
    return _moving(running_mean, mean, momentum) if training else np.positive(running_mean)


def _running_var(x: Array, running_var: Array, *, training: bool, momentum: float) -> Array:
    if not training:
        return np.positive(running_var)
    axes = but_channels(x)
    unbiased = variance(x, axes, mean_over(x, axes), numbers_along(x, axes) - 1)
    return _moving(running_var, np.reshape(unbiased, (-1,)), momentum)


def _input_gradient(
    g: Array,
    x: Array,
    W: Array | None,
    running_mean: Array,
    running_var: Array,
    mean: Array,
    rstd: Array,
    *,
    training: bool,
    eps: float,
) -> Array:
    """rstd W (g − mean of g − (x − m) Σ(x − m)g rstd²/n); by running statistics, rstd W g."""
    m, r = _used(x, (mean, running_mean), rstd, running_var, training=training, eps=eps)
    if not training:
        return scaled(g * r, channels(W, x), None)
    axes = but_channels(x)
    n = numbers_along(x, axes)
    along = np.add.reduce((x - m) * g, axis=axes, keepdims=True) * r * r / n
    found = g - np.add.reduce(g, axis=axes, keepdims=True) / n - (x - m) * along
    return scaled(found * r, channels(W, x), None)


def _weight_gradient(
    g: Array,
    x: Array,
    running_mean: Array,
    running_var: Array,
    mean: Array,
    rstd: Array,
    *,
    training: bool,
    eps: float,
) -> Array:
    m, r = _used(x, (mean, running_mean), rstd, running_var, training=training, eps=eps)
    return channel_sums((x - m) * g) * np.reshape(r, (-1,))


def _samples() -> Iterator[Sample]:
    random = np.random.default_rng(25)
    for shape, learned, kept, training, momentum, eps in (
        ((4, 3, 2, 3), True, True, True, 0.1, 1e-5),
        ((6, 4), True, True, True, 0.997, 1e-5),
        ((3, 2, 5), False, True, True, 0.25, 0.5),
        ((2, 3, 2, 2, 2), True, False, True, 0.1, 1e-3),
        ((4, 3, 2, 3), True, True, False, 0.1, 1e-5),
        ((1, 2, 4), False, True, False, 0.3, 0.5),
    ):
        size = shape[1]
        operands = {"x": 0.5 + random.standard_normal(shape), "W": None, "b": None}
        if learned:
            operands |= {"W": random.standard_normal(size), "b": random.standard_normal(size)}
        statistics = random.standard_normal(size), random.uniform(0.5, 2, size)
        names = ("running_mean", "running_var")
        operands |= dict(zip(names, statistics if kept else (None, None), strict=True))
        yield Sample(operands, {"training": training, "momentum": momentum, "eps": eps})


BATCH_NORM = also(
    define(
        "batch_norm",
        {
            "mean": (_mean, LATEX["mean"]),
            "rstd": (_rstd, LATEX["rstd"]),
            "y": (_batch_norm, LATEX["y"]),
            "running_mean_next": (_running_mean, r"(1 - \mu) \bar m + \mu m"),
            "running_var_next": (_running_var, r"(1 - \mu) \bar v + \frac{\mu}{n-1} \sum_i (x_i - m)^2"),
        },
        {"x": (_input_gradient, BACK), "W": (_weight_gradient, WEIGHT), "b": (channel_sums, BIAS)},
        operands=("x", "W?", "b?", "running_mean?", "running_var?"),
        options={"training": REQUIRED, "momentum": 0.1, "eps": 1e-5},
        label="batch norm",
        torch="torch.nn.functional.batch_norm",
        aten={
            f"aten.{name}.default": "x W b running_mean running_var training momentum eps -> y mean rstd"
            for name in ("native_batch_norm", "_native_batch_norm_legit")
        },
        learned={"W": "weight", "b": "bias"},
        samples=_samples,
    ),
    "",
    _batch_norm_linear,
)

OPERATIONS = (BATCH_NORM,)
