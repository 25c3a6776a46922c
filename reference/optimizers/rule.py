"""What an optimizer is made of: rules, each of which makes one tensor out of others.

In a rule p is a parameter (W, b, or a slope α), g its gradient; every other name is a state that the
optimizer keeps for each parameter. `NAME_next` is the value after the step. A rule's function takes
its inputs and then the hyperparameters `c`: c.lr is η, c.t counts steps from 1, the rest are PyTorch's
options by PyTorch's names. Hyperparameters are combined among themselves in double precision, as
PyTorch combines them in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import TypeAlias

import numpy as np

from reference.arrays import Array

Hyper: TypeAlias = SimpleNamespace
"""lr, t and an optimizer's options, as attributes."""

Options: TypeAlias = Mapping[str, "float | bool | str | None"]


GROUPS = {
    "betas": ("beta1", "beta2"),
    "etas": ("etaminus", "etaplus"),
    "step_sizes": ("step_size_min", "step_size_max"),
    "ns_coefficients": ("ns_a", "ns_b", "ns_c"),
    "eps": ("eps1", "eps2"),
}
"""Options that PyTorch takes together, as a tuple; here each has a name."""


@dataclass(frozen=True)
class Rule:
    """`makes`_next = function(*inputs, c), for every parameter. `makes` "p" is the parameter itself."""

    makes: str
    formula: str  # the name of what it makes, in the field's words
    inputs: tuple[str, ...]
    function: Callable[..., Array]
    latex: str
    other_functions: tuple[Callable[..., Array], ...] = ()


@dataclass(frozen=True)
class State:
    """A tensor that an optimizer keeps for each parameter: PyTorch's key for it, and its start."""

    key: str
    begins: Callable[[Array, float], Array] = field(default=lambda p, lr: np.zeros_like(p))
    shape: Callable[..., tuple[int, ...]] = field(default=lambda *shape: shape)

    def start(self, p: Array, lr: float) -> Array:
        """The state before the first step, for a parameter p (or for all of them in one row)."""
        begun = self.begins(p, lr)
        return begun if p.ndim == 1 else np.array(begun[tuple(map(slice, self.shape(*p.shape)))])


class Derived(float):
    """A hyperparameter that comes out of the others, by so many roundings in double precision."""

    roundings: int

    def __new__(cls, value: float, roundings: int) -> Derived:
        number = super().__new__(cls, value)
        number.roundings = roundings
        return number


@dataclass(frozen=True)
class Optimizer:
    """An update rule with its options, as `OptimizerFamily.configured` makes it.

    `elementwise` rules see a number and its own state only, so they may run on all parameters at once.
    `others` takes the parameters that are not matrices, where this one is for matrices alone (Muon).
    """

    name: str
    source: str
    rules: tuple[Rule, ...]
    states: Mapping[str, State] = field(hash=False)
    options: Options = field(hash=False)
    lr: float
    elementwise: bool = True
    plain: bool = False  # slide 6 to the letter
    others: Optimizer | None = None
    derived: Callable[[Hyper], Mapping[str, Derived]] | None = None

    def of(self, *, matrix: bool) -> Optimizer:
        """The optimizer that a parameter is given to, as it is a matrix or not."""
        return self if self.others is None or matrix else self.others

    @property
    def numbers(self) -> dict[str, float]:
        """The options that are numbers: the constants of its rules."""
        return {
            name: float(value)
            for name, value in self.options.items()
            if isinstance(value, float | int) and not isinstance(value, bool)
        }

    def derive(self, lr: float, t: int) -> Mapping[str, Derived]:
        """What the hyperparameters of step t have come to."""
        return self.derived(Hyper(lr=lr, t=t, **self.numbers)) if self.derived else {}

    def hyper(self, lr: float, t: int) -> Hyper:
        """η, the step's number, and the options, as a rule wants them."""
        derived = {name: float(number) for name, number in self.derive(lr, t).items()}
        return Hyper(lr=lr, t=t, **self.numbers, **derived)


ADJUST = (None, "original", "match_rms_adamw")
"""What Muon's `adjust_lr_fn` may be."""


@dataclass(frozen=True)
class OptimizerFamily:
    """An entry of the table: options with PyTorch's defaults, and what makes rules of them."""

    name: str
    source: str
    build: Callable[[Options], tuple[Rule, ...]]
    states: Callable[[Options], Mapping[str, State]]
    options: Options
    lr: float
    elementwise: bool = True
    others: Callable[[Options], Optimizer] | None = None
    derived: Callable[[Hyper], Mapping[str, Derived]] | None = None
    remark: str = ""  # where PyTorch's formula is not the textbook's

    def configured(self, **options: float | bool | str | None) -> Optimizer:
        """The optimizer with these options in place of the defaults.

        Raises ValueError for an option that it has not, or whose value it cannot take.
        """
        for option, value in options.items():
            if option not in self.options:
                raise ValueError(f"{self.name} takes no {option!r}")
            wanted = self.options[option]
            if isinstance(wanted, bool) and not isinstance(value, bool):
                raise ValueError(f"{self.name}: {option} is true or false, not {value!r}")
            if option == "adjust_lr_fn" and value not in ADJUST:
                raise ValueError(f"{self.name}: {option} is one of {', '.join(map(str, ADJUST))}")
            if (isinstance(wanted, float) or option == "eps1") and (
                isinstance(value, bool) or not isinstance(value, float | int)
            ):
                raise ValueError(f"{self.name}: {option} is a number, not {value!r}")
        chosen = MappingProxyType({**self.options, **options})
        return Optimizer(
            self.name,
            self.source,
            self.build(chosen),
            MappingProxyType(dict(self.states(chosen))),
            chosen,
            self.lr,
            self.elementwise,
            plain=self.name == "sgd" and chosen == self.options,
            others=self.others(chosen) if self.others else None,
            derived=self.derived,
        )
