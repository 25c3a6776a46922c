"""What a loss is a mean, or a sum, of: how many numbers, and what each counts in what is differentiated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from parity.bounds.formats import FORMATS
from parity.pytorch.recorder.data import Argument, AutogradNode, Backward, Call, Output, Recorded, flat
from parity.watch.check import short

SCALAR = frozenset({"add", "sub", "mul", "div", "neg", "clone", "view", "squeeze", "reshape", "_to_copy"})
"""Operations of single numbers between a loss and what is differentiated."""

NLL = ("nll_loss_forward", "nll_loss2d_forward")
REDUCTIONS = ("none", "mean", "sum")
"""What PyTorch's `reduction` 0, 1 and 2 stand for."""


class LossPlace(NamedTuple):
    """Where in a program a loss is reduced to one number, and how."""

    module: str
    operation: str
    source: str


class Reduction(NamedTuple):
    """One reduction of `numbers` numbers in one backward pass.

    `mass` is what the numbers count together in what is differentiated: 1 of a mean that nothing scales,
    `numbers` of a sum. `divided` holds the numbers by which the program divided it; `roundings` counts
    those of the mass.
    """

    place: LossPlace
    numbers: int
    mass: float
    mean: bool
    divided: tuple[float, ...]
    roundings: int

    @property
    def weight(self) -> float:
        """What one number counts."""
        return self.mass / self.numbers

    @property
    def slack(self) -> float:
        """By how much, relatively, rounding to float32 can have changed the mass: γ."""
        part = self.roundings * FORMATS["float32"].u
        return part / (1 - part)


class LossReduction(NamedTuple):
    """A reduction that a backward pass will come to."""

    place: LossPlace
    numbers: int
    mean: bool
    divided: tuple[float, ...]
    roundings: int


def reductions(passed: Backward) -> Iterator[tuple[int, LossReduction]]:
    """The reductions of a pass that begins, by their nodes, behind operations of single numbers."""
    waiting: list[tuple[Output, tuple[float, ...], int]] = [(root.output, (), 0) for root in passed.roots]
    seen: set[tuple[Output, tuple[float, ...]]] = set()
    while waiting:
        output, divided, depth = waiting.pop()
        node = passed.nodes[output.node]
        if node.call is None or (output, divided) in seen:
            continue
        seen.add((output, divided))
        name = short(node.call.operation)
        found = _reduced(node.call)
        if found is not None:
            count, mean = found
            place = LossPlace(node.call.module, name, node.call.source)
            yield node.id, LossReduction(place, count, mean, divided, depth + 1)
        elif name.rstrip("_") in SCALAR and all(one.shape == () for one in flat(node.call.results)):
            by = _number(node.call.arguments.get("other")) if name.startswith("div") else None
            divided = divided if by is None else (*divided, by)
            waiting += [(target, divided, depth + 2) for target in _targets(node)]


def weighed(found: LossReduction, arrived: Recorded) -> Reduction | None:
    """A reduction with what arrived at it; None where it did not give one number."""
    if arrived.shape != () or not found.numbers:
        return None
    gradient = abs(float(arrived.array.item()))  # of a mean of logarithms it is negative
    mass = gradient if found.mean else gradient * found.numbers
    return Reduction(found.place, found.numbers, mass, found.mean, found.divided, found.roundings)


def _targets(node: AutogradNode) -> Iterator[Output]:
    yield from (target for target in node.next if target is not None)


def _reduced(call: Call) -> tuple[int, bool] | None:
    """Of how many numbers a call's only one is the mean, or the sum; None for any other call."""
    name = short(call.operation)
    given = next(flat(tuple(call.arguments.values())), None)
    made = next(call.tensors(), None)
    if given is None or made is None or made.shape != () or given.shape == ():
        return None
    if name in ("mean", "sum"):
        return math.prod(given.shape), name == "mean"
    reduction = call.arguments.get("reduction")
    if not isinstance(reduction, int) or REDUCTIONS[reduction] == "none":
        return None
    count = math.prod(given.shape)
    if name in NLL:
        counted = _targets_of(call)
        if counted is None:
            return None
        count = counted
    return count, REDUCTIONS[reduction] == "mean"


def _targets_of(call: Call) -> int | None:
    """How many samples a cross-entropy counts; None where each class has a weight of its own."""
    target, ignored = call.arguments.get("target"), call.arguments.get("ignore_index")
    if call.arguments.get("weight") is not None or not isinstance(target, Recorded):
        return None
    return int(np.count_nonzero(target.array != ignored))


def _number(value: Argument) -> float | None:
    if isinstance(value, Recorded) and value.shape == ():
        return float(value.array.item())
    return float(value) if isinstance(value, int | float) else None
