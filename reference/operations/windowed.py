"""Numbers moved between images, their borders and their windows.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from reference.arrays import Array, scatter_add, windows
from reference.operation import REQUIRED, Operation, Option
from reference.operations.moved import Sizes, moved
from reference.operations.shapes import sent_back


def _widths(x: Array, pad: Sizes) -> list[tuple[int, int]]:
    """PyTorch's padding, of the last axis first, as one pair for each axis."""
    width = [(0, 0)] * np.ndim(x)
    for place in range(len(pad) // 2):
        width[-1 - place] = (pad[2 * place], pad[2 * place + 1])
    return width


def _padded(x: Array, pad: Sizes, value: float) -> Array:
    """Numbers of `value` around x; a negative width cuts off as many."""
    width = _widths(x, pad)
    inside = tuple(
        slice(max(-a, 0), size - max(-b, 0)) for size, (a, b) in zip(np.shape(x), width, strict=True)
    )
    return np.pad(x[inside], [(max(a, 0), max(b, 0)) for a, b in width], constant_values=value)


def _constant(x: Array, *, pad: Sizes, value: float) -> Array:
    return _padded(x, pad, value)


def _constant_gradient(g: Array, *, pad: Sizes) -> Array:
    return _padded(g, tuple(-width for width in pad), 0.0)


def _framed(x: Array, padding: Sizes, mode: Literal["reflect", "edge"]) -> Array:
    """x with a border; a negative width takes that much off."""
    widths = _widths(x, padding)
    wide = np.pad(x, [(max(before, 0), max(after, 0)) for before, after in widths], mode=mode)
    pairs = zip(widths, wide.shape, strict=True)
    return wide[tuple(slice(max(-a, 0), size - max(-b, 0)) for (a, b), size in pairs)]


def _reflected(x: Array, *, padding: Sizes) -> Array:
    return _framed(x, padding, "reflect")


def _reflected_gradient(g: Array, x: Array, *, padding: Sizes) -> Array:
    return sent_back(g, x, lambda a: _reflected(a, padding=padding))


def _replicated(x: Array, *, padding: Sizes) -> Array:
    return _framed(x, padding, "edge")


def _replicated_gradient(g: Array, x: Array, *, padding: Sizes) -> Array:
    return sent_back(g, x, lambda a: _replicated(a, padding=padding))


def _unfold(x: Array, *, dimension: int, size: int, step: int) -> Array:
    """Every window along one axis, as a new last axis."""
    if np.ndim(x) == 0:
        return np.reshape(x, (1,))[:size]
    seen = windows(np.moveaxis(x, dimension, -1), (size,), (step,))
    return np.moveaxis(seen, -2, dimension % np.ndim(x))


def _unfold_gradient(g: Array, x: Array, *, dimension: int, size: int, step: int) -> Array:
    return sent_back(g, x, lambda a: _unfold(a, dimension=dimension, size=size, step=step))


def _columns(
    x: Array, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes, around: float = 0.0
) -> Array:
    """A column for each window: (…, C, H, W) -> (…, C kh kw, windows)."""
    seen = windows(x, kernel, stride, padding, dilation, around)  # (…, C, oh, ow, kh, kw)
    lead = tuple(range(np.ndim(x) - 3))
    n = len(lead)
    turned = np.transpose(seen, (*lead, n, n + 3, n + 4, n + 1, n + 2))
    shape = np.shape(turned)
    return np.reshape(turned, (*shape[:n], shape[n] * kernel[0] * kernel[1], shape[-2] * shape[-1]))


def _im2col(x: Array, *, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Array:
    return _columns(x, kernel_size, dilation, padding, stride)


def _im2col_gradient(
    g: Array, x: Array, *, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> Array:
    size = float(np.size(x))  # of no place
    return sent_back(g, x, lambda a: _columns(a, kernel_size, dilation, padding, stride, size))


def _image_places(
    x: Array, output_size: Sizes, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> tuple[Sizes, Array]:
    """The shape of the image of these columns, and the place of each of their numbers in it."""
    *lead, channels, _ = np.shape(x)
    shape = (*lead, channels // (kernel[0] * kernel[1]), *output_size)
    size = int(np.prod(shape))
    places: Array = np.arange(size).reshape(shape)
    return shape, _columns(places, kernel, dilation, padding, stride, float(size))


def _col2im(
    x: Array, *, output_size: Sizes, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> Array:
    """Every column added up where its window was."""
    shape, places = _image_places(x, output_size, kernel_size, dilation, padding, stride)
    size = int(np.prod(shape))
    return np.reshape(scatter_add((size + 1,), (places,), x)[:size], shape)


def _col2im_gradient(
    g: Array, *, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> Array:
    return _columns(g, kernel_size, dilation, padding, stride)


BORDERED: tuple[tuple[Sizes, Sizes], ...] = (
    ((2, 3, 5), (1, 2)),
    ((2, 3, 4, 5), (2, 1, 0, 3)),
    ((1, 2, 3, 3, 4), (1, 0, 2, 1, 0, 2)),
)
"""An image and its borders, over one, two and three axes."""


def _bordered(
    name: str, axes: int, forward: Callable[..., Array], back: Callable[..., Array], latex: str
) -> Operation:
    """A padding with numbers of the image itself."""
    shape, padding = BORDERED[axes - 1]
    cases: tuple[tuple[Sizes, dict[str, Option]], ...] = (
        (shape, {"padding": padding}),
        (shape[1:], {"padding": padding[::-1]}),
    )
    return moved(
        f"{name}{axes}d",
        forward,
        back,
        latex,
        r"\sum g",
        {f"{name}{axes}d.default": "x padding -> y"},
        *cases,
        torch="torch.nn.functional.pad",
        whole=False,
        padding=REQUIRED,
    )


WINDOW = "kernel_size dilation padding stride"

OPERATIONS = (
    moved(
        "constant_pad",
        _constant,
        _constant_gradient,
        r"\operatorname{pad}_v x",
        r"\operatorname{pad}^{-1} g",
        {"constant_pad_nd.default": "x pad value -> y"},
        ((2, 3), {"pad": (1, 2)}),
        ((2, 3, 4), {"pad": (0, 1, 2, 0), "value": 1.7}),
        ((3, 5), {"pad": (-1, 2, 1, -2), "value": -1}),
        torch="torch.nn.functional.pad",
        pad=REQUIRED,
        value=0,
    ),
    *(
        _bordered("reflection_pad", axes, _reflected, _reflected_gradient, r"\operatorname{reflect} x")
        for axes in (1, 2, 3)
    ),
    *(
        _bordered("replication_pad", axes, _replicated, _replicated_gradient, r"\operatorname{edge} x")
        for axes in (1, 2, 3)
    ),
    moved(
        "unfold",
        _unfold,
        _unfold_gradient,
        r"x_{s i + k}",
        r"\sum g",
        {"unfold.default": "x dimension size step -> y"},
        ((2, 7), {"dimension": 1, "size": 3, "step": 2}),
        ((5, 3, 4), {"dimension": 0, "size": 2, "step": 1}),
        ((2, 6, 3), {"dimension": -2, "size": 4, "step": 1}),
        torch="torch.Tensor.unfold",
        dimension=REQUIRED,
        size=REQUIRED,
        step=REQUIRED,
    ),
    moved(
        "im2col",
        _im2col,
        _im2col_gradient,
        r"x_{s i + d k}",
        r"\sum g",
        {"im2col.default": f"x {WINDOW} -> y"},
        ((2, 3, 5, 6), {"kernel_size": (2, 3), "dilation": (1, 1), "padding": (0, 0), "stride": (1, 1)}),
        ((1, 2, 7, 6), {"kernel_size": (2, 2), "dilation": (2, 1), "padding": (1, 2), "stride": (2, 1)}),
        ((2, 5, 4), {"kernel_size": (3, 1), "dilation": (1, 1), "padding": (1, 0), "stride": (1, 2)}),
        torch="torch.nn.functional.unfold",
        whole=False,
        kernel_size=REQUIRED,
        dilation=REQUIRED,
        padding=REQUIRED,
        stride=REQUIRED,
    ),
    moved(
        "col2im",
        _col2im,
        _col2im_gradient,
        r"\sum_{s i + d k = j} x_{ik}",
        r"g_{s i + d k}",
        {"col2im.default": f"x output_size {WINDOW} -> y"},
        (
            (2, 8, 9),
            {
                "output_size": (4, 4),
                "kernel_size": (2, 2),
                "dilation": (1, 1),
                "padding": (0, 0),
                "stride": (1, 1),
            },
        ),
        (
            (1, 4, 9),
            {
                "output_size": (5, 4),
                "kernel_size": (2, 1),
                "dilation": (2, 1),
                "padding": (1, 1),
                "stride": (2, 2),
            },
        ),
        torch="torch.nn.functional.fold",
        whole=False,
        output_size=REQUIRED,
        kernel_size=REQUIRED,
        dilation=REQUIRED,
        padding=REQUIRED,
        stride=REQUIRED,
    ),
)
