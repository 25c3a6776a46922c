"""Normalisations: y = (x − mean) rstd, scaled by W and shifted by b.

Mean and rstd = 1/√(variance + eps) are outputs of their own: y and every gradient take the recorded
ones. Layer and group norm go back in PyTorch by other forms than in the textbook, which cancel where
|mean| is large beside the deviation; these are held too.
Source: `torch.nn.BatchNorm2d`, `torch.nn.LayerNorm`, `torch.nn.GroupNorm`; ATen/native/Normalization.cpp,
ATen/native/cpu/layer_norm_kernel.cpp, ATen/native/cpu/group_norm_kernel.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from reference.arrays import Array, root, total, variance
from reference.operation import REQUIRED, Operation, Option, Sample, define

Axes = tuple[int, ...]


def mean_over(x: Array, axes: Axes) -> Array:
    """The mean over some axes, which are kept."""
    return np.add.reduce(x, axis=axes, keepdims=True) / numbers_along(x, axes)


def numbers_along(x: Array, axes: Axes) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def rstd_over(x: Array, axes: Axes, eps: float) -> Array:
    return np.divide(1, root(variance(x, axes, mean_over(x, axes), numbers_along(x, axes)) + eps))


def scaled(h: Array, W: Array | None, b: Array | None) -> Array:
    h = h if W is None else h * W
    return h if b is None else h + b


def linear(x: Array, mean: Array, rstd: Array, W: Array | None, b: Array | None) -> Array:
    """x a + (b − mean a), a = rstd W: one product for each number."""
    a = rstd if W is None else rstd * W
    return x * a + (-(mean * a) if b is None else b - mean * a)


def _textbook(d: Array, x: Array, mean: Array, rstd: Array, axes: Axes) -> Array:
    """∂L/∂x = rstd (d − mean of d − h · mean of d h), h = (x − mean) rstd, of the errors d of h."""
    h, n = (x - mean) * rstd, numbers_along(x, axes)
    along = h * (np.add.reduce(d * h, axis=axes, keepdims=True) / n)
    return rstd * (d - np.add.reduce(d, axis=axes, keepdims=True) / n - along)


def _by_two_sums(d: Array, x: Array, mean: Array, rstd: Array, axes: Axes) -> Array:
    """a d + B x + C, B = (mean Σd − Σd x) rstd³/n, C = −B mean − Σd rstd/n: PyTorch's kernels."""
    n = numbers_along(x, axes)
    dx = np.add.reduce(d * x, axis=axes, keepdims=True)
    ds = np.add.reduce(d, axis=axes, keepdims=True)
    B = (ds * mean - dx) * (rstd * rstd * rstd) / n
    C = -(B * mean) - ds * rstd / n
    return np.positive(total(rstd * d, B * x, C))


# Layer norm: over the last axes


def _last(x: Array, normalized_shape: Axes) -> Axes:
    return tuple(range(np.ndim(x) - len(normalized_shape), np.ndim(x)))


def _first(x: Array, normalized_shape: Axes) -> Axes:
    return tuple(range(np.ndim(x) - len(normalized_shape)))


def _layer_mean(x: Array, *, normalized_shape: Axes) -> Array:
    return mean_over(x, _last(x, normalized_shape))


def _layer_rstd(x: Array, *, normalized_shape: Axes, eps: float) -> Array:
    return rstd_over(x, _last(x, normalized_shape), eps)


def _layer_norm(x: Array, W: Array | None, b: Array | None, mean: Array, rstd: Array) -> Array:
    return scaled((x - mean) * rstd, W, b)


def _layer_back(form: Callable[..., Array]) -> Callable[..., Array]:
    def gradient(
        g: Array, x: Array, W: Array | None, mean: Array, rstd: Array, *, normalized_shape: Axes
    ) -> Array:
        d = g if W is None else g * W
        return form(d, x, mean, rstd, _last(x, normalized_shape))

    return gradient


def _layer_weight(g: Array, x: Array, mean: Array, rstd: Array, *, normalized_shape: Axes) -> Array:
    return np.add.reduce(g * ((x - mean) * rstd), axis=_first(x, normalized_shape))


