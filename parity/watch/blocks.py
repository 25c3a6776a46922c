"""Tensors in blocks that stay in the processor's cache, where a formula allows it.

Only the order of evaluation changes: every number is held to the same formula of the same operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from parity.bounds import Bounded
from parity.pytorch.recorder.data import Argument, Recorded
from parity.watch.compiled import identity
from parity.watch.separable import CallTrace, Shape, Traced

BLOCK = 16384
"""Numbers of a block: some ten temporary arrays of float64 fit into a cache of two MiB."""

PRODUCT_BLOCK, PRODUCT_ROWS = 4 * BLOCK, 64
"""Numbers and rows of a block of a product of matrices: every block packs the other matrix again."""

KNOWN: dict[object, Division | None] = {}
"""How formulas were divided, by formula, constants and shapes."""

MOST_KNOWN = 4096

Form = Callable[..., object]


@dataclass(frozen=True)
class Division:
    """How to divide: the observed tensor along `axis`, and each operand along its own; −1 leaves it whole.

    A `flat` one divides all numbers of tensors of one shape; single numbers are left.
    """

    axis: int
    operands: tuple[int, ...]
    length: int
    rows: int
    flat: bool = False

    def blocks(
        self, taken: Sequence[Argument], observed: Recorded
    ) -> Iterator[tuple[int, list[Argument], Recorded]]:
        """For each block: where it starts, its operands, and its part of what was observed."""
        shown = observed.array.reshape(-1) if self.flat else observed.array
        values = [self._divided(value, axis) for value, axis in zip(taken, self.operands, strict=True)]
        operands = list(values)
        for start in range(0, self.length, self.rows):
            part = slice(start, start + self.rows)
            for place, (value, axis) in enumerate(zip(values, self.operands, strict=True)):
                if axis >= 0 and isinstance(value, Recorded):
                    operands[place] = Recorded.of(value.array[(slice(None),) * axis + (part,)], value.dtype)
            block = Recorded.of(shown[(slice(None),) * self.axis + (part,)], observed.dtype)
            yield start, list(operands), block

    def _divided(self, value: Argument, axis: int) -> Argument:
        """An operand in the shape in which it is divided, or in which it goes with every block."""
        if not isinstance(value, Recorded) or not (self.flat or axis >= 0):
            return value
        array = value.array
        if self.flat:
            array = array.reshape(-1 if axis >= 0 else ())
        return Recorded.of(array, value.dtype)

    def index(self, start: int, shape: Shape, index: tuple[int, ...]) -> tuple[int, ...]:
        """A number's place in the whole tensor, by its place in a block."""
        if self.flat:
            return tuple(int(i) for i in np.unravel_index(start + index[0], shape))
        return (*index[: self.axis], index[self.axis] + start, *index[self.axis + 1 :])


def division(
    form: Form, taken: Sequence[Argument], observed: Recorded, constants: SimpleNamespace | None
) -> Division | None:
    """How a formula of these operands can be divided; None: not at all, or not worth it."""
    tensors = [value for value in taken if isinstance(value, Recorded)]
    size = max((math.prod(tensor.shape) for tensor in (*tensors, observed)), default=0)
    if size < 2 * BLOCK or any(isinstance(value, tuple) for value in taken):
        return None
    plain = {
        name: v for name, v in vars(constants or SimpleNamespace()).items() if not isinstance(v, Bounded)
    }
    shapes = tuple(value.shape if isinstance(value, Recorded) else repr(value) for value in taken)
    key = (*identity(form), shapes, observed.shape, repr(plain))
    if key not in KNOWN:
        if len(KNOWN) >= MOST_KNOWN:
            KNOWN.clear()
        KNOWN[key] = _divided(form, taken, observed, constants, size)
    return KNOWN[key]


