"""The last equations of a step: clipped gradients, the optimizer's states, the new parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace

from reference.architecture import Architecture
from reference.arrays import Array
from reference.equation import Equation
from reference.formula import FORMULAS, Formula
from reference.optimizers import Optimizer, Rule

UPDATES = {"W": "weight_update", "b": "bias_update", "alpha": "slope_update"}
"""The formula that makes a parameter's new value, by the parameter."""


def clipping_equations(architecture: Architecture) -> list[Equation]:
    """Between the gradients and the update, where gradients are clipped."""
    clipping, depth = architecture.clipping, architecture.depth
    if clipping is None:
        return []
    names, options = list(architecture.parameter_shapes()), tuple(clipping.options)
    own = tuple(f"clipping.{option}" for option in options)

    def named(function: Callable[..., Array], tensors: int) -> Callable[..., Array]:
        return lambda *values: function(
            *values[:tensors], **dict(zip(options, values[tensors:], strict=True))
        )

    found = []
    if clipping.measure:
        formula = Formula("gradient_norm", "norm", 6, clipping.latex_measure, clipping.measure)
        gradients = tuple(f"d{name}" for name in names)
        evaluate = named(clipping.measure, len(names))
        found.append(Equation(formula, depth, "norm", "norm", gradients, own, evaluate))
    norm = ("norm",) if clipping.measure else ()
    for name in names:
        letters, layer = _parted(name)
        kind = UPDATES[letters].replace("update", "clipping")
        formula = Formula(kind, f"clipped_{letters}", 6, clipping.latex, clipping.clip)
        inputs, evaluate = (f"d{name}", *norm), named(clipping.clip, 1 + len(norm))
        made = architecture.gradient(name)
        found.append(Equation(formula, layer, formula.quantity, made, inputs, own, evaluate))
    return found


def parameter_equations(architecture: Architecture, name: str) -> list[Equation]:
    """The optimizer's rules for one parameter: slide 6, or what stands in its place."""
    optimizer = architecture.optimizer.of(name)
    if not optimizer.plain:
        return update_equations(architecture, name, optimizer.rules)
    letters, layer = _parted(name)
    formula = FORMULAS.get(UPDATES[letters]) or replace(
        FORMULAS["weight_update"], name=UPDATES[letters], quantity=f"{letters}_next"
    )
    made, inputs = f"{name}_next", (name, architecture.gradient(name))
    return [Equation(formula, layer, formula.quantity, made, inputs, ("lr",), formula.function)]


def update_equations(architecture: Architecture, name: str, rules: Sequence[Rule]) -> list[Equation]:
    """Rules as equations of one parameter's tensors, with the hyperparameters of its optimizer."""
    optimizer = architecture.optimizer.of(name)
    numbers = (*optimizer.numbers, *optimizer.derive(1.0, 1))
    own = {"lr": "lr", "t": "t"}
    own |= {key: constant_name(architecture.optimizer, optimizer, key) for key in numbers}
    return [_rule(rule, name, architecture.gradient(name), own) for rule in rules]


def _parted(name: str) -> tuple[str, int]:
    """`("W", 2)` of "W2"."""
    letters = name.rstrip("0123456789")
    return letters, int(name.removeprefix(letters))


def _rule(rule: Rule, parameter: str, gradient: str, own: Mapping[str, str]) -> Equation:
    """One rule as an equation of one parameter's tensors; `own` maps its hyperparameters to constants."""
    letters, layer = _parted(parameter)

    def tensor(name: str) -> str:
        base, after, _ = name.partition("_next")
        known = {"p": parameter, "g": gradient}
        return known.get(base, f"{base}_{parameter}") + after

    def evaluate(*values: Array) -> Array:
        tensors, numbers = values[: len(rule.inputs)], values[len(rule.inputs) :]
        return rule.function(*tensors, SimpleNamespace(**dict(zip(own, numbers, strict=True))))

    quantity = f"{letters}_next" if rule.makes == "p" else f"{rule.makes}_{letters}_next"
    name = UPDATES[letters]
    if rule.makes != "p":
        name = f"{name.removesuffix('update')}{rule.formula}"  # weight_first_moment
    formula = Formula(name, quantity, 6, rule.latex, rule.function)
    inputs = tuple(tensor(name) for name in rule.inputs)
    constants = tuple(own.values())
    return Equation(formula, layer, quantity, f"{tensor(rule.makes)}_next", inputs, constants, evaluate)


def constant_name(main: Optimizer, optimizer: Optimizer, name: str) -> str:
    """What a hyperparameter is called among a step's constants: two optimizers keep theirs apart."""
    return name if optimizer is main else f"{optimizer.name}.{name}"
