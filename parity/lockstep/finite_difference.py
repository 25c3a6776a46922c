"""The third witness: finite differences of the loss, which do not use the chain rule.

PyTorch and the deck's formulas could agree and both be wrong about a derivative. Therefore the loss is
taken as a function of one parameter alone, in 200-bit arithmetic, and differentiated by a central
step h = 2^-60: its truncation error, about h² = 2^-120, and its rounding, about 2^-200/h = 2^-140,
are both far below float64's. The recorded gradients must agree with it within the derived bound of the
whole step (`parity.certify.cross_check`).
"""

from __future__ import annotations

from collections.abc import Iterator

import flint
import numpy as np
import numpy.typing as npt

from parity.bounds import SLACK, Bounded, exact
from parity.bounds.formats import arithmetic
from parity.certify.certificate import bounded_constants
from parity.certify.cross_check import walk
from parity.config.case import Case
from parity.lockstep.lockstep import Reference
from parity.lockstep.result import Witness
from reference.arrays import Array
from reference.equations import constants, step_equations

BITS = 200
STEP_BITS = 60
EVERY_ELEMENT_UP_TO = 256
"""Number of elements checked; in networks with more parameters they are drawn by a seeded generator."""


def check_gradients(case: Case) -> Witness:
    """Check the engine's gradients of the first step against finite differences, element by element."""
    x, y = next(case.batches())
    with np.errstate(all="ignore"):
        trace = Reference(case).step(x, y).kept()
    elements = list(_elements(case))
    total = sum(array.size for array in case.parameters.values())
    bounds = _step_bounds(case, x, y)
    worst = 0.0
    for name, index in elements:
        truth = derivative(case, x, y, name, index)
        bound = bounds[f"d{name}"]
        reach = float(np.broadcast_to(bound.carried, bound.shape)[index]) * SLACK
        error = abs(float(flint.arb(float(trace[f"d{name}"][index])) - truth))
        ratio = 0.0 if error == 0 else error / reach if reach else float("inf")
        worst = max(worst, ratio if ratio == ratio else float("inf"))
    return Witness(
        elements=len(elements),
        of=total,
        worst_ratio=worst,
        verdict="match" if worst <= 1 else "different-formula",
    )


def derivative(case: Case, x: Array, y: Array, name: str, index: tuple[int, ...]) -> flint.arb:
    """∂L/∂(parameter `name`, element `index`) by a central step in 200-bit arithmetic.

    (L(p + h) − L(p − h)) / 2h with h = 2^-60. Raises KeyError for an unknown parameter.
    """
    before, flint.ctx.prec = flint.ctx.prec, BITS
    try:
        h = flint.arb(2) ** -STEP_BITS
        balls = {key: _balls(array) for key, array in {**case.parameters, "x": x, "y": y}.items()}
        centre = balls[name][index]
        losses = []
        for shifted in (centre + h, centre - h):
            balls[name][index] = shifted
            losses.append(_loss(case, balls, x.shape[1]))
        slope: flint.arb = (losses[0] - losses[1]) / (2 * h)
        return slope
    finally:
        flint.ctx.prec = before


def _loss(case: Case, balls: dict[str, npt.NDArray[np.object_]], batch: int) -> flint.arb:
    """The forward pass up to the loss, evaluated on balls."""
    known = {"n": flint.arb(case.architecture.n(batch)), "lr": flint.arb(case.lr)}
    steps = walk(step_equations(case.architecture), balls, known)
    loss: flint.arb = next(np.asarray(made, dtype=object).item() for e, made in steps if e.makes == "loss")
    return loss


def _step_bounds(case: Case, x: Array, y: Array) -> dict[str, Bounded]:
    """Truth and bound of every gradient, from exact parameters through the whole step."""
    judge = arithmetic(case.architecture.dtype)
    equations = step_equations(case.architecture)
    wanted = {f"d{name}" for name in case.parameters}
    last = max(place for place, equation in enumerate(equations) if equation.makes in wanted)
    with np.errstate(all="ignore"), judge.precision():
        start = {name: exact(judge, array) for name, array in {**case.parameters, "x": x, "y": y}.items()}
        known = bounded_constants(judge, constants(case.architecture, x.shape[1], case.lr))
        return {e.makes: made for e, made in walk(equations[: last + 1], start, known)}


def _elements(case: Case) -> Iterator[tuple[str, tuple[int, ...]]]:
    every = [(name, index) for name, array in case.parameters.items() for index in np.ndindex(array.shape)]
    if len(every) <= EVERY_ELEMENT_UP_TO:
        yield from every
        return
    random = np.random.default_rng(case.seed)
    for chosen in sorted(random.choice(len(every), EVERY_ELEMENT_UP_TO, replace=False)):
        yield every[chosen]


def _balls(array: Array) -> npt.NDArray[np.object_]:
    balls = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        balls[index] = flint.arb(float(value))
    return balls
