"""`Loss`: the record of a loss function, one row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from reference.arrays import Array, Scalar
from reference.refusal import NUMBER, ONE_OF, TRUTH, OptionError

Option: TypeAlias = float | bool | tuple[float, ...] | None
"""A loss's option: a number, a flag, or one number for each class (None: 1 for all)."""

REDUCTIONS = ("mean", "sum", "none", "batchmean")
"""Ways to reduce the terms to one number. With "none" the caller sums; "batchmean" is KLDivLoss's."""


@dataclass(frozen=True)
class Loss:
    """A loss function with its gradient, their LaTeX and source.

    value(ŷ, y, n) -> 0-d and gradient(ŷ, y, n, out) -> ∇_ŷ L, in the shape of ŷ, (outputs, batch).
    `n` divides the sum: the number of terms for the reduction "mean", 1 for "sum".
    `target` is what y holds: "values", one for each output; "class", one class index per sample in a
    single row; "either"; or "labels", a list of class indices terminated by −1. A loss that `counts`
    divides a mean by the total weight of the counted samples, which depends on y; it takes `mean` as
    an option.
    """

    name: str
    value: Callable[..., Array]
    gradient: Callable[..., Array]
    latex: str
    latex_gradient: str
    source: str
    target: Literal["values", "class", "either", "labels"] = "values"
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    mean_over: Literal["terms", "samples"] = "terms"
    counts: bool = False
    probabilities: bool = False  # ŷ and y lie between 0 and 1
    reductions: tuple[str, ...] = REDUCTIONS[:3]
    choices: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )  # the allowed values of an option
    integers: tuple[str, ...] = ()  # options that PyTorch takes as int
    per_call: tuple[str, ...] = ()  # options that PyTorch takes at every call, in the shape of ŷ
    remark: str = ""  # how PyTorch's formula differs from the textbook's

    def terms(self, outputs: int, batch: int) -> int:
        """The number of terms, by which a mean divides."""
        return outputs * batch if self.mean_over == "terms" else batch

    def configured(self, **options: Option) -> Loss:
        """The same loss with these options in place of PyTorch's defaults.

        Raises ValueError for an unknown option or an invalid value.
        """
        for option, value in options.items():
            if option not in self.options:
                raise OptionError("{name} takes no {option}", name=self.name, option=repr(option))
            _check(self.name, option, self.options[option], value)
            known = self.choices.get(option)
            if known and value not in known:
                raise OptionError(
                    ONE_OF, name=self.name, option=option, known=", ".join(f"{k:g}" for k in known)
                )
        chosen = {**self.options, **options}
        if not chosen:
            return self
        return replace(
            self,
            value=partial(self.value, **chosen),
            gradient=partial(self.gradient, **chosen),
            options=chosen,
        )

    def under(self, reduction: str) -> Loss:
        """The loss with a reduction applied."""
        if not self.counts:
            return self
        mean = reduction == "mean"
        return replace(
            self, value=partial(self.value, mean=mean), gradient=partial(self.gradient, mean=mean)
        )


def _check(name: str, option: str, default: Option, value: Option) -> None:
    if isinstance(default, bool) != isinstance(value, bool):
        raise OptionError(TRUTH if isinstance(default, bool) else NUMBER, name=name, option=option)
    if default is None and not isinstance(value, tuple | None):
        raise OptionError(
            "{name}: {option} is a list, one number for each output", name=name, option=option
        )
    if isinstance(default, float | int) and isinstance(value, tuple | None):
        raise OptionError(NUMBER, name=name, option=option)


def elementwise(
    term: Callable[..., Array], slope: Callable[..., Array]
) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """The value and gradient of an elementwise loss: L = Σ term(ŷ, y) / n, ∇L = slope(ŷ, y) / n."""

    def value(y_hat: Array, y: Array, n: Scalar, **options: Option) -> Array:
        return np.divide(np.add.reduce(term(y_hat, y, **options), axis=None), n)

    def gradient(y_hat: Array, y: Array, n: Scalar, out: Array | None = None, **options: Option) -> Array:
        return into(out, slope(y_hat, y, **options) / n)

    return value, gradient


def into(out: Array | None, gradient: Array) -> Array:
    """The gradient, copied into `out` if that is given."""
    if out is None:
        return gradient
    np.copyto(out, gradient)
    return out
