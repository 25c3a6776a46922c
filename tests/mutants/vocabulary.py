"""Wrong derivatives, wrong gradients of losses and wrong rules of optimizers, planted in the engine.

A mutant is a network whose engine has one formula wrong. Three kinds of it are made of the entries
themselves, so that a new entry has mutants without an edit here: mistakes that every derivative
invites (sign, f′ forgotten, f′ at a, f itself), options forgotten, and, of an optimizer's rules, states
taken from before the step, the step's number off by one, hyperparameters dropped or exchanged. What
only one formula invites, such as a term of its own that is missing, is a row of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from parity.config.case import Case
from reference.architecture import Architecture
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.activations.classic import sigmoid
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import OPTIMIZERS, Optimizer, Rule
from tests.mutants.terms import DERIVATIVES, GRADIENTS, JACOBIANS, RULES

GROSS = 1e-3
"""A mutant tells where a number is wrong by this share of the largest one: rounding never is."""


@dataclass
class Mutant:
    """A mistake, the formulas that may be accused of it, and whether it has changed a number so far."""

    name: str
    formulas: frozenset[str]
    plant: Callable[[Architecture, Mutant], Architecture] = field(repr=False)
    told: bool = False

    def __str__(self) -> str:
        return self.name

    def planted(self, case: Case) -> Case:
        """The case, with an engine that makes this mistake."""
        return replace(case, architecture=self.plant(case.architecture, self))

    def instead(self, right: Callable, wrong: Callable) -> Callable:
        """`wrong` in place of `right`, noting whether they differ by more than rounding could."""

        def call(*arguments, **options):
            expected = np.array(right(*arguments, **options), np.float64)
            found = wrong(*arguments, **options)
            scale = np.max(np.absolute(expected), initial=np.finfo(np.float32).tiny)
            if np.isfinite(scale) and any(np.any(given) for given in arguments[:2]):  # zeros: for shapes
                self.told |= bool(np.any(~(np.absolute(found - expected) <= GROSS * scale)))
            return found

        return call


def copied(*arguments):
    """Arguments that a function may not write into: a derivative's buffer is let go."""
    z, a, _, *learned = arguments
    return (z, a, None, *learned)


# --- Derivatives ----------------------------------------------------------------------------------

DELTA = frozenset({"output_delta", "hidden_delta"})


def of_activation(f: Activation) -> Iterator[Mutant]:
    """Every mistake of its derivative, its Jacobian, and the gradient of what it learns."""

    def everywhere(what: str, change: Callable[[Activation, Mutant], Activation]) -> Mutant:
        def plant(architecture: Architecture, mutant: Mutant) -> Architecture:
            changed = tuple(change(g, mutant) for g in architecture.activations)
            return replace(architecture, activations=changed)

        return Mutant(f"{f.name}: {what}", DELTA, plant)

    def slope(what: str, wrong: Callable[[Activation], Callable]) -> Mutant:
        return everywhere(what, lambda g, m: replace(g, derivative=m.instead(g.derivative, wrong(g))))

    def jacobian(what: str, wrong: Callable) -> Mutant:
        return everywhere(what, lambda g, m: replace(g, jacobian=m.instead(g.jacobian, wrong)))

    if f.jacobian:
        yield jacobian("wrong sign", lambda s, z, a: -f.jacobian(s, z, a))
        yield jacobian("Jacobian forgotten", lambda s, z, a: s)
        yield jacobian("Jacobian at a", lambda s, z, a: f.jacobian(s, a, f.function(a)))
        for what, wrong in JACOBIANS.get(f.name, {}).items():
            yield jacobian(what, wrong)
        return

    def right(g: Activation, *arguments):
        return g.derivative(*copied(*arguments))

    yield slope("wrong sign", lambda g: lambda *v: -np.asarray(right(g, *v), v[0].dtype))
    yield slope("f′ forgotten", lambda g: lambda *v: np.ones_like(v[0]))
    yield slope("f in place of f′", lambda g: lambda *v: v[1])

    def at_a(g: Activation) -> Callable:
        return lambda z, a, out, *learned: g.derivative(a, g.function(a, None, *learned), None, *learned)

    yield slope("f′ at a", at_a)
    for option in f.options if not f.learned else ():
        usual = ACTIVATIONS[f.name].options.get(option, math.nan)
        if f.options[option] != usual and usual == usual:
            other = ACTIVATIONS[f.name].configured(**{**f.options, option: usual})
            yield slope(f"{option} forgotten", lambda g, other=other: lambda *v: right(other, *v))
    for what, wrong in DERIVATIVES.get(f.name, {}).items():
        yield slope(what, lambda g, wrong=wrong: lambda z, a, out, *_: wrong(z, a, **bound(g)))
    if f.learned:
        yield from of_learned(f)


