"""As `double_backward`: the way back of a loss, of dropout, and of parts of a tensor.

Source: derivatives.yaml and FunctionsManual.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array
from reference.operation import REQUIRED, Option, Sample, define
from reference.operations.criteria import share
from reference.operations.shapes import sent_back


def _mse(e: Array, x: Array, target: Array, *, reduction: int) -> Array:
    return share(2 * (x - target), x, reduction) * e


def _mse_e_gradient(g: Array, x: Array, target: Array, *, reduction: int) -> Array:
    """2 g (x − target)/n, of which a reduced loss has the sum."""
    products = share(2 * (x - target), x, reduction) * g
    return products if reduction == 0 else np.sum(products)  # type: ignore[return-value]


def _mse_x_gradient(g: Array, e: Array, x: Array, *, reduction: int) -> Array:
    return share(2 * (g * e), x, reduction)


def _mse_target_gradient(g: Array, e: Array, x: Array, *, reduction: int) -> Array:
    return -_mse_x_gradient(g, e, x, reduction=reduction)


def _dropout(e: Array, mask: Array, *, scale: float) -> Array:
    return e * mask * scale


def _dropout_e_gradient(g: Array, mask: Array, *, scale: float) -> Array:
    return _dropout(g, mask, scale=scale)


def _sliced(x: Array, dim: int, start: int | None, end: int | None, step: int) -> Array:
    cut = [slice(None)] * np.ndim(x)
    cut[dim] = slice(start, end, step)
    return x[tuple(cut)]


def _slice(e: Array, *, input_sizes: tuple[int, ...], dim: int, start: int, end: int, step: int) -> Array:
    return sent_back(e, np.empty(input_sizes), lambda places: _sliced(places, dim, start, end, step))


def _slice_e_gradient(g: Array, *, dim: int, start: int, end: int, step: int) -> Array:
    return _sliced(g, dim, start, end, step)


def _select(e: Array, *, input_sizes: tuple[int, ...], dim: int, index: int) -> Array:
    return sent_back(e, np.empty(input_sizes), lambda places: np.take(places, index, dim))


def _select_e_gradient(g: Array, *, dim: int, index: int) -> Array:
    return np.take(g, index, dim)


def _squares() -> Iterator[Sample]:
    random = np.random.default_rng(63)
    x, target = random.standard_normal((2, 3, 4)), random.standard_normal((2, 3, 4))
    for reduction in (0, 1, 2):
        e = random.standard_normal((2, 3, 4) if reduction == 0 else ())
        yield Sample({"e": np.asarray(e), "x": x, "target": target}, {"reduction": reduction})


def _masks() -> Iterator[Sample]:
    random = np.random.default_rng(64)
    for scale in (2.0, 1.25):
        e, mask = random.standard_normal((3, 4)), random.random((3, 4)) < 0.5
        yield Sample({"e": e, "mask": mask}, {"scale": scale})


def _parts() -> Iterator[Sample]:
    e = np.random.default_rng(65).standard_normal((2, 3, 4))
    cuts: tuple[dict[str, Option], ...] = (
        {"input_sizes": (2, 7, 4), "dim": 1, "start": 1, "end": 4, "step": 1},
        {"input_sizes": (2, 7, 4), "dim": -2, "start": 0, "end": 6, "step": 2},
        {"input_sizes": (5, 3, 4), "dim": 0, "start": 3, "end": 9223372036854775807, "step": 1},
    )
    for cut in cuts:
        yield Sample({"e": e}, cut)


def _rows() -> Iterator[Sample]:
    e = np.random.default_rng(66).standard_normal((2, 3))
    for dim, index in ((0, 2), (1, 0), (-1, -1)):
        sizes = [2, 3]
        sizes.insert(dim % 3, 4)
        yield Sample({"e": e}, {"input_sizes": tuple(sizes), "dim": dim, "index": index})


OPERATIONS = (
    define(
        "mse_loss_backward",
        (_mse, r"\tfrac{2}{n} e (x - t)"),
        {
            "e": (_mse_e_gradient, r"\tfrac{2}{n} \textstyle\sum g (x - t)"),
            "x": (_mse_x_gradient, r"\tfrac{2}{n} g e"),
            "target": (_mse_target_gradient, r"-\tfrac{2}{n} g e"),
        },
        operands=("e", "x", "target"),
        options={"reduction": REQUIRED},
        torch="torch.autograd.grad",
        aten={"aten.mse_loss_backward.default": "e x target reduction -> y"},
        samples=_squares,
    ),
    define(
        "native_dropout_backward",
        (_dropout, r"e \odot m s"),
        {"e": (_dropout_e_gradient, r"g \odot m s")},
        operands=("e", "mask"),
        options={"scale": REQUIRED},
        torch="torch.autograd.grad",
        aten={"aten.native_dropout_backward.default": "e mask scale -> y"},
        samples=_masks,
    ),
    define(
        "slice_backward",
        (_slice, r"\operatorname{slice}^{-1} e"),
        {"e": (_slice_e_gradient, r"g_{s:e:k}")},
        operands=("e",),
        options=dict.fromkeys(("input_sizes", "dim", "start", "end", "step"), REQUIRED),
        torch="torch.autograd.grad",
        aten={"aten.slice_backward.default": "e input_sizes dim start end step -> y"},
        samples=_parts,
    ),
    define(
        "select_backward",
        (_select, r"\operatorname{select}^{-1} e"),
        {"e": (_select_e_gradient, r"g_i")},
        operands=("e",),
        options=dict.fromkeys(("input_sizes", "dim", "index"), REQUIRED),
        torch="torch.autograd.grad",
        aten={"aten.select_backward.default": "e input_sizes dim index -> y"},
        samples=_rows,
    ),
)
