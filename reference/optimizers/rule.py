"""The records an optimizer consists of: rules, each of which computes one tensor, and states.

In a rule, p is a parameter (W, b, or a slope α) and g its gradient; any other name is a state that the
optimizer keeps for each parameter. `NAME_next` is the value after the step. A rule's function takes
its inputs and then the hyperparameters `c`: c.lr is η, c.t counts steps from 1, and the rest are
PyTorch's options by PyTorch's names. Hyperparameters are combined in double precision, as PyTorch does
in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import TypeAlias

import numpy as np

from reference.arrays import Array
from reference.refusal import NOT, NUMBER, ONE_OF, TRUTH, OptionError

Hyper: TypeAlias = SimpleNamespace
"""lr, t and an optimizer's options, as attributes."""

Option: TypeAlias = float | bool | str | None
Options: TypeAlias = Mapping[str, Option]


GROUPS = {
    "betas": ("beta1", "beta2"),
    "etas": ("etaminus", "etaplus"),
    "step_sizes": ("step_size_min", "step_size_max"),
    "ns_coefficients": ("ns_a", "ns_b", "ns_c"),
    "eps": ("eps1", "eps2"),
}
"""Options that PyTorch takes as one tuple, with our names of its elements."""


@dataclass(frozen=True)
class Rule:
    """`makes`_next = function(*inputs, c), for every parameter; "p" stands for the parameter itself."""

    makes: str
    formula: str  # the field's name for the tensor that it computes
    inputs: tuple[str, ...]
    function: Callable[..., Array]
    latex: str
    other_functions: tuple[Callable[..., Array], ...] = ()


@dataclass(frozen=True)
class State:
    """A tensor that an optimizer keeps for each parameter: PyTorch's key, shape and initial value."""

    key: str
    begins: Callable[[Array, float], Array] = field(default=lambda p, lr: np.zeros_like(p))
    shape: Callable[..., tuple[int, ...]] = field(default=lambda *shape: shape)

    def start(self, p: Array, lr: float) -> Array:
        """The state before the first step, for a parameter p or for all parameters in one flat array."""
        begun = self.begins(p, lr)
        return begun if p.ndim == 1 else np.array(begun[tuple(map(slice, self.shape(*p.shape)))])


class Derived(float):
    """A hyperparameter computed from others, with the number of its double-precision roundings."""

    roundings: int

    def __new__(cls, value: float, roundings: int) -> Derived:
        number = super().__new__(cls, value)
        number.roundings = roundings
        return number


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with its options set, made by `OptimizerFamily.configured`.

    `elementwise` rules use only a number and its own state, so they may run on all parameters at once.
    `others` is the optimizer of the parameters that are not matrices, if this one takes only matrices
    (Muon).
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
    integers: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()

    def of(self, *, matrix: bool) -> Optimizer:
        """The optimizer of a parameter, depending on whether it is a matrix."""
        return self if self.others is None or matrix else self.others

    @property
    def numbers(self) -> dict[str, float]:
        """The numeric options, which are the constants of the rules."""
        return {
            name: float(value)
            for name, value in self.options.items()
            if isinstance(value, float | int) and not isinstance(value, bool)
        }

    @property
    def torch_options(self) -> dict[str, object]:
        """The options as PyTorch's class takes them, with grouped options as tuples."""
        options: dict[str, object] = {}
        for name, value in self.options.items():
            group = next((group for group, parts in GROUPS.items() if name in parts), None)
            if group:
                options[group] = (*options.get(group, ()), value)  # type: ignore[misc] # a tuple so far
            elif name not in self.implied:
                options[name] = int(value) if name in self.integers else value  # type: ignore[arg-type]
        return options

    def derive(self, lr: float, t: int) -> Mapping[str, Derived]:
        """The derived hyperparameters of step t."""
        return self.derived(Hyper(lr=lr, t=t, **self.numbers)) if self.derived else {}

    def hyper(self, lr: float, t: int) -> Hyper:
        """η, the step number and the options, as the argument `c` of a rule."""
        derived = {name: float(number) for name, number in self.derive(lr, t).items()}
        return Hyper(lr=lr, t=t, **self.numbers, **derived)


@dataclass(frozen=True)
class OptimizerFamily:
    """A row of the optimizer table: options with PyTorch's defaults, and a function that makes the rules.

    `choices` are an option's allowed values; `numbers` are numeric options whose default is None;
    `integers` are options that PyTorch takes as int; `implied` are options fixed by PyTorch's class.
    """

    name: str
    source: str
    build: Callable[[Options], tuple[Rule, ...]]
    states: Callable[[Options], Mapping[str, State]]
    options: Options
    lr: float
    elementwise: bool = True
    others: Callable[[Options], Optimizer] | None = None
    derived: Callable[[Hyper], Mapping[str, Derived]] | None = None
    choices: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    remark: str = ""  # how PyTorch's formula differs from the textbook's

    def configured(self, **options: Option | Sequence[Option]) -> Optimizer:
        """The optimizer with these options; a grouped option may be given as PyTorch's tuple.

        Raises ValueError for an unknown option or an invalid value.
        """
        named = self._named(options)
        for option, value in named.items():
            self._check(option, value)
        chosen = MappingProxyType({**self.options, **named})
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
            integers=self.integers,
            implied=self.implied,
        )

    def _named(self, options: Mapping[str, Option | Sequence[Option]]) -> dict[str, Option]:
        """The options one by one, with tuples of grouped options split."""
        named: dict[str, Option] = {}
        for option, value in options.items():
            if isinstance(value, str) or not isinstance(value, Sequence):
                named[option] = value
                continue
            parts = [part for part in GROUPS.get(option, ()) if part in self.options]
            if len(parts) != len(value):
                wanted = max(len(parts), 1)
                raise OptionError(
                    "{name}: {option} takes {wanted} numbers, not {value}",
                    name=self.name,
                    option=option,
                    wanted=wanted,
                    value=repr(value),
                )
            named |= dict(zip(parts, value, strict=True))
        return named

    def _check(self, option: str, value: Option) -> None:
        if option not in self.options:
            raise OptionError("{name} takes no {option}", name=self.name, option=repr(option))
        wanted = self.options[option]
        if isinstance(wanted, bool) and not isinstance(value, bool):
            raise OptionError(TRUTH + NOT, name=self.name, option=option, value=repr(value))
        known = self.choices.get(option, (value,))
        if value not in known:
            raise OptionError(ONE_OF, name=self.name, option=option, known=", ".join(map(str, known)))
        is_number = isinstance(value, float | int) and not isinstance(value, bool)
        if (isinstance(wanted, float) or option in self.numbers) and not is_number:
            raise OptionError(NUMBER + NOT, name=self.name, option=option, value=repr(value))
