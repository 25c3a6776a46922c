"""`Operation`: the single record of an operation of a computational graph, forward and backward.

All code that handles operations reads this record: the engine, the list of equations, certificates,
drawings, explanations, PyTorch's side, the import of a model, traces and tests.

`forward` has one formula for each tensor that the operation makes, in the order of computation; a
formula may take an earlier formula's tensor. `vjps` has one vector-Jacobian product for each operand
that is differentiated. It takes by name `g`, the gradient of the operation's value, and operands and
outputs, and returns ∂L/∂operand in the operand's shape. Arrays have PyTorch's axes, samples first,
except in the deck's own operations (`affine`, activations and losses of a chain), where a column is a
sample.

Options are keyword arguments of the functions, under PyTorch's names. A formula receives only the
options that it reads; a PyTorch argument that no formula reads is rejected, not ignored.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TypeAlias

from reference.arrays import Array, Data
from reference.formula import Formula
from reference.refusal import OptionError

Option: TypeAlias = "float | int | bool | str | tuple[Option, ...] | None"
"""The value of an option: a number, a flag, a name, or a tuple of them."""

REQUIRED: Option = "required"
"""Marks an option without a default: it must be given."""

Options: TypeAlias = Mapping[str, Option]

Operand: TypeAlias = "Data | float | tuple[Data | None, ...] | None"
"""The value of an operand: an array, a Python number as a constant, or for "*parts" a tuple of arrays."""

VALUE = "y"
"""Default name of an operation's main output."""


class UnreadArgumentError(OptionError):
    """An argument that no formula of the operation reads, so the call is not supported."""


@dataclass(frozen=True)
class Sample:
    """Example operands and options for testing an operation."""

    operands: Mapping[str, Operand]
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation, one kind of node; see the module's docstring.

    `operands` name the tensors that it takes: "b?" is optional (the functions get None), "*parts" stands
    for any number of tensors. An operand without a vector-Jacobian product is data. `value` is the main
    output; all other outputs are by-products: statistics, choices, states. `given` lists by-products that
    are drawn at random and not computed. `choices` lists those with several right values, each with a
    check(*taken, chosen) -> chosen, −1 where it is not an optimum.
    `learned` maps the operands that a layer owns and trains to PyTorch's parameter names.
    `fits(*operands)` tests the operands' shapes where numpy would broadcast or its error would be unclear.
    `torch` is PyTorch's function. `aten` maps the name of a dispatched ATen call to our names of its
    arguments, in order ("-" for one that affects no number), then "->" and our names of its results.
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
        """These options completed by the defaults of all others.

        Raises ValueError for an unknown option and for a missing one without a default.
        """
        for name in options:
            if name not in self.options:
                raise OptionError("{name} takes no {option}", name=self.name, option=repr(name))
        chosen = {**self.options, **options}
        for name, value in chosen.items():
            if value is REQUIRED:
                raise OptionError("{name}: {option} must be given", name=self.name, option=name)
        return chosen


def bound(function: Callable[..., Array], options: Options) -> Callable[..., Array]:
    """A formula's function with the options that it reads bound as keyword arguments."""
    read = {name: value for name, value in options.items() if name in _keywords(function)}
    return partial(function, **read) if read else function


@cache
def _keywords(function: Callable[..., Array]) -> frozenset[str]:
    """Names of a function's keyword-only parameters, which are its options."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def reading_options(names: Sequence[str]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Decorator that declares which options a function with `**options` reads."""

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
"""Operand names as they appear in the name of a gradient's formula, such as `conv2d_weight_gradient`."""


def define(
    name: str,
    forward: Written | Mapping[str, Written],
    vjps: Mapping[str, Written],
    operands: Sequence[str] = (),
    **rest: object,
) -> Operation:
    """An operation made from functions and their LaTeX, with the formula names that messages cite.

    The value's formula has the operation's name, a by-product's formula is `NAME_OUTPUT`, and a
    gradient's is `NAME_OPERAND_gradient`, with weight, bias and input for W, b and x. `operands`
    defaults to the arguments of the value's formula.
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
    """One of the deck's formulas with its arguments renamed to an operation's names."""
    return replace(formula, takes=takes, **changes)  # type: ignore[arg-type]


def with_forms(operation: Operation, forms: Mapping[str, Callable[..., Array] | None]) -> Operation:
    """The operation with PyTorch's form of some vector-Jacobian products as an accepted alternative."""
    vjps = dict(operation.vjps)
    for operand, form in forms.items():
        if form is not None and operand in vjps:
            known = vjps[operand]
            vjps[operand] = replace(known, other_forms=(*known.other_forms, form), also=(*known.also, form))
    return replace(operation, vjps=vjps)
