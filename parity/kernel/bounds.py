"""A recorded definition in bounded arithmetic: what any admitted rounding of it can give.

Every operation of the graph is evaluated from the bounded results of those before it, forward and
backward, so the bounds grow along the graph: they hold for every program that computes the same
formulas from the same inputs, each result rounded as the contract says, in any order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from numbers import Integral
from typing import TypeAlias, cast

import numpy as np

from parity.bounds import Bounded, exact, hold_both
from parity.bounds.conversion import into, unstored
from parity.bounds.formats import FORMATS, Arithmetic, arithmetic
from parity.bounds.number import EXACT
from parity.kernel.definition import Definition
from parity.pytorch.recorder.data import Values
from reference.arrays import Array, accumulated
from reference.equations import Equation
from reference.model import LOSS
from reference.walk import SUM, senders

Value: TypeAlias = "Bounded | Values | float"

HALF = 0.5
"""A bound of whole numbers below this: every partial result is a whole number that the format holds."""


def evaluated(
    definition: Definition,
    truth: str | None = None,
    *,
    all_forms: bool = False,
    observed: Mapping[str, Values] | None = None,
) -> dict[str, Value]:
    """Every tensor of both sweeps, with its bound.

    With `all_forms` the bounds include PyTorch's and the textbook's other forms of each formula. What was
    `observed` goes on as it was, so that its users' bounds begin anew; stored in 16 bits, it may have gone
    on unrounded.
    """
    seen = observed or {}
    truths: dict[str, Value] = {}
    values: dict[str, Value] = {}
    for name, leaf in definition.leaves.items():
        kind = definition.formats.get(name)
        if kind is None:
            values[name] = leaf.item()  # a number of the program's
        else:
            values[name] = exact(arithmetic(kind, _truth(kind, truth)), leaf) if kind in FORMATS else leaf
    formats = _formats(definition)
    with np.errstate(all="ignore"):
        for equation in definition.equations:
            if equation.makes in definition.data:
                values[equation.makes] = definition.data[equation.makes]
                continue
            kind = formats[equation.makes]
            judge = _computed(equation, formats, kind, truth)
            with judge.precision():
                taken = [_as(judge, values[name]) for name in equation.inputs]
                found = into(kind, _held(equation, taken, judge, all_forms=all_forms), truth)
            values[equation.makes] = truths[equation.makes] = found
            if equation.makes in seen and kind in FORMATS:
                exactly = exact(found.arithmetic, seen[equation.makes])
                values[equation.makes] = unstored(exactly, FORMATS[kind])
    return {**values, **truths}


def _held(equation: Equation, taken: list[Value], judge: Arithmetic, *, all_forms: bool) -> Bounded:
    found: Bounded | None = None
    forms = equation.other_forms if all_forms else equation.also
    own = _summed if equation.formula is SUM else equation.evaluate
    for form in (own, *forms):
        made = cast("Callable[..., Bounded | Values]", form)(*taken)
        one = made if isinstance(made, Bounded) else exact(judge, made)
        found = one if found is None else hold_both(found, one)
    assert found is not None
    return found


def _summed(*shares: Array) -> Array:
    """A gradient of several users, added up in any order."""
    return reduce(accumulated, shares)


def _formats(definition: Definition) -> dict[str, str]:
    """The format of each tensor; a gradient, and each share of one, has its value's."""
    found = dict(definition.formats)
    for node in definition.graph.nodes:
        kind = found.get(definition.still.get(node.name, node.name), "float32")
        found[node.name] = found[node.gradient] = kind
    if LOSS in definition.graph:
        for name, shares in senders(definition.graph, LOSS).items():
            found |= dict.fromkeys(shares, found[name])
    return found


def _computed(equation: Equation, formats: Mapping[str, str], made: str, truth: str | None) -> Arithmetic:
    """The finest format among the tensors of an operation, in which PyTorch computes it."""
    names = [*(formats.get(name, "") for name in equation.inputs), made]
    kind = min((name for name in names if name in FORMATS), key=lambda name: FORMATS[name].u)
    return arithmetic(kind, _truth(kind, truth))


def _truth(kind: str, truth: str | None) -> str | None:
    return truth if kind == "float64" else None


def _as(judge: Arithmetic, value: Value) -> Value:
    """An operand in the format of an operation, which is as fine or finer: nothing is rounded."""
    if not isinstance(value, Bounded) or value.arithmetic.dtype == judge.dtype:
        return value
    return Bounded(
        judge, judge.lift(value.lowered()), EXACT if value.is_exact else value.carried, kink=value.kink
    )


# --- Where nothing is rounded -----------------------------------------------------------------------------


def whole(definition: Definition) -> dict[str, Value] | None:
    """Every tensor of both sweeps exactly, if all are whole numbers and no partial result is rounded.

    Python's own integers go through the formulas: where all that comes out is integers, only ring
    operations, choices and movements took part. A bound of γ Σ|terms| below 1/2 then says that
    Σ|terms| < 1/(2u), so that each partial sum and product is a number of the format. None otherwise.
    """
    bounds = evaluated(definition)
    values: dict[str, object] = {
        name: _integers(leaf) if leaf.dtype.kind == "f" else leaf
        for name, leaf in definition.leaves.items()
    }
    found: dict[str, Value] = {}
    for equation in definition.equations:
        name = equation.makes
        if name in definition.data:
            values[name] = definition.data[name]
            continue
        try:
            made = np.asarray(equation.evaluate(*(values[of] for of in equation.inputs)))
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            return None
        bound = bounds[name]
        if not all(_whole_numbers(made)) or not isinstance(bound, Bounded):
            return None
        if not np.all(bound.carried < HALF):
            return None
        values[name] = made.astype(object)
        found[name] = exact(bound.arithmetic, made.astype(np.float64))
    return found


def _integers(leaf: Values) -> object:
    plain = leaf.astype(np.int64)
    return plain.astype(object) if np.array_equal(plain, leaf) else leaf


def _whole_numbers(made: Values) -> Iterator[bool]:
    return (isinstance(number, Integral | np.bool_) for number in made.reshape(-1).tolist())
