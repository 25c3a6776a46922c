"""Products of matrices and vectors, samples first, as PyTorch dispatches them.

Each is one sum of products, with what is added to it as one more term. A factor α may scale the terms
or their sum, which differ where they underflow: both are forms that PyTorch's kernels use.
Source: PyTorch's pages of the functions; LinearAlgebra.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from reference.arrays import Array
from reference.formula import Formula
from reference.operation import Operation, Sample, define
from reference.operations.shapes import summed_to


def _times(x: Array, factor: float) -> Array:
    return x if factor == 1 else x * factor


def _turned(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _product(x: Array, z: Array) -> Array:
    return np.matmul(x, z)


def _product_x_gradient(g: Array, z: Array) -> Array:
    return np.matmul(g, _turned(z))


def _product_z_gradient(g: Array, x: Array) -> Array:
    return np.matmul(_turned(x), g)


def _scaled(x: Array, z: Array, alpha: float, *, inside: bool) -> Array:
    """α x z, with α in each term or outside of the sum."""
    return np.matmul(_times(x, alpha), z) if inside else _times(np.matmul(x, z), alpha)


def _added(b: Array, x: Array, z: Array, *, beta: float, alpha: float, inside: bool = True) -> Array:
    """β b + α x z; with β = 0, b is not looked at."""
    product = _scaled(x, z, alpha, inside=inside)
    return product if beta == 0 else product + _times(b, beta)


def _added_b_gradient(g: Array, b: Array, *, beta: float) -> Array:
    return summed_to(_times(g, beta), b)


def _added_x_gradient(g: Array, z: Array, *, alpha: float, inside: bool = True) -> Array:
    return _scaled(g, _turned(z), alpha, inside=inside)


def _added_z_gradient(g: Array, x: Array, *, alpha: float, inside: bool = True) -> Array:
    return _scaled(_turned(x), g, alpha, inside=inside)


def _column(v: Array) -> Array:
    return np.expand_dims(v, -1)


def _vector_x_gradient(g: Array, v: Array) -> Array:
    """g vᵀ, the outer product."""
    return _column(g) * v


def _vector_v_gradient(g: Array, x: Array) -> Array:
    return np.matmul(_turned(x), g)


def _added_vector(b: Array, x: Array, v: Array, *, beta: float, alpha: float, inside: bool = True) -> Array:
    return _added(b, x, v, beta=beta, alpha=alpha, inside=inside)


def _added_vector_x_gradient(g: Array, v: Array, *, alpha: float, inside: bool = True) -> Array:
    return _column(_times(g, alpha)) * v if inside else _times(_column(g) * v, alpha)


def _dot_x_gradient(g: Array, z: Array) -> Array:
    return g * z


def _dot_z_gradient(g: Array, x: Array) -> Array:
    return g * x


def _linear(x: Array, W: Array, b: Array | None) -> Array:
    """x Wᵀ + b. Shapes: x (…, in), W (out, in), b (out,) -> (…, out)."""
    product = np.matmul(x, _turned(W))
    return product if b is None else product + b


def _linear_x_gradient(g: Array, W: Array) -> Array:
    return np.matmul(g, W)


def _linear_W_gradient(g: Array, x: Array, W: Array) -> Array:
    """Σ g xᵀ over all samples."""
    out, size = np.shape(W)
    return np.matmul(_turned(np.reshape(g, (-1, out))), np.reshape(x, (-1, size)))


def _linear_b_gradient(g: Array, b: Array) -> Array:
    return summed_to(g, b)


def _fits(x: Array, W: Array, b: Array | None = None) -> bool:
    return len(np.shape(W)) == 2 and np.shape(x)[-1:] == np.shape(W)[1:]


SCALES: tuple[dict[str, float], ...] = ({}, {"beta": 0.5, "alpha": -0.3}, {"beta": 0, "alpha": 1.7})


def _pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Iterator[Sample]:
    rng = np.random.default_rng(20)
    for one, other in shapes:
        yield Sample({"x": rng.standard_normal(one), "z": rng.standard_normal(other)})


def _sums(
    x: tuple[int, ...], z: tuple[int, ...], *shapes: tuple[int, ...], name: str = "z"
) -> Iterator[Sample]:
    rng = np.random.default_rng(21)
    for shape in shapes:
        for options in SCALES:
            parts = {
                "b": rng.standard_normal(shape),
                "x": rng.standard_normal(x),
                name: rng.standard_normal(z),
            }
            yield Sample(parts, options)


def _vectors() -> Iterator[Sample]:
    rng = np.random.default_rng(22)
    for rows, columns in ((3, 5), (1, 4), (4, 1)):
        yield Sample({"x": rng.standard_normal((rows, columns)), "v": rng.standard_normal(columns)})


def _layers() -> Iterator[Sample]:
    rng = np.random.default_rng(23)
    for lead in ((4,), (2, 3), (), (1,)):
        x, W = rng.standard_normal((*lead, 5)), rng.standard_normal((3, 5))
        yield Sample({"x": x, "W": W, "b": rng.standard_normal(3)})
        yield Sample({"x": x, "W": W, "b": None})


def _forms(name: str, latex: str, function: Callable[..., Array]) -> Formula:
    outside = (partial(function, inside=False),)
    return Formula(name, latex, function, other_forms=outside, also=outside)


def _two(name: str, *shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Operation:
    """A product of two matrices, or of two batches of them."""
    return define(
        name,
        (_product, r"x z"),
        {"x": (_product_x_gradient, r"g z^T"), "z": (_product_z_gradient, r"x^T g")},
        torch=f"torch.{name}",
        aten={f"aten.{name}.default": "x z -> y"},
        samples=partial(_pairs, *shapes),
    )


def _three(name: str, x: tuple[int, ...], z: tuple[int, ...], *shapes: tuple[int, ...]) -> Operation:
    """The same, added to a third."""
    return Operation(
        name,
        ("b", "x", "z"),
        {"y": _forms(name, r"\beta b + \alpha x z", _added)},
        {
            "b": Formula(f"{name}_bias_gradient", r"\beta g", _added_b_gradient),
            "x": _forms(f"{name}_input_gradient", r"\alpha g z^T", _added_x_gradient),
            "z": _forms(f"{name}_z_gradient", r"\alpha x^T g", _added_z_gradient),
        },
        options={"beta": 1, "alpha": 1},
        torch=f"torch.{name}",
        aten={f"aten.{name}.default": "b x z beta alpha -> y"},
        samples=partial(_sums, x, z, *shapes),
    )


LINEAR = define(
    "linear",
    (_linear, r"x W^T + b"),
    {
        "x": (_linear_x_gradient, r"g W"),
        "W": (_linear_W_gradient, r"\sum g^T x"),
        "b": (_linear_b_gradient, r"\sum g"),
    },
    operands=("x", "W", "b?"),
    torch="torch.nn.functional.linear",
    aten={"aten.linear.default": "x W b -> y"},
    learned={"W": "weight", "b": "bias"},
    fits=_fits,
    samples=_layers,
)

OPERATIONS = (
    LINEAR,
    _two("mm", ((3, 5), (5, 4)), ((1, 7), (7, 1)), ((3, 1), (1, 2)), ((2, 0), (0, 3))),
    _two("bmm", ((2, 3, 5), (2, 5, 4)), ((1, 1, 7), (1, 7, 3))),
    _three("addmm", (3, 5), (5, 4), (3, 4), (4,), (3, 1)),
    _three("baddbmm", (2, 3, 5), (2, 5, 4), (2, 3, 4), (3, 4), (2, 1, 4)),
    define(
        "mv",
        (lambda x, v: np.matmul(x, v), r"x v"),
        {"x": (_vector_x_gradient, r"g v^T"), "v": (_vector_v_gradient, r"x^T g")},
        torch="torch.mv",
        aten={"aten.mv.default": "x v -> y"},
        samples=_vectors,
    ),
    Operation(
        "addmv",
        ("b", "x", "v"),
        {"y": _forms("addmv", r"\beta b + \alpha x v", _added_vector)},
        {
            "b": Formula("addmv_bias_gradient", r"\beta g", _added_b_gradient),
            "x": _forms("addmv_input_gradient", r"\alpha g v^T", _added_vector_x_gradient),
            "v": _forms("addmv_v_gradient", r"\alpha x^T g", _added_z_gradient),
        },
        options={"beta": 1, "alpha": 1},
        torch="torch.addmv",
        aten={"aten.addmv.default": "b x v beta alpha -> y"},
        samples=partial(_sums, (3, 5), (5,), (3,), (1,), name="v"),
    ),
    define(
        "dot",
        (_product, r"x \cdot z"),
        {"x": (_dot_x_gradient, r"g z"), "z": (_dot_z_gradient, r"g x")},
        torch="torch.dot",
        aten={"aten.dot.default": "x z -> y", "aten.vdot.default": "x z -> y"},
        samples=partial(_pairs, ((6,), (6,)), ((1,), (1,))),
    ),
)
