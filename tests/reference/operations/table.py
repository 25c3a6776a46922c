"""The table of operations, held against its formulas in bounded arithmetic.

`shares` evaluates every formula on what a `Run` recorded and yields the share of the bound that an
observed tensor used; `engine` evaluates them on plain arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.bounds import SLACK, Bounded, exact
from parity.bounds.formats import arithmetic
from reference.formula import Formula
from reference.operation import Operation, bound
from tests.reference.operations.observed import Run, Tensors, plain, runs


@dataclass(frozen=True)
class Share:
    """One tensor against its certificate: `worst` is the largest share of the bound, ∞ for no tensor."""

    formula: Formula
    tensor: str
    worst: float
    numbers: int
    undecided: int
    complaint: str = ""


def arguments(run: Run, formula: Formula, outputs: Tensors, form: Callable[[Any], Any]) -> list[Any]:
    """What a formula takes, each array as `form` makes it a number."""
    known = {**run.operands, **outputs, **run.upstream}
    found: list[Any] = []
    for name in formula.takes:
        value = known[name] if name in known else known[plain(name)]
        found += [form(part) for part in value] if name.startswith("*") else [form(value)]
    return found


def evaluated(
    run: Run, formula: Formula, outputs: Tensors, form: Callable[[Any], Any], at: int | None = None
) -> list[Any]:
    """The formula and its other forms."""
    options = run.options if at is None else {**run.options, "at": at}
    taken = arguments(run, formula, outputs, form)
    with np.errstate(all="ignore"):
        return [bound(one, options)(*taken) for one in (formula.function, *formula.other_forms)]


def recorded(value: Any) -> Any:
    """A float array as an exact number of its own format; anything else is data."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return exact(arithmetic(value.dtype), value)
    return value


def same(value: Any) -> Any:
    return value


def equations(
    run: Run, observed: Tensors, gradients: Tensors
) -> Iterator[tuple[Formula, str, Any, int | None]]:
    """Every formula with the tensor that it makes: outputs, then gradients."""
    operation = run.operation
    for output, formula in operation.forward.items():
        if (output not in operation.given or output in operation.choices) and output in observed:
            many = output.startswith("*")
            for at, part in enumerate(observed[output]) if many else ((None, observed[output]),):
                yield formula, output, part, at
    for (operand, at), gradient in gradients.items():
        many = operand.startswith("*")
        yield operation.vjps[operand], f"d{operand}", gradient, at if many else None


def shares(run: Run, observed: Tensors, gradients: Tensors) -> Iterator[Share]:
    """The certificate of every formula, on the recorded operands and `run`'s recorded by-products."""
    operation = run.operation
    for formula, name, tensor, at in equations(run, observed, gradients):
        if name in operation.choices:
            check = bound(operation.choices[name], run.options)
            best = check(*arguments(run, formula, run.outputs, same), tensor)
            told = "" if np.array_equal(best, tensor) else "not a best choice"
            yield Share(formula, name, float("inf") if told else 0.0, np.size(tensor), 0, told)
            continue
        yield share(formula, name, tensor, evaluated(run, formula, run.outputs, recorded, at))


def share(formula: Formula, name: str, tensor: Any, forms: list[Any]) -> Share:
    """One tensor against the truths and bounds of its formula's forms: the best of them for each number."""
    best, decided = np.full(np.shape(tensor), np.inf), np.zeros(np.shape(tensor), bool)
    untold = np.zeros(np.shape(tensor), bool)
    for form, truth in zip((formula.function, *formula.other_forms), forms, strict=True):
        if np.shape(truth) != np.shape(tensor):
            told = f"{name}: shape {np.shape(tensor)}, not {np.shape(truth)}"
            return Share(formula, name, float("inf"), np.size(tensor), 0, told)
        observed = np.asarray(tensor).dtype
        if _format(truth) != observed and not (isinstance(truth, Bounded) and observed.kind != "f"):
            told = f"{name}: {observed}, not {_format(truth)}"
            return Share(formula, name, float("inf"), np.size(tensor), 0, told)
        ratio, known = _ratios(tensor, truth)
        best, decided = np.where(known, np.minimum(best, ratio), best), decided | known
        if form in formula.also:  # of a form that a side does use, what nobody can tell is not told
            untold |= ~known
    decided &= ~(untold & (best > 1))
    worst = float(np.max(best, initial=0.0, where=decided))
    told = f"{name}: {worst:.3g} of the bound" if not worst <= 1 else ""
    return Share(formula, name, worst, np.size(tensor), int(np.sum(~decided)), told)


def _format(truth: Any) -> np.dtype:
    return truth.arithmetic.dtype if isinstance(truth, Bounded) else np.asarray(truth).dtype


def _ratios(tensor: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """|observed − T|/B, and where it can be decided; of what carries no bound, 0 or ∞."""
    if not isinstance(truth, Bounded):
        same_bits = (np.asarray(tensor) == truth) | ((tensor != tensor) & (np.asarray(truth) != truth))
        return np.where(same_bits, 0.0, np.inf), np.ones(np.shape(tensor), bool)
    with np.errstate(all="ignore"):
        limit = np.broadcast_to(truth.carried, truth.shape) * SLACK
        error = truth.arithmetic.lower(np.abs(truth.arithmetic.lift(tensor) - truth.value))
        error = np.where(tensor == truth.lowered(), 0.0, error)  # infinities
        ratio = np.where(error == 0, 0.0, error / limit)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    same_nan = np.isnan(truth.lowered()) & np.isnan(np.asarray(tensor, float))
    return np.where(same_nan, 0.0, ratio), np.isfinite(limit) | same_nan


def decided_within_the_bounds(operation: Operation, dtype: type, regime: str) -> int:
    """How many numbers of PyTorch and of the engine are certain, none being outside its bound."""
    decided = 0
    for run in runs(operation, dtype, regime):
        for outputs, gradients in ((run.outputs, run.gradients), engine(run)):
            for found in shares(run, outputs, gradients):
                assert not found.complaint, (run.title, found.complaint)
                decided += found.numbers - found.undecided
    return decided


def assert_told(run: Run, fault: Callable[[Any], Any]) -> None:
    """A fault in any output or gradient of a run is outside its bound."""
    for formula, name, tensor, at in equations(run, run.outputs, run.gradients):
        found = evaluated(run, formula, run.outputs, recorded, at)
        assert share(formula, name, fault(tensor), found).complaint, name


def engine(run: Run) -> tuple[Tensors, Tensors]:
    """The same formulas on plain arrays: our own outputs and gradients, by-products taken as recorded."""
    outputs = {}
    for output, formula in run.operation.forward.items():
        if output in run.operation.given or output not in run.outputs:
            continue
        many = range(len(run.outputs[output])) if output.startswith("*") else (None,)
        found = tuple(evaluated(run, formula, run.outputs, same, at)[0] for at in many)
        outputs[output] = found if output.startswith("*") else found[0]
    gradients = {
        (operand, at): evaluated(
            run, run.operation.vjps[operand], run.outputs, same, at if operand.startswith("*") else None
        )[0]
        for operand, at in run.gradients
    }
    return outputs, gradients
