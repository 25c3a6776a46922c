"""The plans of the formulas of a watched program, each recorded when it is worth it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial

from parity.bounds import Bounded
from parity.bounds.formats import FORMATS
from parity.certify.measure import Measured
from parity.certify.plan.tape import UnplannableError
from parity.pytorch.recorder.data import Recorded
from parity.watch.formula_plan import Form, FormulaCall, FormulaPlan

PATIENCE = 2
"""Blocks of a kind that are left to the rules before one is recorded, which costs as much as several."""


LARGEST = 1 << 18
"""Numbers of the largest tensor, or block of one, for which buffers are kept."""

MOST = 1024
"""Plans that are kept."""


@dataclass
class _Known:
    """The plan of one kind of block, and how many of them it did not accept since it last did one."""

    plan: FormulaPlan | None = None
    general: set[Hashable] = field(default_factory=set)
    possible: bool = True
    blocks: int = 0
    refused: int = 0


_PLANS: dict[object, _Known] = {}


class Accepting:
    """Measures the blocks of one tensor by the plan of their kind, as far as it accepts them.

    Of a kind that it refuses many times in a row, ever fewer are asked.
    """

    def __init__(self) -> None:
        self._begun: FormulaPlan | None = None
        self._shape: tuple[int, ...] | None = None
        self._known: _Known | None = None

    def measured(self, asked: FormulaCall) -> Measured | None:
        """A block that a plan finds right; None for any other."""
        if asked.observed.shape != self._shape:
            self._shape, self._known = asked.observed.shape, _known(asked) if _plannable(asked) else None
        known = self._known
        if known is None or not known.possible:
            return None
        known.blocks += 1
        if known.blocks <= PATIENCE or known.refused & (known.refused - 1):
            return None
        found = self._by(known.plan, asked) if known.plan else None
        if known.plan is None or not known.plan.as_recorded:
            try:
                known.plan = FormulaPlan(asked, known.general)
            except (UnplannableError, TypeError, ValueError, IndexError, AttributeError):
                known.possible = False
                return None
            known.general |= known.plan.general
            found = self._by(known.plan, asked)
        known.refused = 0 if found else known.refused + 1
        return found

    def _by(self, plan: FormulaPlan, asked: FormulaCall) -> Measured | None:
        if plan is not self._begun:
            self._begun = plan if plan.begin(asked) else None
        return plan.measured(asked) if plan is self._begun else None


def identity(form: Form) -> tuple[object, ...]:
    """What two forms have in common that compute the same."""
    if isinstance(form, partial):
        return form.func, form.args, repr(sorted(form.keywords.items()))
    return (form,)


def _plannable(asked: FormulaCall) -> bool:
    sizes = [v.array.size for v in (*asked.operands, asked.observed) if isinstance(v, Recorded)]
    return (
        asked.arithmetic.truth != "ball"
        and asked.observed.dtype in FORMATS
        and asked.observed.array.ndim > 0
        and min(sizes) > 0
        and max(sizes) <= LARGEST
        and not any(isinstance(value, tuple) for value in asked.operands)
    )


def _known(asked: FormulaCall) -> _Known:
    shown = [
        (v.shape, v.dtype) if isinstance(v, Recorded) else repr(v)
        for v in (*asked.operands, asked.observed)
    ]
    numbers = [
        (name, v.arithmetic.u, v.is_exact) if isinstance(v, Bounded) else name
        for name, v in asked.numbers.items()
    ]
    kind = asked.arithmetic
    key = (*identity(asked.form), *shown, *asked.divided, *numbers, kind.u, kind.storage.name, kind.eta)
    if key not in _PLANS:
        if len(_PLANS) >= MOST:
            _PLANS.clear()
        _PLANS[key] = _Known()
    return _PLANS[key]