def _divided(
    form: Form, taken: Sequence[Argument], observed: Recorded, constants: SimpleNamespace | None, size: int
) -> Division | None:
    shape = observed.shape

    def traced(shapes: Sequence[Shape], ats: Sequence[int], length: int) -> tuple[CallTrace, Traced] | None:
        trace = CallTrace(length)
        found = iter(zip(shapes, ats, strict=True))
        arguments = [trace.operand(*next(found)) if isinstance(v, Recorded) else v for v in taken]
        if constants is not None:
            named = {
                name: trace.operand((), 0) if isinstance(value, Bounded) else value
                for name, value in vars(constants).items()
            }
            arguments.append(SimpleNamespace(**named))  # type: ignore[arg-type]
        try:
            made = form(*arguments)
        except Exception:  # whatever it cannot follow is judged as a whole
            return None
        return (trace, made) if isinstance(made, Traced) else None

    shapes = [value.shape for value in taken if isinstance(value, Recorded)]
    kept = [isinstance(value, Recorded) for value in taken]
    none = [0] * len(shapes)
    whole = traced(shapes, none, 1)
    if whole is None:
        return None
    n = math.prod(shape)
    single = [math.prod(one) == 1 and one != shape for one in shapes]
    if whole[0].pointwise and all(one == shape or alone for one, alone in zip(shapes, single, strict=True)):
        lengths = {n, *_lengths(n, BLOCK)}
        if all(
            (flat := traced([() if alone else (m,) for alone in single], none, 1)) is not None
            and flat[0].calls == whole[0].calls
            and flat[1].shape == (m,)
            for m in lengths
        ):
            return Division(0, _axes(kept, [-1 if alone else 0 for alone in single]), n, BLOCK, flat=True)
    for axis in range(min(len(shape), 3)):
        for axes in _axes_along(shapes, shape, axis):
            found = _along(axis, axes, traced, shapes, kept, shape, size)
            if found is not None:
                return found
    return None


def _axes_along(shapes: Sequence[Shape], shape: Shape, axis: int) -> list[list[int]]:
    """The axes of the operands that may go with an axis of the result, as far as they have its size.

    They are in the same place from the front or from behind, or they are the second ones, of channels; one
    operand may have that size by chance, or all but one.
    """
    n = shape[axis]
    found: list[list[int]] = []
    for place in (axis, axis - len(shape), 1):
        axes = [_place(one, n, place) for one in shapes]
        places = range(len(axes))
        one_less = [[-1 if at == left else axes[at] for at in places] for left in places]
        alone = [[axes[at] if at == left else -1 for at in places] for left in places]
        for one in (axes, *one_less, *alone):
            if max(one, default=-1) >= 0 and one not in found:
                found.append(one)
    return found


def _along(
    axis: int,
    axes: Sequence[int],
    traced: Callable[[Sequence[Shape], Sequence[int], int], tuple[CallTrace, Traced] | None],
    shapes: Sequence[Shape],
    kept: Sequence[bool],
    shape: Shape,
    size: int,
) -> Division | None:
    """Divided along an axis of the result, and along the axes of the operands that go with it."""
    n, at = shape[axis], len(shape) - axis
    ats = [0 if place < 0 else len(one) - place for one, place in zip(shapes, axes, strict=True)]

    def along(m: int) -> CallTrace | None:
        cut = [
            one if place < 0 else (*one[:place], m, *one[place + 1 :])
            for one, place in zip(shapes, axes, strict=True)
        ]
        found, expected = traced(cut, ats, m), (*shape[:axis], m, *shape[axis + 1 :])
        return found[0] if found is not None and found[1].shape == expected and found[1].at == at else None

    whole = along(n)
    if whole is None:
        return None
    rows = BLOCK * n // size
    if whole.shared > BLOCK:  # every block packs the matrix that is not divided again
        rows = max(PRODUCT_ROWS, PRODUCT_BLOCK * n // math.prod(shape))
    rows = max(1, rows)
    if rows >= n:
        return None
    for parts in (along(m) for m in _lengths(n, rows)):
        if parts is None or parts.calls != whole.calls:
            return None
    return Division(axis, _axes(kept, axes), n, rows)


def _lengths(n: int, rows: int) -> set[int]:
    """Of the blocks of n rows: all but the last, and the last."""
    return {min(rows, n), n % rows or min(rows, n)}


def _place(shape: Shape, n: int, place: int) -> int:
    """The axis of an operand that has n numbers: at a place, or the only one; −1: none."""
    if -len(shape) <= place < len(shape) and shape[place] == n:
        return place % len(shape)
    return shape.index(n) if shape.count(n) == 1 else -1


def _axes(kept: Sequence[bool], axes: Sequence[int]) -> tuple[int, ...]:
    """An axis for everything that is taken: −1 for what is no tensor."""
    found = iter(axes)
    return tuple(next(found) if tensor else -1 for tensor in kept)
