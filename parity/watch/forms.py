"""One form of a formula in one arithmetic: block by block where it allows it, by plans that accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace

import numpy as np

from parity.bounds import Bounded, exact
from parity.bounds.conversion import into, unstored
from parity.bounds.formats import FORMATS, Arithmetic
from parity.bounds.number import in_format
from parity.certify.measure import Measured, joined, measure
from parity.pytorch.recorder.data import Argument, Recorded
from parity.watch.blocks import division
from parity.watch.compiled import Accepting
from parity.watch.formula_plan import FormulaCall
from parity.watch.unchanged import MISSHAPEN, same

Form = Callable[..., object]


def evaluated(
    form: Form,
    taken: Sequence[Argument],
    spread: Sequence[bool],
    observed: Recorded,
    kind: Arithmetic,
    truth: str | None,
    constants: SimpleNamespace | None,
    stored: Sequence[bool] = (),
    *,
    whole: bool,
) -> Measured:
    """One form, in one arithmetic: block by block where the formula allows it.

    Unless the `whole` is asked for, the first block that is wrong says enough of a form.
    """
    divided = division(form, taken, observed, constants) if truth is None else None
    exactly = not any(spread) and not any(stored) and kind.u <= FORMATS["float32"].u
    plans = Accepting() if truth is None and exactly else None
    if divided is None:
        asked = FormulaCall(form, kind, taken, (True,) * len(taken), observed, constants)
        found = plans.measured(asked) if plans else None
        return found or by_rules(form, taken, spread, observed, kind, truth, constants, stored)
    parts: list[Measured] = []
    moving = [axis >= 0 for axis in divided.operands]
    shared: dict[int, object] = {}
    for start, operands, part in divided.blocks(taken, observed):
        found = (
            plans.measured(FormulaCall(form, kind, operands, moving, part, constants)) if plans else None
        )
        if found is None:
            shared = shared or {
                place: _operand(operands[place], kind, stored=bool(stored) and stored[place])
                for place, own in enumerate(moving)
                if not own
            }
            lifted = [shared.get(place, value) for place, value in enumerate(operands)]
            found = by_rules(form, lifted, spread, part, kind, truth, constants, stored)
        if found is MISSHAPEN:
            return found
        parts.append(found.moved(partial(divided.index, start, observed.shape)))
        if found.wrong and not whole:
            break
    return joined(parts)


def by_rules(
    form: Form,
    taken: Sequence[object],
    spread: Sequence[bool],
    observed: Recorded,
    kind: Arithmetic,
    truth: str | None,
    constants: SimpleNamespace | None,
    stored: Sequence[bool] = (),
) -> Measured:
    arguments: list[object] = []
    with np.errstate(all="ignore"), kind.precision():
        for place, value in enumerate(taken):
            lifted = _operand(value, kind, stored=bool(stored) and stored[place])
            several = bool(spread) and spread[place]
            arguments += lifted if several and isinstance(lifted, tuple) else [lifted]
        made = form(*arguments) if constants is None else form(*arguments, constants)
        if not isinstance(made, Bounded):
            found = same(observed, np.asarray(made))
            if not found.wrong or np.asarray(made).dtype.kind != "f":
                return found
            made = form(*(_promoted(value, kind) for value in arguments))
        rounded = kind.storage.name == observed.dtype and kind.storage.inside != observed.dtype
        if isinstance(made, Bounded) and not (rounded and kind.u == kind.storage.u):
            made = into(observed.dtype, made, truth)
        if not isinstance(made, Bounded):
            return same(observed, np.asarray(made))
        return measure(observed.array, made) if made.shape == observed.shape else MISSHAPEN


def _lifted(value: object, kind: Arithmetic) -> object:
    """A recorded tensor of floats as exact numbers, one of integers as data; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(_lifted(part, kind) for part in value)
    if not isinstance(value, Recorded):
        return value
    return exact(kind, value.array) if value.dtype in FORMATS else value.array


def _operand(value: object, kind: Arithmetic, *, stored: bool) -> object:
    """As `_lifted`; a tensor of floats that is `stored` in 16 bits, as what it is a rounding of."""
    exactly = _lifted(value, kind)
    if stored and isinstance(value, Recorded) and isinstance(exactly, Bounded):
        return unstored(exactly, FORMATS[value.dtype])
    return exactly


def _promoted(value: object, kind: Arithmetic) -> object:
    """Whole numbers as an operation of whole numbers takes them that gives floats."""
    whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return in_format(kind, value) if whole else value  # type: ignore[arg-type]
