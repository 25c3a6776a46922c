"""Classes of correct implementations beyond the contract's plain forms.

Each class has its own bound, derived like the others, and is tried only where the plain bound fails:

* `accumulated`: the step is taken sample by sample, W − Σ η δᵢ aᵢᵀ, all at the old W, in any order, each
  sample's term whole or in two halves: one open sum of W and up to 2m terms. η and a mean over the
  batch may stand anywhere in a term, which is rounded up to six times.
* `in-parts`: the step is taken in two halves, (W − η dW/2) − η dW/2.
* `finer-format`: computed in a finer format, and rounded once when it was shown: every shown input of a
  formula then carries half a unit, and so does what the formula made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import numpy as np

from parity.bounds import Bounded, rounded
from parity.certify.certificate import Finding, Verdict, finding
from parity.certify.measure import Shares, shares
from parity.certify.observation import Observation, Reconstruction
from reference.arrays import Array
from reference.equations import Equation

ACCUMULATED, IN_PARTS, FINER = "accumulated", "in-parts", "finer-format"

CLASSES = (
    "an update as one sum of W and each sample's term (at the old W; whole or in two halves; up to 6 "
    "roundings a term); a finer format, rounded once when shown (each shown input carries half a unit)"
)
"""The classes above, as stated in the contract of a subject."""

SPARE = 3
"""Roundings of a sample's term beside its three products: a quotient by the batch, and δ when shown."""


def admitted(
    observation: Observation, equation: Equation, plain: Reconstruction, finer: Reconstruction
) -> Finding:
    """The plain finding, or an other form where one of the classes above explains what it does not.

    `plain` and `finer` are the subject's numbers as they stand, and as rounded from a finer format.
    """
    observed = observation.shown[equation.makes]
    known = all(name in observation.known for name in equation.inputs)
    found = _shares(plain, equation, observed, given=known)
    for forms, other, numbers in _classes(equation, plain, finer):
        either = found.or_else(_shares(numbers, other, observed, given=False))
        judged = finding(equation, either.measured())
        if judged.verdict is Verdict.MATCH:
            return replace(judged, verdict=Verdict.OTHER_FORM, forms=forms)
    return finding(equation, found.measured())


def _classes(
    equation: Equation, plain: Reconstruction, finer: Reconstruction
) -> Iterator[tuple[tuple[str, ...], Equation, Reconstruction]]:
    """Every class that an equation has, as the equation to hold it to and the numbers to hold."""
    others = _accumulated(equation)
    yield from (((form,), other, plain) for form, other in others)
    yield (FINER,), equation, finer
    yield from (((form, FINER), other, finer) for form, other in others)


def _shares(numbers: Reconstruction, equation: Equation, observed: Array, *, given: bool) -> Shares:
    with np.errstate(all="ignore"), numbers.judge.precision():
        return shares(observed, numbers.shown(equation), given=given)


def _accumulated(equation: Equation) -> list[tuple[str, Equation]]:
    """Slide 6's update as other sums of the same terms."""
    if equation.constants != ("lr",) or len(equation.inputs) != 2:
        return []
    layer = equation.layer
    delta, below = f"delta{layer}", f"a{layer - 1}" if layer > 1 else "x"
    forms: dict[str, tuple[Callable[..., Array], tuple[str, ...]]] = {
        "weight_update": (_weights, (delta, below)),
        "bias_update": (_biases, (delta,)),
    }
    if equation.formula.name not in forms:
        return []
    sums, terms = forms[equation.formula.name]
    by_sample = replace(equation, inputs=(equation.inputs[0], *terms), evaluate=sums)
    return [(IN_PARTS, replace(equation, evaluate=_halves)), (ACCUMULATED, by_sample)]


def _halves(p: Array, gradient: Array, lr: Array) -> Array:
    """(p − η g/2) − η g/2."""
    half: Array = lr * gradient * 0.5
    return (p - half) - half


def _weights(W: Array, delta: Array, a: Array, lr: Array) -> Array:
    """W − Σ η δᵢ aᵢᵀ: W stands in the sum like any other term."""
    half = _half_terms(delta, lr)
    sums: Array = np.matmul(half, a.T) + np.matmul(half, a.T) + W
    return sums


def _biases(b: Array, delta: Array, lr: Array) -> Array:
    """b − Σ η δᵢ."""
    half = _half_terms(delta, lr)
    sums = np.add.reduce(half, axis=1, keepdims=True)
    return sums + sums + b


def _half_terms(delta: Array, lr: Array) -> Array:
    """−η δᵢ/2, with the roundings that a term may have; on bounded numbers, which know them."""
    spare = cast(Array, rounded(cast(Bounded, delta).arithmetic, 1.0, SPARE))
    terms: Array = -(lr * delta) * 0.5 * spare
    return terms
