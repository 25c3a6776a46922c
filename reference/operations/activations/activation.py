"""What an activation function is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np

from reference.arrays import Array, Scalar

Form: TypeAlias = Callable[..., Scalar]

T = TypeVar("T")

REQUIRED = float("nan")
"""The default of an option for which PyTorch has none."""


@dataclass(frozen=True)
class Learned:
    """A parameter of an activation that is trained with the weights: its symbol, start and gradient.

    `gradient(s, z, parameter)` -> ∂L/∂parameter, in the parameter's shape, (1, 1) or (out, 1).
    """

    symbol: str
    gradient: Callable[[Array, Array, Array], Array]
    latex_gradient: str
    initial: str = "init"  # the options that say with what it starts and how many there are
    number: str = "num_parameters"


@dataclass(frozen=True)
class Activation:
    """An activation function with its derivative, their LaTeX and where they are defined.

    Elementwise: function(z, out) -> a, and derivative(z, a, out) -> f′(z); where a parameter is learned,
    it follows as one more operand. A function that mixes the components of a sample has a Jacobian
    J_ij = ∂a_i/∂z_j in place of f′: `jacobian(s, z, a)` -> Jᵀ s, and no derivative.
    All shapes are (features, batch). `options` are PyTorch's, with its defaults; functions take them by
    keyword. `torch_form(s, z, a)` is δ as PyTorch computes it, where its rounding is not the derivative's.
    `other_functions` and `other_forms` list further algebraic forms that people write; they are
    equal as mathematics and differ in rounding, so a certificate tells them apart from mistakes.
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
    unit: bool = False  # a is within 0 and 1, as the logarithms of BCE want it
    aten: str = (
        ""  # what PyTorch dispatches, and its arguments and results: "aten.celu.default x alpha -> y"
    )
    remark: str = ""  # where PyTorch's formula is not the textbook's

    def configured(self, **options: float) -> Activation:
        """The same function with these options in place of the defaults.

        Raises ValueError for an option that it has not, or one that must be given and is not.
        """
        for option in options:
            if option not in self.options:
                raise ValueError(f"{self.name} takes no {option!r}")
        chosen = {**self.options, **options}
        for option, value in chosen.items():
            if value != value:
                raise ValueError(f"{self.name}: {option} must be given")
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
        """`configured()`, unless there is an option without a default."""
        return self if any(value != value for value in self.options.values()) else self.configured()


def into(function: Callable[..., Array]) -> Callable[..., Array]:
    """Let a function of z take `out` as numpy's do: its result is copied there."""

    @wraps(function)
    def call(z: Array, out: Array | None = None, *learned: Array, **options: float) -> Array:
        a = function(z, *learned, **options)
        if out is None:
            return a
        np.copyto(out, a)
        return out

    return call


def no_derivative(z: Array, a: Array, out: Array | None = None) -> Scalar:
    """For functions that mix components: there is no f′(z), see `Activation.jacobian`."""
    raise TypeError("this activation mixes the components of a sample: it has a Jacobian, and no f′")
