"""The tensors of a definition with their bounds, and what is measured against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from parity.bounds import Bounded
from parity.certify.measure import Measured, Values, Worst, measure
from parity.kernel.bounds import Value, evaluated, whole
from parity.kernel.definition import Definition


class Truths:
    """A definition's tensors with their bounds: in its own forms, and on appeal in all admitted ones.

    With `exactly` they are whole numbers without bounds; `rounds` says that the definition has none.
    With `observed` each bound is that of one operation, from the tensors that were observed.
    """

    def __init__(
        self, definition: Definition, *, exactly: bool, observed: Mapping[str, Values] | None = None
    ) -> None:
        self._definition, self._observed = definition, observed
        self._whole = whole(definition) if exactly else None
        self.rounds = exactly and self._whole is None
        self._plain = cache(lambda: evaluated(definition, observed=observed))
        self._widest = cache(self._of_all_forms)

    def _of_all_forms(self) -> Mapping[str, Value]:
        balls = "ball" if "float64" in self._definition.formats.values() else None
        return evaluated(self._definition, balls, all_forms=True, observed=self._observed)

    def nothing(self, name: str) -> bool:
        """Whether a tensor is an exact zero: no rounding of anything that it depends on changes it."""
        truth = self._plain()[name]
        return isinstance(truth, Bounded) and not np.any(truth.carried) and not np.any(truth.value)

    def measured(self, name: str, observed: Values) -> Measured:
        """The observed tensor against the definition's of this name."""
        if self._whole is not None:
            return _measured(observed, self._whole.get(name, observed))
        found = _measured(observed, self._plain()[name])
        return _measured(observed, self._widest()[name]) if found.wrong else found


def _measured(observed: Values, truth: Value) -> Measured:
    if not isinstance(truth, Bounded):
        return measure(observed, np.asarray(truth))
    with np.errstate(all="ignore"), truth.arithmetic.precision():
        found = measure(observed, truth, given=False)
    return replace(found, vacuous=found.vacuous and not is_zero(truth), resolution=_resolution(truth))


def is_zero(truth: Bounded) -> bool:
    """Whether a tensor is zero as far as the truth can tell, so that being zero within the bound tells.

    A bound of Σ k (u + u_truth)|terms| covers Σ k u_truth |terms|, the truth's own error: the share
    u_truth/(u + u_truth) of it. So it is with a bias whose mean is subtracted again.
    """
    own = truth.arithmetic.u_truth / truth.arithmetic.unit
    return bool(np.all(truth.magnitude() <= truth.carried * own))


def _resolution(truth: Bounded) -> float:
    """The least r for which the definition's own tensor times 1 + r would be told: min bound/|value|."""
    bound, size = np.broadcast_to(truth.carried, truth.shape), truth.magnitude()
    known = (size > 0) & np.isfinite(bound) & np.isfinite(size)
    return float(np.min(bound[known] / size[known], initial=np.inf))


def against(observed: Values, own: Values, truths: Truths, makes: str) -> Measured | None:
    """A tensor against the definition's, of which PyTorch's `own` is known.

    NaN is wrong where PyTorch's own is none. None where PyTorch's own is outside of its bounds.
    """
    measured = truths.measured(makes, observed)
    if measured.wrong and truths.measured(makes, own).wrong:
        return None
    strange = strange_numbers(observed, own)
    if not strange.any():
        return measured
    index = tuple(int(i) for i in np.argwhere(strange)[0])
    nan, infinite, at = float("nan"), float("inf"), float(own[index])
    return replace(measured, worst=Worst(index, nan, at, infinite, infinite, infinite))


def strange_numbers(observed: Values, own: Values) -> npt.NDArray[np.bool_]:
    """Which numbers are NaN where PyTorch's own are none."""
    if observed.dtype.kind != "f":
        return np.zeros(observed.shape, bool)
    return np.isnan(observed) & ~np.isnan(own)
