"""`Activation`: the record of an activation function, one row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np

from reference.arrays import Array, Scalar
from reference.refusal import OptionError

Form: TypeAlias = Callable[..., Scalar]

T = TypeVar("T")

REQUIRED = float("nan")
"""Marks an option that has no default in PyTorch."""


@dataclass(frozen=True)
class Learned:
    """A trainable parameter of an activation: its symbol, initial value and gradient.

    `gradient(s, z, parameter)` -> ∂L/∂parameter, in the parameter's shape, (1, 1) or (out, 1).
    """

    symbol: str
    gradient: Callable[[Array, Array, Array], Array]
    latex_gradient: str
    initial: str = "init"  # names of the options for the initial value and the number of parameters
    number: str = "num_parameters"


@dataclass(frozen=True)
class Activation:
    """An activation function with its derivative, their LaTeX and source.

    Elementwise: function(z, out) -> a, and derivative(z, a, out) -> f′(z); a learned parameter is an
    additional last operand. A function that mixes the components of a sample has, instead of f′, a
    Jacobian J_ij = ∂a_i/∂z_j: `jacobian(s, z, a)` -> Jᵀ s.
    All shapes are (features, batch). `options` are PyTorch's, with its defaults, passed by keyword.
    `torch_form(s, z, a)` is δ as PyTorch computes it, if that rounds differently from s ⊙ f′(z).
    `other_functions` and `other_forms` list further algebraic forms in common use. They are equal as
    mathematics but round differently, so they are checked with their own bounds and are not mistakes.
    """

    name: str
    function: Callable[..., Array]
    derivative: Callable[..., Scalar]
    latex: str
    latex_derivative: str
    source: str
    other_functions: tuple[Callable[..., Array], ...] = ()
    other_forms: tuple[Form, ...] = ()
    options: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    jacobian: Callable[[Array, Array, Array], Array] | None = None
    torch_form: Callable[..., Array] | None = None
    learned: Learned | None = None
    torch_options: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    unit: bool = False  # a lies between 0 and 1, as the logarithms of BCE require
    aten: str = ""  # the ATen call with its arguments and results: "aten.celu.default x alpha -> y"
    remark: str = ""  # how PyTorch's formula differs from the textbook's

    def configured(self, **options: float) -> Activation:
        """The same function with these options in place of the defaults.

        Raises ValueError for an unknown option and for a missing one without a default.
        """
        for option in options:
            if option not in self.options:
                raise OptionError("{name} takes no {option}", name=self.name, option=repr(option))
        chosen = {**self.options, **options}
        for option, value in chosen.items():
            if value != value:
                raise OptionError("{name}: {option} must be given", name=self.name, option=option)
        if not chosen:
            return self
        if self.learned:
            return replace(self, options=chosen)

        def bind(function: Callable[..., T]) -> Callable[..., T]:
            return partial(function, **chosen)

        return replace(
            self,
            function=bind(self.function),
            derivative=bind(self.derivative),
            other_functions=tuple(bind(form) for form in self.other_functions),
            other_forms=tuple(bind(form) for form in self.other_forms),
            torch_form=bind(self.torch_form) if self.torch_form else None,
            options=chosen,
        )

    def with_defaults(self) -> Activation:
        """`configured()` with the defaults, or the row itself if an option has no default."""
        return self if any(value != value for value in self.options.values()) else self.configured()


def into(function: Callable[..., Array]) -> Callable[..., Array]:
    """Decorator that gives a function of z an `out` parameter like numpy's, by copying the result."""

    @wraps(function)
    def call(z: Array, out: Array | None = None, *learned: Array, **options: float) -> Array:
        a = function(z, *learned, **options)
        if out is None:
            return a
        np.copyto(out, a)
        return out

    return call


def no_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    """The derivative of a function that mixes components; always raises TypeError.

    Such a function has a Jacobian and no f′(z): see `Activation.jacobian`.
    """
    raise TypeError("this activation mixes the components of a sample: it has a Jacobian, and no f′")
