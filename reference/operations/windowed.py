"""Numbers moved between images, their borders, their windows and their channels.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

from collections.abc import Callable

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


def _reflected(x: Array, *, padding: Sizes) -> Array:
    return np.pad(x, _widths(x, padding), mode="reflect")


def _reflected_gradient(g: Array, x: Array, *, padding: Sizes) -> Array:
    return sent_back(g, x, lambda a: _reflected(a, padding=padding))


def _replicated(x: Array, *, padding: Sizes) -> Array:
    return np.pad(x, _widths(x, padding), mode="edge")


def _replicated_gradient(g: Array, x: Array, *, padding: Sizes) -> Array:
    return sent_back(g, x, lambda a: _replicated(a, padding=padding))


def _unfold(x: Array, *, dimension: int, size: int, step: int) -> Array:
    """Every window along one axis, as a new last axis."""
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


def _pixel_shuffle(x: Array, *, upscale_factor: int) -> Array:
    """(…, C r², H, W) -> (…, C, H r, W r)."""
    *lead, channels, height, width = np.shape(x)
    r, n = upscale_factor, len(lead)
    apart = np.reshape(x, (*lead, channels // r**2, r, r, height, width))
    turned = np.transpose(apart, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return np.reshape(turned, (*lead, channels // r**2, height * r, width * r))


def _pixel_unshuffle(x: Array, *, downscale_factor: int) -> Array:
    """(…, C, H r, W r) -> (…, C r², H, W)."""
    *lead, channels, height, width = np.shape(x)
    r, n = downscale_factor, len(lead)
    apart = np.reshape(x, (*lead, channels, height // r, r, width // r, r))
    turned = np.transpose(apart, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return np.reshape(turned, (*lead, channels * r**2, height // r, width // r))


def _channel_shuffle(x: Array, *, groups: int) -> Array:
    """Channels dealt out in turn: (N, C, …), C = groups × channels of a group."""
    shape = np.shape(x)
    apart = np.reshape(x, (shape[0], groups, shape[1] // groups, *shape[2:]))
    return np.reshape(np.swapaxes(apart, 1, 2), shape)


def _channel_shuffle_gradient(g: Array, *, groups: int) -> Array:
    return _channel_shuffle(g, groups=np.shape(g)[1] // groups)


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
    moved(
        "pixel_shuffle",
        _pixel_shuffle,
        lambda g, *, upscale_factor: _pixel_unshuffle(g, downscale_factor=upscale_factor),
        r"x_{c, hr + i, wr + j}",
        r"g",
        {"pixel_shuffle.default": "x upscale_factor -> y"},
        ((2, 8, 3, 2), {"upscale_factor": 2}),
        ((9, 2, 1), {"upscale_factor": 3}),
        upscale_factor=REQUIRED,
    ),
    moved(
        "pixel_unshuffle",
        _pixel_unshuffle,
        lambda g, *, downscale_factor: _pixel_shuffle(g, upscale_factor=downscale_factor),
        r"x_{c, hr + i, wr + j}",
        r"g",
        {"pixel_unshuffle.default": "x downscale_factor -> y"},
        ((2, 3, 4, 6), {"downscale_factor": 2}),
        ((1, 3, 6), {"downscale_factor": 3}),
        downscale_factor=REQUIRED,
    ),
    moved(
        "channel_shuffle",
        _channel_shuffle,
        _channel_shuffle_gradient,
        r"x_{\pi}",
        r"g_{\pi^{-1}}",
        {"channel_shuffle.default": "x groups -> y"},
        ((2, 6, 3, 2), {"groups": 2}),
        ((1, 6, 2, 2), {"groups": 3}),
        groups=REQUIRED,
    ),
)
