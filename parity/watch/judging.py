"""One recorded tensor held to a formula of the table, on the recorded operands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import SimpleNamespace

import numpy as np

from parity.bounds import Bounded, exact
from parity.bounds.conversion import into, unstored
from parity.bounds.formats import COMPUTED, FORMATS, Arithmetic, arithmetic
from parity.bounds.number import in_format
from parity.bounds.remembered import Remembered
from parity.certify.certificate import bounded_constants
from parity.certify.measure import Measured, Values, Worst, joined, measure
from parity.pytorch.recorder.data import Argument, Recorded
from parity.watch.blocks import division
from parity.watch.compiled import Accepting
from parity.watch.formula_plan import FormulaCall
from parity.watch.short import rounding_inside
from parity.watch.unrounded import Unrounded, identical, unrounded
from reference.arrays import total
from reference.formula import Constants, Formula
from reference.operation import Options, bound

MISSHAPEN = Measured(1, 0, vacuous=False, worst=Worst((), np.nan, np.nan, np.inf, 0.0, np.inf))
"""Of a tensor that has not even the shape of its formula's result."""

Form = Callable[..., object]


def judge(
    formula: Formula,
    operands: Mapping[str, Argument],
    options: Options,
    observed: Recorded,
    check: Form | None = None,
    *,
    own: Collection[str] = (),
    inside: bool = False,
) -> Measured:
    """The observed tensor against the formula of the operands that it takes, in its own form first.

    `check` stands for the formula of a choice: of the operands and what was chosen, plain numbers all.
    Where no bound is said to be kept, the tensor must be the same, bit for bit. `own` names operands that
    the operation itself made: stored in 16 bits, they are roundings of what it went on with. `inside`
    says that it may round every result to 16 bits.
    """
    taken = [operands[name] for name in formula.takes]
    if check is not None:
        plain = [value.array if isinstance(value, Recorded) else value for value in taken]
        return same(observed, bound(check, options)(*plain, observed.array))  # type: ignore[arg-type]
    forms = tuple(bound(form, options) for form in (formula.function, *formula.other_forms))
    spread = [name.startswith("*") for name in formula.takes]
    stored = [name in own for name in formula.takes]
    return held(forms, taken, observed, spread, stored=stored, inside=inside)


def held(
    forms: Sequence[Form],
    taken: Sequence[Argument],
    observed: Recorded,
    spread: Sequence[bool] = (),
    constants: Constants | None = None,
    *,
    stored: Sequence[bool] = (),
    inside: bool = False,
) -> Measured:
    """The observed tensor against the first form that it fits, or against the first.

    `spread` says which of what is taken is several arguments; `constants`, where there are any, are a last
    argument with their names as attributes. What longdouble would reject is judged again by ball
    arithmetic.
    """
    if constants is None:
        found = _as_it_is(forms[0], taken, spread, observed)
        if found is not None:
            return found
    computed = _computed(taken, observed)
    truths = (None, "ball") if FORMATS[computed].truth == "longdouble" else (None,)
    classes = [(arithmetic(computed, truth), truth) for truth in truths]
    tries = [(form, *one) for form in forms for one in classes]
    rounding = rounding_inside([*_tensors(taken), observed]) if inside else None
    if rounding is not None:
        tries += [(form, rounding, None) for form in forms]

    def once(form: Form, kind: Arithmetic, truth: str | None, *, whole: bool) -> Measured:
        named = _constants(kind, constants)
        return _once(form, taken, spread, observed, kind, truth, named, stored, whole=whole)

    first: Measured | None = None
    for one in tries:
        found = once(*one, whole=len(tries) == 1)
        if not found.wrong:
            return found
        first = first or found
    assert first is not None
    if len(tries) > 1 and first is not MISSHAPEN:  # of which only as much is known as it took
        return once(*tries[0], whole=True)
    return first


def _constants(kind: Arithmetic, constants: Constants | None) -> SimpleNamespace | None:
    """An optimizer's constants: the same numbers for all of its parameters."""
    if not constants:
        return None
    written = ((name, repr(number), getattr(number, "roundings", 0)) for name, number in constants.items())
    return _CONSTANTS.get(
        (kind, *written), (), lambda: SimpleNamespace(**bounded_constants(kind, constants))
    )


_CONSTANTS: Remembered[SimpleNamespace] = Remembered()


def summed(parts: Sequence[Recorded], observed: Recorded) -> Measured:
    """The observed tensor as the sum of its parts, in any order; of one part, bit for bit."""
    if len(parts) == 1:
        return same(observed, observed.array if parts[0] is observed else parts[0].array)
    return held((total,), parts, observed)


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


def _as_it_is(
    form: Form, taken: Sequence[Argument], spread: Sequence[bool], observed: Recorded
) -> Measured | None:
    """Of a formula that rounds nothing and whose numbers were observed; None for any other."""
    tensors = list(_tensors(taken))
    shown = observed.array
    if (
        not shown.size
        or observed.dtype not in COMPUTED
        or not any(t.dtype == observed.dtype for t in tensors)
    ):
        return None
    if any(tensor.dtype in FORMATS and tensor.dtype != observed.dtype for tensor in tensors):
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


def _once(
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
        return found or _evaluated(form, taken, spread, observed, kind, truth, constants, stored)
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
            found = _evaluated(form, lifted, spread, part, kind, truth, constants, stored)
        if found is MISSHAPEN:
            return found
        parts.append(found.moved(partial(divided.index, start, observed.shape)))
        if found.wrong and not whole:
            break
    return joined(parts)


def _evaluated(
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


def _computed(taken: Sequence[Argument], observed: Recorded) -> str:
    """The format in which a formula is computed: the finest among its tensors', as PyTorch promotes."""
    found = [tensor.dtype for tensor in _tensors([*taken, observed]) if tensor.dtype in FORMATS]
    return min(found, key=lambda name: FORMATS[name].u, default="float32")


def _tensors(values: Sequence[Argument]) -> Iterator[Recorded]:
    for value in values:
        if isinstance(value, Recorded):
            yield value
        elif isinstance(value, tuple):
            yield from _tensors(value)


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
