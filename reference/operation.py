"""An operation: what a node of a computational graph does, forward and back, written once.

Everything that handles operations reads this record: the engine, the list of equations, certificates,
drawings, explanations, PyTorch's side, the import of a model, traces and tests.

`forward` has one formula for each tensor that the operation makes, in the order in which they are
computed; a later one may take an earlier one's tensor. `vjps` has one vector-Jacobian product for
each operand that is differentiated: it takes `g`, the gradient of the operation's value, operands and
results by name, and gives ∂L/∂operand in the operand's shape. Arrays have PyTorch's axes, samples
first, except in the deck's own operations (`affine`, activations and losses of a chain), where a
column is a sample.

Options are keyword arguments of the functions, under PyTorch's names. A formula is only given the
options that it reads; an argument of PyTorch's that no formula reads is refused, not ignored.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TypeAlias

from reference.arrays import Array, Data
from reference.formula import Formula

Option: TypeAlias = "float | int | bool | str | tuple[Option, ...] | None"
"""What an option may be: a number, a switch, a name, or several of them."""

REQUIRED: Option = "required"
"""The default of an option that must be given."""

Options: TypeAlias = Mapping[str, Option]

Operand: TypeAlias = "Data | float | tuple[Data | None, ...] | None"
"""What may stand in an operand's place: an array, a Python number as a constant, several under "*parts"."""

VALUE = "y"
"""The name of the tensor that an operation is about, among those that it makes."""


class UnreadArgumentError(ValueError):
    """An argument that an operation's formulas do not read: the operation is unsupported with it."""


@dataclass(frozen=True)
class Sample:
    """Operands and options on which an operation is tried: arrays by operand, options by name."""

    operands: Mapping[str, Operand]
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Operation:
    """One kind of node; see the module.

    `operands` name the tensors it takes: "b?" is one that may be left out (the functions get None),
    "*parts" any number of them. An operand without a vector-Jacobian product is data. `value` is the
    tensor it is about; what else it makes are its by-products: statistics, choices, states.
    `given` are by-products that nobody computes, since they are drawn at random, and `choices` those of
    which several may be right: a check(*taken, chosen) -> chosen, with −1 where it is not a best one.
    `learned` are the operands that a layer owns and trains, with PyTorch's name of the parameter.
    `fits(*operands)` says whether their shapes do, where numpy would broadcast or not say it well.
    `torch` is PyTorch's function, and `aten` what PyTorch dispatches it as: the name of the call, and
    our name of each of its arguments by their order ("-": changes no number), then "->" and of its results.
    """

    name: str
    operands: tuple[str, ...]
    forward: Mapping[str, Formula]
    vjps: Mapping[str, Formula] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    value: str = VALUE
    given: tuple[str, ...] = ()
    choices: Mapping[str, Callable[..., Array]] = field(default_factory=dict)
    label: str = ""
    torch: str = ""
    aten: Mapping[str, str] = field(default_factory=dict)
    learned: Mapping[str, str] = field(default_factory=dict)
    samples: Callable[[], Iterator[Sample]] | None = None
    fits: Callable[..., bool] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.name)

    def settled(self, options: Options) -> Options:
        """These options, and the defaults of all others.

        Raises ValueError for an option that it has not, and for one that must be given and is not.
        """
        for name in options:
            if name not in self.options:
                raise ValueError(f"{self.name} takes no {name!r}")
        chosen = {**self.options, **options}
        for name, value in chosen.items():
            if value is REQUIRED:
                raise ValueError(f"{self.name}: {name} must be given")
        return chosen


def bound(function: Callable[..., Array], options: Options) -> Callable[..., Array]:
    """A formula's function with those of the options that it reads."""
    read = {name: value for name, value in options.items() if name in _keywords(function)}
    return partial(function, **read) if read else function


@cache
def _keywords(function: Callable[..., Array]) -> frozenset[str]:
    """The keyword-only parameters of a function: its options."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def reading_options(names: Sequence[str]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Say which options a function of `**options` reads."""

    def decorate(function: Callable[..., Array]) -> Callable[..., Array]:
        kinds = inspect.Parameter
        signature = inspect.signature(function)
        own = [
            p
            for p in signature.parameters.values()
            if p.kind not in (kinds.VAR_KEYWORD, kinds.KEYWORD_ONLY)
        ]
        read = [kinds(name, kinds.KEYWORD_ONLY) for name in names]
        function.__signature__ = signature.replace(parameters=[*own, *read])  # type: ignore[attr-defined]
        return function

    return decorate


Written: TypeAlias = tuple[Callable[..., Array], str]
"""A function and its LaTeX."""

GRADIENT_NAMES = {"W": "weight", "b": "bias", "x": "input"}
"""What a gradient is called in a formula's name: `conv2d_weight_gradient`."""


def define(
    name: str,
    forward: Written | Mapping[str, Written],
    vjps: Mapping[str, Written],
    operands: Sequence[str] = (),
    **rest: object,
) -> Operation:
    """An operation from functions with their LaTeX; formulas get the names that messages cite.

    The value's formula has the operation's name, a by-product's `NAME_OUTPUT`, and a gradient's
    `NAME_OPERAND_gradient`, with weight, bias and input for W, b and x. Without `operands`, they are
    what the value's formula takes.
    """
    made = dict(forward) if isinstance(forward, Mapping) else {VALUE: forward}
    value = rest.get("value", VALUE)
    formulas = {}
    for output, (function, latex) in made.items():
        by_product = "" if output == value else f"_{output.removesuffix('_next')}"
        formulas[output] = Formula(name + by_product, latex, function)
    gradients = {}
    for operand, (function, latex) in vjps.items():
        plain = operand.strip("*")
        gradient = f"{name}_{GRADIENT_NAMES.get(plain, plain)}_gradient"
        gradients[operand] = Formula(gradient, latex, function)
    taken = tuple(operands) or formulas[str(value)].takes
    return Operation(name, taken, formulas, gradients, **rest)  # type: ignore[arg-type]


def taking(formula: Formula, *takes: str, **changes: object) -> Formula:
    """A formula of the deck's as an operation's: its arguments by the operation's names."""
    return replace(formula, takes=takes, **changes)  # type: ignore[arg-type]


def with_forms(operation: Operation, forms: Mapping[str, Callable[..., Array] | None]) -> Operation:
    """The operation, with another form of some vector-Jacobian products: one that PyTorch computes."""
    vjps = dict(operation.vjps)
    for operand, form in forms.items():
        if form is not None and operand in vjps:
            known = vjps[operand]
            vjps[operand] = replace(known, other_forms=(*known.other_forms, form), also=(*known.also, form))
    return replace(operation, vjps=vjps)
