"""What one number was computed from, and how: found by running its equation, whatever the operation is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from parity.explain.expression import Index, Remembering
from reference.arrays import Array
from reference.equations import Constants, Equation

Box: TypeAlias = tuple[slice, ...]
Place: TypeAlias = tuple[int | slice, ...]
"""The part of a tensor that a number was computed from: an index or a range along each axis."""

MOST_PRODUCTS = 3e7
"""Products up to which an equation is run on numbers that remember them: a few seconds."""
DRAWS = 2
"""Times that a cut is tried on random whole numbers."""
NOT_TRACED = (AttributeError, IndexError, TypeError, ValueError, ArithmeticError)
"""What a formula raises on objects, or on operands cut to pieces, if it cannot take them."""


@dataclass(frozen=True)
class Reached:
    """One number as a tree of its operands' elements, None where there is none; and each operand's part.

    The part is None if nothing of an operand has an effect, and it has no number at the same index.
    """

    number: Remembering | None
    places: tuple[Place | None, ...]

    @classmethod
    def at_the_same_place(cls, inputs: Sequence[Array], index: Index) -> Reached:
        """The number at the index of each input that has one there, all of any other."""
        return cls(None, tuple(_place(None, array, index) for array in inputs))

    def elements(self, operand: int) -> dict[Index, float]:
        """The elements of an operand in the tree by index, in the order in which they first stand."""
        leaves = () if self.number is None else self.number.leaves
        return {leaf.index: leaf.value for leaf in leaves if leaf.operand == operand}

    def box(self, operand: int) -> Box | None:
        """The smallest box that holds these elements."""
        along = zip(*self.elements(operand), strict=True)
        return tuple(slice(min(places), max(places) + 1) for places in along) or None


def reached(equation: Equation, inputs: Sequence[Array], index: Index, constants: Constants) -> Reached:
    """What a number of an equation was computed from."""
    known = [constants[name] for name in equation.constants]

    def run(*values: Array) -> Array:
        return np.asarray(equation.evaluate(*values, *known))

    boxes = [_box(run, inputs, place, index) for place in range(len(inputs))]
    number = _traced(run, inputs, boxes, index)
    found = Reached(number, ())
    stand = [found.box(place) or box for place, box in enumerate(boxes)]
    places = (_place(box, array, index) for box, array in zip(stand, inputs, strict=True))
    return Reached(number, tuple(places))


# --- Which elements: those whose NaN reaches the number -----------------------------------------------


def _box(run: Callable[..., Array], inputs: Sequence[Array], place: int, index: Index) -> Box | None:
    """The smallest box of an input outside of which a NaN leaves the number as it is.

    Along each axis its ends are found by halving. None for an input that holds no floats.
    """
    array = inputs[place]
    if array.dtype.kind != "f":
        return None
    right = float(run(*inputs)[index])

    def touches(axis: int, part: slice) -> bool:
        spoilt = np.array(array)
        spoilt[(slice(None),) * axis + (part,)] = np.nan
        found = float(run(*inputs[:place], spoilt, *inputs[place + 1 :])[index])
        return found != right and not (found != found and right != right)

    def from_the_start(axis: int, last: int) -> bool:
        return touches(axis, slice(last + 1))

    def from_the_end(axis: int, last: int) -> bool:
        return touches(axis, slice(array.shape[axis] - last - 1, None))

    if array.shape and not (array.size and touches(0, slice(None))):
        return (slice(0, 0),) * array.ndim
    return tuple(
        slice(_first(size, partial(from_the_start, axis)), size - _first(size, partial(from_the_end, axis)))
        for axis, size in enumerate(array.shape)
    )


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The smallest number below `size` for which something holds that holds for all larger ones."""
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _size(box: Box) -> int:
    return math.prod(axis.stop - axis.start for axis in box)