def _layer_weight_linear(g: Array, x: Array, mean: Array, rstd: Array, *, normalized_shape: Axes) -> Array:
    """Σ g (a x + c), a = rstd, c = −a mean: PyTorch's kernel."""
    return np.add.reduce(g * (rstd * x - rstd * mean), axis=_first(x, normalized_shape))


def _layer_bias(g: Array, *, normalized_shape: Axes) -> Array:
    return np.add.reduce(g, axis=_first(g, normalized_shape))


# Group norm: over the channels of a group and all places


def _in_groups(x: Array, group: int) -> Array:
    """(batch, groups, numbers of a group)."""
    return np.reshape(x, (x.shape[0], group, math.prod(x.shape[1:]) // group))


def _of_channels(statistic: Array, x: Array) -> Array:
    """A statistic of each group, (batch, groups), for each of its channels: (batch, channels, 1, …)."""
    times = x.shape[1] // statistic.shape[1]
    return np.reshape(np.repeat(statistic, times, axis=1), (*x.shape[:2], *(1,) * (np.ndim(x) - 2)))


def channels(w: Array | None, x: Array) -> Array | None:
    return None if w is None else np.reshape(w, (-1, *(1,) * (np.ndim(x) - 2)))


def _group_mean(x: Array, *, N: int, C: int, HxW: int, group: int) -> Array:
    return mean_over(np.reshape(x, (N, group, C * HxW // group)), (2,))[..., 0]


def _group_rstd(x: Array, *, N: int, C: int, HxW: int, group: int, eps: float) -> Array:
    return rstd_over(np.reshape(x, (N, group, C * HxW // group)), (2,), eps)[..., 0]


def _group_norm(x: Array, W: Array | None, b: Array | None, mean: Array, rstd: Array) -> Array:
    h = (x - _of_channels(mean, x)) * _of_channels(rstd, x)
    return scaled(h, channels(W, x), channels(b, x))


def _group_linear(x: Array, W: Array | None, b: Array | None, mean: Array, rstd: Array) -> Array:
    m, r = _of_channels(mean, x), _of_channels(rstd, x)
    return linear(x, m, r, channels(W, x), channels(b, x))


def _group_back(form: Callable[..., Array]) -> Callable[..., Array]:
    def gradient(g: Array, x: Array, W: Array | None, mean: Array, rstd: Array, *, group: int) -> Array:
        w = channels(W, x)
        d = _in_groups(g if w is None else g * w, group)
        found = form(d, _in_groups(x, group), mean[..., None], rstd[..., None], (2,))
        return np.reshape(found, x.shape)

    return gradient


def _group_weight(g: Array, x: Array, mean: Array, rstd: Array) -> Array:
    h = (x - _of_channels(mean, x)) * _of_channels(rstd, x)
    return np.add.reduce(g * h, axis=but_channels(x))


def _group_weight_by_two_sums(g: Array, x: Array, mean: Array, rstd: Array) -> Array:
    """Σ_n (Σ g x − mean Σ g) rstd: PyTorch's kernel."""
    places, times = tuple(range(2, np.ndim(x))), x.shape[1] // mean.shape[1]
    m, r = np.repeat(mean, times, axis=1), np.repeat(rstd, times, axis=1)
    along = np.add.reduce(g * x, axis=places) - m * np.add.reduce(g, axis=places)
    return np.add.reduce(along * r, axis=0)


def but_channels(x: Array) -> Axes:
    return (0, *range(2, np.ndim(x)))


def channel_sums(g: Array) -> Array:
    return np.add.reduce(g, axis=but_channels(g))


# Samples and records


def _layer_samples() -> Iterator[Sample]:
    random = np.random.default_rng(23)
    for shape, last, W, b, eps in (
        ((6, 5), 1, True, True, 1e-5),
        ((3, 4, 7), 1, True, False, 1e-5),
        ((2, 3, 4), 2, False, False, 0.5),
        ((4, 1, 16), 2, False, True, 1e-6),
    ):
        inner = shape[-last:]
        x = 0.5 + random.standard_normal(shape)
        w = random.standard_normal(inner) if W else None
        shift = random.standard_normal(inner) if b else None
        yield Sample({"x": x, "W": w, "b": shift}, {"normalized_shape": inner, "eps": eps})


def _group_samples() -> Iterator[Sample]:
    random = np.random.default_rng(24)
    for shape, group, learned, eps in (
        ((3, 4, 3, 2), 2, True, 1e-5),
        ((2, 6, 5), 3, True, 0.5),
        ((2, 3, 4), 3, False, 1e-5),
        ((2, 6, 2, 3, 2), 1, True, 1e-5),
    ):
        x = 0.5 + random.standard_normal(shape)
        w, b = (random.standard_normal(shape[1]) if learned else None for _ in range(2))
        sizes: dict[str, Option] = {"N": shape[0], "C": shape[1], "HxW": math.prod(shape[2:])}
        yield Sample({"x": x, "W": w, "b": b}, {**sizes, "group": group, "eps": eps})


LATEX = {
    "mean": r"\frac{1}{n} \sum_i x_i",
    "rstd": r"\left(\tfrac{1}{n} \textstyle\sum_i (x_i - m)^2 + \epsilon\right)^{-1/2}",
    "y": r"(x - m) r \odot W + b",
}
BACK = r"r \left(d - \tfrac{1}{n} \textstyle\sum d - h \, \tfrac{1}{n} \sum d \odot h\right), \; d = g W"
WEIGHT, BIAS = r"\sum g \odot (x - m) r", r"\sum g"


def also(operation: Operation, gradient: str, form: Callable[..., Array]) -> Operation:
    """The record with another form of a gradient, or of y, which PyTorch computes."""
    side = operation.vjps if gradient else operation.forward
    found = dict(side)
    key = gradient or "y"
    found[key] = replace(found[key], other_forms=(form,), also=(form,))
    return replace(operation, **{"vjps" if gradient else "forward": found})  # type: ignore[arg-type]


LAYER_NORM = define(
    "layer_norm",
    {
        "mean": (_layer_mean, LATEX["mean"]),
        "rstd": (_layer_rstd, LATEX["rstd"]),
        "y": (_layer_norm, LATEX["y"]),
    },
    {"x": (_layer_back(_textbook), BACK), "W": (_layer_weight, WEIGHT), "b": (_layer_bias, BIAS)},
    operands=("x", "W?", "b?"),
    options={"normalized_shape": REQUIRED, "eps": 1e-5},
    label="layer norm",
    torch="torch.nn.functional.layer_norm",
    aten={"aten.native_layer_norm.default": "x normalized_shape W b eps -> y mean rstd"},
    learned={"W": "weight", "b": "bias"},
    samples=_layer_samples,
)
LAYER_NORM = also(LAYER_NORM, "x", _layer_back(_by_two_sums))
LAYER_NORM = also(LAYER_NORM, "W", _layer_weight_linear)

GROUP_NORM = define(
    "group_norm",
    {
        "mean": (_group_mean, LATEX["mean"]),
        "rstd": (_group_rstd, LATEX["rstd"]),
        "y": (_group_norm, LATEX["y"]),
    },
    {"x": (_group_back(_textbook), BACK), "W": (_group_weight, WEIGHT), "b": (channel_sums, BIAS)},
    operands=("x", "W?", "b?"),
    options={"N": REQUIRED, "C": REQUIRED, "HxW": REQUIRED, "group": REQUIRED, "eps": 1e-5},
    label="group norm",
    torch="torch.nn.functional.group_norm",
    aten={"aten.native_group_norm.default": "x W b N C HxW group eps -> y mean rstd"},
    learned={"W": "weight", "b": "bias"},
    samples=_group_samples,
)
GROUP_NORM = also(GROUP_NORM, "", _group_linear)
GROUP_NORM = also(GROUP_NORM, "x", _group_back(_by_two_sums))
GROUP_NORM = also(GROUP_NORM, "W", _group_weight_by_two_sums)

OPERATIONS = (LAYER_NORM, GROUP_NORM)