def bound(f: Activation) -> Mapping[str, float]:
    """An activation's options as its functions take them: what it learns is no option of theirs."""
    return {} if f.learned else f.options


def of_learned(f: Activation) -> Iterator[Mutant]:
    """The gradient of a slope that is trained."""
    wrongs = {
        "slope's gradient: wrong sign": lambda s, z, p: -f.learned.gradient(s, z, p),
        "slope's gradient: s forgotten": lambda s, z, p: f.learned.gradient(np.ones_like(s), z, p),
        "slope's gradient: also above 0": lambda s, z, p: np.full_like(p, np.sum(s * z)),
        "slope's gradient: averaged": lambda s, z, p: f.learned.gradient(s, z, p) / z.shape[1],
    }
    for what, wrong in wrongs.items():

        def plant(architecture: Architecture, mutant: Mutant, wrong=wrong) -> Architecture:
            learned = replace(f.learned, gradient=mutant.instead(f.learned.gradient, wrong))
            changed = tuple(replace(g, learned=learned) for g in architecture.activations)
            return replace(architecture, activations=changed)

        yield Mutant(f"{f.name}: {what}", frozenset({"slope_gradient"}), plant)


# --- Gradients of losses --------------------------------------------------------------------------


def of_loss(loss: Loss) -> Iterator[Mutant]:
    """Every mistake of its gradient."""

    def gradient(what: str, wrong: Callable) -> Mutant:
        def plant(architecture: Architecture, mutant: Mutant) -> Architecture:
            right = architecture.loss.gradient

            def unwritten(y_hat, y, n, out=None, **options):
                return right(y_hat, y, n, **options)

            def into(y_hat, y, n, out=None, **options):
                found = noting(y_hat, y, n, **options)
                if out is None:
                    return found
                np.copyto(out, found)
                return out

            noting = mutant.instead(unwritten, lambda *v, **o: wrong(unwritten, *v, **o))
            return replace(architecture, loss=replace(architecture.loss, gradient=into))

        return Mutant(f"{loss.name}: {what}", frozenset({"loss_gradient"}), plant)

    yield gradient("wrong sign", lambda right, *v, **o: -right(*v, **o))
    yield gradient("twice", lambda right, *v, **o: 2 * right(*v, **o))
    yield gradient("the gradient of MSE", lambda right, y_hat, y, n, **o: 2 / n * (y_hat - y))
    yield gradient("ŷ taken through σ", lambda right, y_hat, *v, **o: right(sigmoid(y_hat), *v, **o))
    if loss.counts:
        yield gradient("mean forgotten", lambda right, *v, mean: right(*v, mean=not mean))
    else:
        yield gradient("n is 1", lambda right, y_hat, y, n: right(y_hat, y, 1))
        yield gradient("n is 1 more", lambda right, y_hat, y, n: right(y_hat, y, n + 1))
    for option, chosen in loss.options.items():
        usual = LOSSES[loss.name].options[option]
        if chosen != usual:
            other = LOSSES[loss.name].configured(**{**loss.options, option: usual}).gradient
            yield gradient(f"{option} forgotten", lambda right, *v, other=other, **o: other(*v, **o))
    for what, wrong in GRADIENTS.get(loss.name, {}).items():
        yield gradient(what, lambda right, *v, wrong=wrong, **o: wrong(*v, **o, **loss.options))


# --- Rules of optimizers --------------------------------------------------------------------------


def of_optimizer(optimizer: Optimizer) -> Iterator[Mutant]:
    """Every mistake of every rule; and of those for parameters that are no matrices, where it has them."""
    for rule in optimizer.rules:
        for what, wrong in of_rule(optimizer, rule):
            yield _ruled(optimizer, rule, what, wrong)
    if optimizer.others and optimizer.others.name == optimizer.name:
        for rule in optimizer.others.rules:
            for what, wrong in of_rule(optimizer.others, rule):
                yield _ruled(optimizer, rule, what, wrong, of_vectors=True)


