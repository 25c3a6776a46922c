"""Tensors that nothing has rounded, compared as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from parity.bounds.formats import COMPUTED, FORMATS
from parity.certify.measure import Measured, Values, Worst, measure
from parity.pytorch.recorder.data import Argument, Recorded
from parity.watch.unrounded import Unrounded, identical, unrounded

Form = Callable[..., object]

MISSHAPEN = Measured(1, 0, vacuous=False, worst=Worst((), np.nan, np.nan, np.inf, 0.0, np.inf))
"""Of a tensor that has not even the shape of its formula's result."""


def same(observed: Recorded, expected: Values) -> Measured:
    """The observed tensor, which nothing has rounded."""
    found, cast = observed.array, expected.astype(observed.array.dtype, copy=False)
    if found.size and identical(found, cast):
        return Measured(found.size, 0, vacuous=False, worst=_first(found), resolution=0.0)
    if cast.shape != found.shape:
        return MISSHAPEN
    either = np.isnan(found) & np.isnan(cast) if found.dtype.kind == "f" else np.zeros(found.shape, bool)
    return measure(np.where(either, 0, found), np.where(either, 0, cast))


def zeros(like: Recorded) -> Recorded:
    """Zeros of a tensor's shape and format."""
    return Recorded.of(np.zeros(like.shape, like.array.dtype), like.dtype)


def as_it_is(
    form: Form, taken: Sequence[Argument], spread: Sequence[bool], observed: Recorded
) -> Measured | None:
    """Of a formula that rounds nothing and whose numbers were observed; None for any other."""
    floats = list(tensors(taken))
    shown = observed.array
    if (
        not shown.size
        or observed.dtype not in COMPUTED
        or not any(t.dtype == observed.dtype for t in floats)
    ):
        return None
    if any(tensor.dtype in FORMATS and tensor.dtype != observed.dtype for tensor in floats):
        return None
    arguments: list[object] = []
    for place, value in enumerate(taken):
        given = _unchanged(value)
        several = bool(spread) and spread[place]
        arguments += given if several and isinstance(given, tuple) else [given]
    made = unrounded(form, arguments)
    if made is None or not identical(shown, made):
        return None
    told = bool(shown.any())
    return Measured(shown.size, 0, not told, _first(shown), 0.0 if told else np.inf)


def _unchanged(value: Argument) -> object:
    if isinstance(value, tuple):
        return tuple(_unchanged(part) for part in value)
    if not isinstance(value, Recorded):
        return value
    return Unrounded(value.array) if value.dtype in FORMATS else value.array


def _first(found: Values) -> Worst:
    """Of numbers that are all right, the first."""
    index = (0,) * found.ndim
    shown = float(found[index])
    return Worst(index, shown, shown, 0.0, 0.0, 0.0)


def tensors(values: Sequence[Argument]) -> Iterator[Recorded]:
    """The tensors among arguments, those of several too."""
    for value in values:
        if isinstance(value, Recorded):
            yield value
        elif isinstance(value, tuple):
            yield from tensors(value)
