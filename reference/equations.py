"""One training step, written out as the list of its equations in the order of execution.

Forward, loss, backward and gradients come from the model's graph (`reference.walk`), followed by
clipping and the optimizer's rules. The engine runs this list in buffers; certificates, the
cross-check, finite differences and explanations evaluate it one equation at a time, on any arithmetic
that implements numpy's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from reference import walk
from reference.arrays import Array
from reference.formula import FORMULAS, Constants, Equation, Formula
from reference.model import LOSS, Model, Shape
from reference.optimizers import Optimizer, Rule
from reference.trace import split

__all__ = [
    "Constants",
    "Equation",
    "constants",
    "example",
    "kind",
    "shapes",
    "step_equations",
    "sweep_equations",
    "update_equations",
]

UPDATES = {"W": "weight_update", "b": "bias_update", "alpha": "slope_update"}
"""Names of the update formulas by kind of parameter; for any other kind, `NAME_update`."""


def step_equations(model: Model) -> tuple[Equation, ...]:
    """Every equation of one step: forward, loss, backward, gradients, clipping, update."""
    equations = [*sweep_equations(model), *_clipping(model)]
    for name in model.parameter_shapes():
        equations += _parameter_equations(model, name)
    return tuple(equations)


def sweep_equations(model: Model) -> list[Equation]:
    """The part of a step before its update: forward, loss, backward, gradients."""
    return [*walk.forward(model.graph), *walk.backward(model.graph, LOSS)]


def constants(model: Model, batch: int, lr: float, t: int = 1) -> dict[str, float]:
    """All constants of the equations of step t, counted from 1, for a batch of `batch` samples."""
    found: dict[str, float] = {"n": model.n(batch), "lr": lr, "t": t}
    if model.clipping:
        found |= {f"clipping.{name}": value for name, value in model.clipping.options.items()}
    for optimizer in filter(None, (model.optimizer, model.optimizer.others)):
        numbers = {**optimizer.numbers, **optimizer.derive(lr, t)}
        found |= {_constant(model.optimizer, optimizer, name): n for name, n in numbers.items()}
    return found


def shapes(model: Model, batch: int) -> dict[str, Shape]:
    """The shape of every tensor of a complete trace, in the order of computation."""
    return {name: tensor.shape for name, tensor in example(model, batch).items()}


def example(model: Model, batch: int) -> dict[str, Array]:
    """A complete example trace with the right shapes and dtypes, in the order of computation.

    Both sweeps are run once, on the model's example inputs and on parameters and states of zeros.
    """
    kept = {
        name: np.zeros(shape, model.dtype)
        for name, shape in (model.parameter_shapes() | model.state_shapes()).items()
    }
    values = model.example(batch) | kept
    known = {"n": model.n(batch)}
    with np.errstate(all="ignore"):
        for equation in sweep_equations(model):
            values[equation.makes] = np.asarray(equation.of(values, known))
    if model.clipping:
        values |= {"norm": np.zeros((), model.dtype)} if model.clipping.measure else {}
        values |= {model.gradient(name): kept[name] for name in model.parameter_shapes()}
    return values | {f"{name}_next": tensor for name, tensor in kept.items()}


# --- Between the gradients and the new parameters -------------------------------------------------


def _clipping(model: Model) -> list[Equation]:
    """The equations of gradient clipping; none if the model does not clip."""
    clipping = model.clipping
    if clipping is None:
        return []
    names, options = list(model.parameter_shapes()), tuple(clipping.options)
    own = tuple(f"clipping.{option}" for option in options)

    def named(function: Callable[..., Array], tensors: int) -> Callable[..., Array]:
        return lambda *values: function(
            *values[:tensors], **dict(zip(options, values[tensors:], strict=True))
        )

    found = []
    if clipping.measure:
        formula = Formula(
            "gradient_norm", clipping.latex_measure, clipping.measure, quantity="norm", slide=6
        )
        gradients = tuple(f"d{name}" for name in names)
        last = max(split(name)[1] or 0 for name in names)
        evaluate = named(clipping.measure, len(names))
        found.append(Equation(formula, last, "norm", "norm", gradients, own, evaluate))
    norm = ("norm",) if clipping.measure else ()
    for name in names:
        kind, layer = split(name)
        formula = Formula(
            _update(kind).replace("update", "clipping"), clipping.latex, clipping.clip, slide=6
        )
        inputs, evaluate = (f"d{name}", *norm), named(clipping.clip, 1 + len(norm))
        made = model.gradient(name)
        found.append(Equation(formula, layer or 0, f"clipped_{kind}", made, inputs, own, evaluate))
    return found


def _update(kind: str) -> str:
    return UPDATES.get(kind, f"{kind}_update")


def _parameter_equations(model: Model, name: str) -> list[Equation]:
    """The update equations of one parameter: slide 6, or the optimizer's rules."""
    optimizer = model.optimizer_of(name)
    if not optimizer.plain:
        return update_equations(model, name, optimizer.rules)
    kind, layer = split(name)
    update = _update(kind)
    formula = FORMULAS.get(update) or replace(
        FORMULAS["weight_update"], name=update, quantity=f"{kind}_next"
    )
    made, inputs = f"{name}_next", (name, model.gradient(name))
    quantity, learned = f"{kind}_next", formula.function
    return [Equation(formula, layer or 0, quantity, made, inputs, ("lr",), learned, node=name)]