def _ruled(optimizer: Optimizer, rule: Rule, what: str, wrong: Rule, *, of_vectors: bool = False) -> Mutant:
    def plant(architecture: Architecture, mutant: Mutant) -> Architecture:
        main = architecture.optimizer
        holder = main.others if of_vectors else main
        right, names = holder.rules[[r.makes for r in holder.rules].index(rule.makes)], wrong.inputs

        def values(*v):
            """The rule's own inputs, and what the mutant takes in their place."""
            return dict(zip((*right.inputs, *names), v[:-1], strict=True))

        def correct(*v):
            return right.function(*v[: len(right.inputs)], v[-1])

        def mistaken(*v):
            return wrong.function(*v[len(right.inputs) :])

        planted = replace(right, inputs=(*right.inputs, *names), function=mutant.instead(correct, mistaken))
        rules = tuple(planted if r.makes == rule.makes else r for r in holder.rules)
        changed = replace(holder, rules=rules)
        return replace(architecture, optimizer=replace(main, others=changed) if of_vectors else changed)

    letters = ("bias",) if of_vectors else ("weight", "bias")
    kind = "update" if rule.makes == "p" else rule.formula
    formulas = frozenset(f"{letter}_{kind}" for letter in letters)
    vectors = " of vectors" if of_vectors else ""
    return Mutant(f"{optimizer.name}{vectors}, {rule.formula}: {what}", formulas, plant)


def of_rule(optimizer: Optimizer, rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Wrong rules that make the same tensor."""
    f = rule.function

    def other(function: Callable) -> Rule:
        return replace(rule, function=function)

    own = rule.makes in rule.inputs
    before = rule.inputs.index(rule.makes) if own else 0
    yield "wrong sign", other(lambda *v: 2 * v[before] - f(*v) if own else -f(*v))
    yield "left as it was", other(lambda *v: np.positive(v[before])) if own else other(lambda *v: 0 * f(*v))
    for name in rule.inputs:
        if name.endswith("_next"):
            stale = tuple(i.removesuffix("_next") if i == name else i for i in rule.inputs)
            yield f"{name.removesuffix('_next')} from before the step", replace(rule, inputs=stale)
    for days, what in ((1, "a step ahead"), (-1, "a step behind")):
        yield (
            f"t is {what}",
            other(lambda *v, days=days: f(*v[:-1], optimizer.hyper(v[-1].lr, max(1, v[-1].t + days)))),
        )
    yield "bias correction missing", other(lambda *v: f(*v[:-1], _with(v[-1], t=10**6)))
    yield "η twice", other(lambda *v: f(*v[:-1], _with(v[-1], lr=v[-1].lr ** 2)))
    for option, usual in optimizer.numbers.items():
        if usual:
            yield (
                f"{option} missing",
                other(lambda *v, option=option: f(*v[:-1], _with(v[-1], **{option: 0.0}))),
            )
    for one, two in (("beta1", "beta2"), ("etaminus", "etaplus")):
        if one in optimizer.numbers:
            yield (
                f"{one} and {two} exchanged",
                other(
                    lambda *v, one=one, two=two: f(
                        *v[:-1], _with(v[-1], **{one: getattr(v[-1], two), two: getattr(v[-1], one)})
                    )
                ),
            )
    yield from _switched_off(optimizer, rule)
    for what, wrong in RULES.get((optimizer.name, rule.makes), {}).items():
        yield what, other(wrong)


def _switched_off(optimizer: Optimizer, rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule as it is without one of the options that are switches."""
    for option, chosen in optimizer.options.items():
        if not isinstance(chosen, bool):
            continue
        try:
            rules = OPTIMIZERS[optimizer.name].build({**optimizer.options, option: not chosen})
        except ValueError:  # Nesterov without momentum is not to be had
            continue
        for wrong in rules:
            if wrong.makes == rule.makes and {i.removesuffix("_next") for i in wrong.inputs} <= {
                "p",
                "g",
                *optimizer.states,
            }:
                yield f"{option} is {not chosen}", wrong


def _with(c: object, **changed: float) -> object:
    return type(c)(**{**vars(c), **changed})
