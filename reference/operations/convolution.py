"""Convolutions in one, two and three dimensions, and transposed ones: one operation of ATen's.

A transposed convolution is the input gradient of a plain one, so three products serve for everything:
a kernel over windows, a turned kernel over spread-out windows, and errors with windows.

Shapes: x (batch, in, *sizes), W (out, in/groups, *kernel), b (out,), y (batch, out, *places); transposed,
W (in, out/groups, *kernel).
Source: `torch.nn.Conv2d`, `torch.nn.ConvTranspose2d`; ATen/native/Convolution.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from reference.arrays import Array, certain_nans, contract, windows
from reference.operation import REQUIRED, Option, Sample, define
from reference.operations.kernel_places import KernelPlaces

Sizes = tuple[int, ...]

AXES = "abc"
"""Labels of the places of a kernel in an axis; of the kernel's own they are upper case."""


def _each(option: Sizes, axes: int) -> Sizes:
    """An option for each axis; one number stands for all of them."""
    return tuple(option) * (axes // len(option))


def _grouped(x: Array, groups: int, axis: int) -> Array:
    """An axis of channels as two: groups, and channels of a group."""
    shape = np.shape(x)
    return np.reshape(x, (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]))


def _over_windows(x: Array, W: Array, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
    """Σ_cj W_mcj x_nc(sp + dj − padding): (batch, channels of W, *places)."""
    axes = len(stride)
    seen = _grouped(windows(x, W.shape[2:], stride, padding, dilation), groups, 1)
    p, j = AXES[:axes], AXES[:axes].upper()
    made = contract(f"ngi{p}{j},goi{j}->ngo{p}", seen, _grouped(W, groups, 0))
    shape = np.shape(made)
    met = KernelPlaces(W.shape[2:], stride, padding, dilation, groups)
    return certain_nans(np.reshape(made, (shape[0], -1, *shape[3:])), (x, W), met.over_windows)


def _over_turned(
    g: Array, W: Array, sizes: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    """Σ_mj W_mcj g_nmp over sp + dj − padding = q, for every q of `sizes`: where windows came from.

    Errors are spread out by the stride, with zeros between them, and the kernel is turned. These zeros
    count as terms in the bound of the sum: of a stride s, it is s times what it could be in each axis.
    """
    axes, given = len(stride), g
    for axis in range(axes):
        g = _spread_out(g, 2 + axis, stride[axis])
        reach = dilation[axis] * (W.shape[2 + axis] - 1)
        before = reach - padding[axis]
        after = sizes[axis] + reach - before - g.shape[2 + axis]
        g = _extended(g, 2 + axis, before, after)
    seen = _grouped(windows(g, W.shape[2:], dilation=dilation), groups, 1)
    turned = _grouped(np.flip(W, tuple(range(2, 2 + axes))), groups, 0)
    p, j = AXES[:axes], AXES[:axes].upper()
    made = contract(f"ngo{p}{j},goi{j}->ngi{p}", seen, turned)
    shape = np.shape(made)
    met = KernelPlaces(W.shape[2:], stride, padding, dilation, groups)
    return certain_nans(
        np.reshape(made, (shape[0], -1, *shape[3:])), (given, W), partial(met.over_turned, sizes=sizes)
    )


def _spread_out(x: Array, axis: int, stride: int) -> Array:
    """x with stride − 1 zeros between its numbers in an axis."""
    shape = np.shape(x)
    if stride == 1 or shape[axis] < 2:
        return x
    width = [(0, 0)] * (len(shape) + 1)
    width[axis + 1] = (0, stride - 1)
    spread = np.pad(np.expand_dims(x, axis + 1), width)
    spread = np.reshape(spread, (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :]))
    return _extended(spread, axis, 0, 1 - stride)


def _extended(x: Array, axis: int, before: int, after: int) -> Array:
    """x with so many zeros on both sides of an axis; a negative number cuts off."""
    size = x.shape[axis]
    kept = x[(slice(None),) * axis + (slice(max(-before, 0), size - max(-after, 0)),)]
    width = [(0, 0)] * np.ndim(x)
    width[axis] = (max(before, 0), max(after, 0))
    return np.pad(kept, width)


def _with_windows(
    g: Array, x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    """Σ_np g_nmp x_nc(sp + dj − padding): (channels of g, channels of x in a group, *kernel)."""
    axes = len(stride)
    seen = windows(x, kernel, stride, padding, dilation)
    seen = seen[:, :, *(slice(size) for size in g.shape[2:])]  # more, where an output padding is large
    p, j = AXES[:axes], AXES[:axes].upper()
    made = contract(f"ngo{p},ngi{p}{j}->goi{j}", _grouped(g, groups, 1), _grouped(seen, groups, 1))
    met = KernelPlaces(kernel, stride, padding, dilation, groups)
    return certain_nans(np.reshape(made, (-1, *np.shape(made)[2:])), (g, x), met.with_windows)


def _convolution(
    x: Array,
    W: Array,
    b: Array | None,
    *,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Array:
    """y = b + Σ W x over windows; transposed, over what each number of x is spread to."""
    axes = len(W.shape) - 2
    s, q, d, extra = (_each(option, axes) for option in (stride, padding, dilation, output_padding))
    if transposed:
        sizes = tuple(
            (x.shape[2 + i] - 1) * s[i] - 2 * q[i] + d[i] * (W.shape[2 + i] - 1) + extra[i] + 1
            for i in range(axes)
        )
        y = _over_turned(x, W, sizes, s, q, d, groups)
    else:
        y = _over_windows(x, W, s, q, d, groups)
    return y if b is None else y + np.reshape(b, (-1, *(1,) * axes))


def _input_gradient(
    g: Array,
    x: Array,
    W: Array,
    *,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    groups: int,
) -> Array:
    """∂L/∂x: errors over the turned kernel; of a transposed convolution, the plain one of the errors."""
    axes = len(W.shape) - 2
    s, q, d = (_each(option, axes) for option in (stride, padding, dilation))
    if not transposed:
        return _over_turned(g, W, x.shape[2:], s, q, d, groups)
    found = _over_windows(g, W, s, q, d, groups)
    return found[:, :, *(slice(size) for size in x.shape[2:])]


def _weight_gradient(
    g: Array,
    x: Array,
    W: Array,
    *,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    groups: int,
) -> Array:
    """∂L/∂W: errors with the windows that they came from, over batch and places."""
    axes = len(W.shape) - 2
    s, q, d = (_each(option, axes) for option in (stride, padding, dilation))
    one, other = (x, g) if transposed else (g, x)
    return _with_windows(one, other, W.shape[2:], s, q, d, groups)


def _bias_gradient(g: Array) -> Array:
    """∂L/∂b: errors, summed over batch and places."""
    return np.add.reduce(g, axis=(0, *range(2, np.ndim(g))))


def _samples() -> Iterator[Sample]:
    random = np.random.default_rng(20)

    def sample(x: Sizes, W: Sizes, bias: int = 0, /, **options: Option) -> Sample:
        axes = len(x) - 2
        ones, zeros = (1,) * axes, (0,) * axes
        given: dict[str, Option] = {"stride": ones, "padding": zeros, "dilation": ones, "transposed": False}
        given |= {"output_padding": zeros, "groups": 1}
        given |= options
        b = random.standard_normal(bias) if bias else None
        operands = {"x": random.standard_normal(x), "W": random.standard_normal(W), "b": b}
        return Sample(operands, given)

    yield sample((2, 3, 7), (4, 3, 3), 4)
    yield sample((2, 4, 9), (6, 2, 2), 6, stride=(2,), padding=(1,), dilation=(3,), groups=2)
    yield sample((2, 3, 7, 6), (4, 3, 3, 2), 4)
    yield sample((2, 4, 8, 7), (6, 2, 3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2), groups=2)
    yield sample((1, 3, 6, 6), (3, 1, 3, 3), 3, padding=(2, 2), groups=3)
    yield sample((3, 5, 4, 5), (2, 5, 1, 1), 2)
    yield sample((2, 1, 5, 5), (1, 1, 5, 5))
    yield sample((2, 2, 4, 5, 4), (3, 2, 2, 3, 2), 3, stride=(1, 2, 2), padding=(1, 1, 0))
    turned: dict[str, Option] = {"transposed": True}
    yield sample((2, 3, 5), (3, 2, 3), 2, **turned)
    yield sample(
        (2, 4, 5), (4, 3, 2), 6, stride=(3,), padding=(1,), output_padding=(2,), groups=2, **turned
    )
    yield sample((2, 3, 4, 3), (3, 4, 3, 2), 4, stride=(2, 1), padding=(1, 1), **turned)
    wide: dict[str, Option] = {"stride": (2, 3), "dilation": (3, 1), "output_padding": (2, 1), "groups": 2}
    yield sample((2, 4, 3, 4), (4, 2, 3, 2), **wide, **turned)
    yield sample((1, 2, 3, 2, 3), (2, 3, 2, 2, 3), 3, stride=(2, 1, 1), padding=(0, 1, 1), **turned)


CONVOLUTION = define(
    "convolution",
    (_convolution, r"y_{nmp} = b_m + \sum_{c,j} W_{mcj} x_{n c (s p + d j - q)}"),
    {
        "x": (_input_gradient, r"\sum_{m, \, s p + d j - q = i} W_{mcj} g_{nmp}"),
        "W": (_weight_gradient, r"\sum_{n,p} g_{nmp} x_{n c (s p + d j - q)}"),
        "b": (_bias_gradient, r"\sum_{n,p} g_{nmp}"),
    },
    operands=("x", "W", "b?"),
    options={
        "stride": (1,),
        "padding": (0,),
        "dilation": (1,),
        "transposed": REQUIRED,
        "output_padding": (0,),
        "groups": 1,
    },
    label="conv",
    torch="torch.nn.functional.conv2d",
    aten={
        "aten.convolution.default": "x W b stride padding dilation transposed output_padding groups -> y"
    },
    learned={"W": "weight", "b": "bias"},
    samples=_samples,
)

OPERATIONS = (CONVOLUTION,)