def update_equations(model: Model, name: str, rules: Sequence[Rule]) -> list[Equation]:
    """The rules of a parameter's optimizer as equations on the parameter's tensors."""
    optimizer = model.optimizer_of(name)
    numbers = (*optimizer.numbers, *optimizer.derive(1.0, 1))
    own = {"lr": "lr", "t": "t"}
    own |= {key: _constant(model.optimizer, optimizer, key) for key in numbers}
    return [_rule(rule, name, model.gradient(name), own) for rule in rules]


def _rule(rule: Rule, parameter: str, gradient: str, own: Mapping[str, str]) -> Equation:
    """One rule as an equation on one parameter's tensors; `own` maps hyperparameters to constants."""
    kind, layer = split(parameter)

    def tensor(name: str) -> str:
        base, after, _ = name.partition("_next")
        known = {"p": parameter, "g": gradient}
        return known.get(base, f"{base}_{parameter}") + after

    def evaluate(*values: Array) -> Array:
        tensors, numbers = values[: len(rule.inputs)], values[len(rule.inputs) :]
        return rule.function(*tensors, SimpleNamespace(**dict(zip(own, numbers, strict=True))))

    quantity = f"{kind}_next" if rule.makes == "p" else f"{rule.makes}_{kind}_next"
    name = _update(kind)
    if rule.makes != "p":
        name = f"{name.removesuffix('update')}{rule.formula}"  # weight_first_moment
    formula = Formula(name, rule.latex, rule.function, quantity=quantity, slide=6)
    inputs = tuple(tensor(name) for name in rule.inputs)
    constants = tuple(own.values())
    made = f"{tensor(rule.makes)}_next"
    return Equation(
        formula,
        layer or 0,
        quantity,
        made,
        inputs,
        constants,
        evaluate,
        symbols=rule.inputs,
        node=parameter,
    )


def _constant(main: Optimizer, optimizer: Optimizer, name: str) -> str:
    """Name of a hyperparameter among a step's constants, distinct for each of two optimizers."""
    return name if optimizer is main else f"{optimizer.name}.{name}"


def kind(equation: Equation) -> str:
    """The formula's name, except `backpropagated` for slide 5's first factor, a separate equation."""
    first_factor = equation.formula.name == "hidden_delta" and equation.quantity == "s"
    return "backpropagated" if first_factor else equation.formula.name
