"""Numbers moved to other places: nothing is rounded, and errors go back to where the numbers came from.

Source: PyTorch's pages of the functions.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED
from reference.operations.moved import Sizes, moved
from reference.operations.shapes import Dims, axes_of, summed_to


def _reshape(x: Array, *, shape: Sizes) -> Array:
    return np.reshape(x, shape)


def _as_it_was(g: Array, x: Array) -> Array:
    return np.reshape(g, np.shape(x))


def _t(x: Array) -> Array:
    return np.transpose(x)


def _transpose(x: Array, *, dim0: int, dim1: int) -> Array:
    return x if np.ndim(x) == 0 else np.swapaxes(x, dim0, dim1)


def _transpose_gradient(g: Array, *, dim0: int, dim1: int) -> Array:
    return _transpose(g, dim0=dim0, dim1=dim1)


def _permute(x: Array, *, dims: Sizes) -> Array:
    return np.transpose(x, dims)


def _permute_gradient(g: Array, *, dims: Sizes) -> Array:
    return np.transpose(g, [int(i) for i in np.argsort([d % len(dims) for d in dims])])


def _expand(x: Array, *, size: Sizes) -> Array:
    """Axes of one number repeated, and new ones in front; −1 leaves an axis as it is."""
    lead = len(size) - np.ndim(x)
    return np.broadcast_to(x, [np.shape(x)[i - lead] if n == -1 else n for i, n in enumerate(size)])


def _expand_gradient(g: Array, x: Array) -> Array:
    return summed_to(g, x)


def _squeeze(x: Array, *, dim: Dims) -> Array:
    axes = () if dim == () else axes_of(dim, np.ndim(x))
    return np.squeeze(x, tuple(axis for axis in axes if np.shape(x)[axis] == 1))


def _unsqueeze(x: Array, *, dim: int) -> Array:
    return np.expand_dims(x, dim)


def _flip(x: Array, *, dims: Sizes) -> Array:
    return np.flip(x, dims)


def _flip_gradient(g: Array, *, dims: Sizes) -> Array:
    return np.flip(g, dims)


def _roll(x: Array, *, shifts: Sizes, dims: Sizes) -> Array:
    return np.roll(x, shifts, dims) if dims else np.roll(x, shifts[0])


def _roll_gradient(g: Array, *, shifts: Sizes, dims: Sizes) -> Array:
    return _roll(g, shifts=tuple(-shift for shift in shifts), dims=dims)


def _repeat(x: Array, *, repeats: Sizes) -> Array:
    return np.tile(x, repeats)


def _repeat_gradient(g: Array, x: Array, *, repeats: Sizes) -> Array:
    """Σ of g over all copies of a number."""
    shape = (1,) * (len(repeats) - np.ndim(x)) + np.shape(x)
    apart = np.reshape(g, [size for pair in zip(repeats, shape, strict=True) for size in pair])
    return np.reshape(np.sum(apart, axis=tuple(range(0, 2 * len(repeats), 2))), np.shape(x))


RESHAPED, BACK = r"\operatorname{reshape} x", r"\operatorname{reshape} g"

OPERATIONS = (
    moved(
        "reshape",
        _reshape,
        _as_it_was,
        RESHAPED,
        BACK,
        {
            "view.default": "x shape -> y",
            "_unsafe_view.default": "x shape -> y",
            "reshape.default": "x shape -> y",
        },
        ((2, 6), {"shape": (3, 4)}),
        ((2, 6), {"shape": (2, -1, 2)}),
        ((1,), {"shape": ()}),
        ((0, 2), {"shape": (2, 0)}),
        shape=REQUIRED,
    ),
    moved(
        "t",
        _t,
        lambda g: np.transpose(g),
        r"x^T",
        r"g^T",
        {"t.default": "x -> y"},
        ((2, 3), {}),
        ((3,), {}),
        ((), {}),
    ),
    moved(
        "transpose",
        _transpose,
        _transpose_gradient,
        r"x^T",
        r"g^T",
        {"transpose.int": "x dim0 dim1 -> y"},
        ((2, 3, 4), {"dim0": 0, "dim1": -1}),
        ((2, 3, 4), {"dim0": 1, "dim1": 0}),
        ((), {"dim0": 0, "dim1": -1}),
        dim0=REQUIRED,
        dim1=REQUIRED,
    ),
    moved(
        "permute",
        _permute,
        _permute_gradient,
        r"x_{\pi}",
        r"g_{\pi^{-1}}",
        {"permute.default": "x dims -> y"},
        ((2, 3, 4), {"dims": (2, 0, 1)}),
        ((2, 3, 4), {"dims": (-1, 1, 0)}),
        dims=REQUIRED,
    ),
    moved(
        "expand",
        _expand,
        _expand_gradient,
        r"x",
        r"\sum g",
        {"expand.default": "x size - -> y"},
        ((3, 1), {"size": (3, 4)}),
        ((3, 1), {"size": (2, -1, 5)}),
        ((), {"size": (2,)}),
        torch="torch.Tensor.expand",
        size=REQUIRED,
    ),
    moved(
        "squeeze",
        _squeeze,
        _as_it_was,
        RESHAPED,
        BACK,
        {"squeeze.default": "x -> y", "squeeze.dim": "x dim -> y", "squeeze.dims": "x dim -> y"},
        ((1, 3, 1), {}),
        ((1, 3, 1), {"dim": 0}),
        ((1, 3, 1), {"dim": 1}),
        ((1, 3, 1), {"dim": (0, -1)}),
        dim=None,
    ),
    moved(
        "unsqueeze",
        _unsqueeze,
        _as_it_was,
        RESHAPED,
        BACK,
        {"unsqueeze.default": "x dim -> y"},
        ((2, 3), {"dim": 0}),
        ((2, 3), {"dim": -1}),
        ((2, 3), {"dim": 1}),
        dim=REQUIRED,
    ),
    moved(
        "flip",
        _flip,
        _flip_gradient,
        r"x_{-i}",
        r"g_{-i}",
        {"flip.default": "x dims -> y"},
        ((3, 4), {"dims": (0,)}),
        ((2, 3, 4), {"dims": (-1, 0)}),
        dims=REQUIRED,
    ),
    moved(
        "roll",
        _roll,
        _roll_gradient,
        r"x_{i - s}",
        r"g_{i + s}",
        {"roll.default": "x shifts dims -> y"},
        ((3, 4), {"shifts": (1,)}),
        ((3, 4), {"shifts": (1, -2), "dims": (0, 1)}),
        ((5,), {"shifts": (7,), "dims": (0,)}),
        shifts=REQUIRED,
        dims=(),
    ),
    moved(
        "repeat",
        _repeat,
        _repeat_gradient,
        r"(x, x, \dots)",
        r"\sum g",
        {"repeat.default": "x repeats -> y"},
        ((2, 3), {"repeats": (2, 1)}),
        ((2, 3), {"repeats": (2, 1, 3)}),
        ((), {"repeats": (4,)}),
        torch="torch.Tensor.repeat",
        repeats=REQUIRED,
    ),
)
