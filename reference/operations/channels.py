"""Numbers moved between the channels of an image and its pixels.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED
from reference.operations.moved import moved


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


OPERATIONS = (
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