def _place(box: Box | None, array: Array, index: Index) -> Place | None:
    """The box, its sides of one number as indices; without one, the same index, or everything."""
    if box is not None and (_size(box) or not array.ndim):
        return tuple(_side(axis, size) for axis, size in zip(box, array.shape, strict=True))
    if array.ndim == len(index) and all(i < n or n == 1 for i, n in zip(index, array.shape, strict=True)):
        return tuple(min(i, n - 1) for i, n in zip(index, array.shape, strict=True))
    return None if box is not None else (slice(None),) * array.ndim


def _side(axis: slice, size: int) -> int | slice:
    if axis.stop - axis.start == 1:
        return int(axis.start)
    return slice(None) if axis.stop - axis.start == size else axis


# --- How: the same function on numbers that remember --------------------------------------------------


def _traced(
    run: Callable[..., Array], inputs: Sequence[Array], boxes: Sequence[Box | None], index: Index
) -> Remembering | None:
    """The number as a tree; None where the equation would run too long."""
    shape = run(*inputs).shape
    for cut in _cuts(boxes, inputs, index):
        at = _kept(run, inputs, cut, shape, index)
        if at is None:
            continue
        parts = [array[axes] for array, axes in zip(inputs, cut, strict=True)]
        largest = sorted((part.size for part in parts), reverse=True)[:2]
        if math.sqrt(math.prod(largest) * run(*parts).size) > MOST_PRODUCTS:
            continue
        for constant in (float, Remembering):  # floats are quicker, and have no functions
            taken = [
                array[axes] if box is None else _remembering(array, box, axes, place, constant)
                for place, (array, box, axes) in enumerate(zip(inputs, boxes, cut, strict=True))
            ]
            with suppress(*NOT_TRACED):
                found = np.asarray(run(*taken), object)[at]
                return found if isinstance(found, Remembering) else Remembering(float(found))
    return None


def _cuts(boxes: Sequence[Box | None], inputs: Sequence[Array], index: Index) -> Iterator[list[Box]]:
    """Parts of the inputs that may do: the boxes alone, this sample alone, and everything."""
    whole = [(slice(None),) * array.ndim for array in inputs]
    yield [box if box and _size(box) else all_ for box, all_ in zip(boxes, whole, strict=True)]
    yield [
        (slice(index[0], index[0] + 1), *all_[1:])
        if box and index and box[0] == slice(index[0], index[0] + 1)
        else all_
        for box, all_ in zip(boxes, whole, strict=True)
    ]
    yield whole


def _kept(
    run: Callable[..., Array], inputs: Sequence[Array], cut: list[Box], shape: tuple[int, ...], index: Index
) -> Index | None:
    """The number's index in what an equation makes of cut inputs; None if it makes another number of them.

    That is tried on random whole numbers, which sums and products do not round.
    """
    random = np.random.default_rng(0)
    for _ in range(DRAWS):
        drawn = [
            random.integers(-99, 99, array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
            for array in inputs
        ]
        try:
            less = run(*(array[axes] for array, axes in zip(drawn, cut, strict=True)))
        except NOT_TRACED:
            return None
        if less.ndim != len(shape) or any(n not in (1, m) for n, m in zip(less.shape, shape, strict=True)):
            return None
        at = tuple(i if n == m else 0 for i, n, m in zip(index, less.shape, shape, strict=True))
        one, other = float(less[at]), float(run(*drawn)[index])
        if one != other and not (one != one and other != other):
            return None
    return at


def _remembering(
    array: Array, box: Box, cut: Box, place: int, constant: Callable[[float], object]
) -> Array:
    """A part of an array as objects: in the box numbers that remember, constants elsewhere."""
    objects = np.empty(array[cut].shape, object)
    starts = [axis.start or 0 for axis in cut]
    for at in np.ndindex(objects.shape):
        index = tuple(start + i for start, i in zip(starts, at, strict=True))
        inside = all(axis.start <= i < axis.stop for axis, i in zip(box, index, strict=True))
        number = float(array[index])
        objects[at] = Remembering(number, operand=place, index=index) if inside else constant(number)
    return objects
