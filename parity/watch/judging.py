"""One recorded tensor held to a formula of the table, on the recorded operands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace

from parity.bounds.formats import COMPUTED, FORMATS, Arithmetic, arithmetic
from parity.bounds.remembered import Remembered
from parity.certify.certificate import bounded_constants
from parity.certify.measure import Measured
from parity.pytorch.recorder.data import Argument, Recorded
from parity.watch.forms import evaluated
from parity.watch.short import rounding_inside
from parity.watch.unchanged import MISSHAPEN, as_it_is, same, tensors
from reference.arrays import total
from reference.formula import Constants, Formula
from reference.operation import Options, bound

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
    stored = [name in own and _in_16_bits(value) for name, value in zip(formula.takes, taken, strict=True)]
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
        found = as_it_is(forms[0], taken, spread, observed)
        if found is not None:
            return found
    computed = _computed(taken, observed)
    truths = (None, "ball") if FORMATS[computed].truth == "longdouble" else (None,)
    classes = [(arithmetic(computed, truth), truth) for truth in truths]
    tries = [(form, *one) for form in forms for one in classes]
    rounding = rounding_inside([*tensors(taken), observed]) if inside else None
    if rounding is not None:
        tries += [(form, rounding, None) for form in forms]

    def once(form: Form, kind: Arithmetic, truth: str | None, *, whole: bool) -> Measured:
        named = _constants(kind, constants)
        return evaluated(form, taken, spread, observed, kind, truth, named, stored, whole=whole)

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


def _computed(taken: Sequence[Argument], observed: Recorded) -> str:
    """The format in which a formula is computed: the finest among its tensors', as PyTorch promotes."""
    found = [tensor.dtype for tensor in tensors([*taken, observed]) if tensor.dtype in FORMATS]
    return min(found, key=lambda name: FORMATS[name].u, default="float32")


def _in_16_bits(value: object) -> bool:
    """Whether a tensor is stored in fewer bits than it was computed in."""
    return isinstance(value, Recorded) and value.dtype in FORMATS and value.dtype not in COMPUTED
