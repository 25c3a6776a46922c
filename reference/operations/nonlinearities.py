"""Every row of the table of activations as an operation on arrays of any shape.

Elementwise rows know no layout: their functions are taken as they are. Rows that mix components do so
along the first axis, to which `dim` is brought. The rest, with options or operands of PyTorch's that no
row has, is in `gates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array
from reference.formula import Formula
from reference.operation import REQUIRED, Operation, Option, Sample, UnreadArgumentError, reading_options
from reference.operations.activations import ACTIVATIONS, CLASSIC, MIXING, PIECEWISE, SMOOTH, Activation


def elementwise(f: Activation) -> Operation:
    """y = f(x) and g ⊙ f′(x), number by number, with PyTorch's own form of the product."""
    options = tuple(f.options)
    also = (_torch_form(f, options),) if f.torch_form else ()

    @reading_options(options)
    def function(x: Array, **options: float) -> Array:
        return f.function(x, **options)

    @reading_options(options)
    def product(g: Array, x: Array, y: Array, **options: float) -> Array:
        return np.multiply(g, f.derivative(x, y, **options))

    name, _, record = f.aten.partition(" ")
    return Operation(
        f.name,
        ("x",),
        {"y": Formula(f.name, _of_x(f.latex), function)},
        {
            "x": Formula(
                f"{f.name}_input_gradient",
                rf"g \odot \left({_of_x(f.latex_derivative)}\right)",
                product,
                other_forms=also,
                also=also,
            )
        },
        options={option: _default(value) for option, value in f.options.items()},
        torch=f.source,
        aten={name: record},
        samples=lambda: _samples(f),
    )


def _of_x(latex: str) -> str:
    """A layer's formula a = f(z) with an operation's letters, y = f(x)."""
    return re.sub(r"(?<![A-Za-z\\])[za](?![A-Za-z])", lambda match: {"z": "x", "a": "y"}[match[0]], latex)


def _torch_form(f: Activation, options: tuple[str, ...]) -> Callable[..., Array]:
    form = f.torch_form
    assert form is not None

    @reading_options(options)
    def product(g: Array, x: Array, y: Array, **options: float) -> Array:
        return form(g, x, y, **options)

    return product


def _default(value: float) -> Option:
    return REQUIRED if value != value else value


def _samples(f: Activation) -> Iterator[Sample]:
    rng = np.random.default_rng(13)
    given = {option: 0.1 if value != value else value for option, value in f.options.items()}
    yield Sample({"x": 3 * rng.standard_normal((2, 3, 4))}, given)
    yield Sample({"x": np.linspace(-21, 21, 29)}, given)
    yield Sample({"x": np.array([[0.0], [-0.0], [3.0], [-3.0], [1.0], [-1.0], [0.5]])}, given)
    yield Sample({"x": np.zeros((0, 2))}, given)
    for option, value in given.items():
        changed = {**given, option: 0.55 * value + 0.15}
        yield Sample({"x": np.concatenate([np.linspace(-21, 21, 29), rng.uniform(-1, 1, 19)])}, changed)


def mixing(f: Activation) -> Operation:
    """y = f(x) along `dim`, and Jᵀ g."""
    jacobian, form = f.jacobian, f.torch_form
    assert jacobian is not None

    def function(x: Array, *, dim: int, half_to_float: bool) -> Array:
        if half_to_float:
            raise UnreadArgumentError("half_to_float")
        return _along(dim, f.function, x)

    def product(g: Array, x: Array, y: Array, *, dim: int) -> Array:
        return _along(dim, jacobian, g, x, y)

    def torch_product(g: Array, x: Array, y: Array, *, dim: int) -> Array:
        assert form is not None
        return _along(dim, form, g, x, y)

    also = (torch_product,) if form else ()
    name, _, record = f.aten.partition(" ")
    gradient = rf"\sum_i g_i \left({_of_x(f.latex_derivative)}\right)"
    return Operation(
        f.name,
        ("x",),
        {"y": Formula(f.name, _of_x(f.latex), function)},
        {"x": Formula(f"{f.name}_input_gradient", gradient, product, other_forms=also, also=also)},
        options={"dim": REQUIRED, "half_to_float": False},
        torch=f.source,
        aten={name: record},
        samples=_mixed,
    )


def _along(dim: int, function: Callable[..., Array], *arrays: Array) -> Array:
    if np.ndim(arrays[0]) == 0:
        return np.reshape(function(*(np.reshape(array, 1) for array in arrays)), ())
    return np.moveaxis(function(*(np.moveaxis(array, dim, 0) for array in arrays)), 0, dim)


def _mixed() -> Iterator[Sample]:
    rng = np.random.default_rng(14)
    for shape, dim in (((2, 3, 5), -1), ((2, 3, 5), 1), ((4, 3), 0), ((1, 33), 1), ((3, 1), 1), ((7,), 0)):
        yield Sample({"x": 3 * rng.standard_normal(shape)}, {"dim": dim})
    yield Sample({"x": np.asarray(0.7)}, {"dim": 0})
    masked = rng.standard_normal((2, 4))
    masked[0, 1:3] = -np.inf
    yield Sample({"x": masked}, {"dim": 1})


OPERATIONS = (
    *(elementwise(f) for f in (*CLASSIC, *PIECEWISE, *SMOOTH) if f.aten),
    *(mixing(ACTIVATIONS[f.name]) for f in MIXING if f.aten),
)
