"""One run, from a config to its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from parity.arithmetic import ULP, Arithmetic, arithmetic
from parity.case import Case, build, sizes
from parity.config import Config
from parity.datasets import accuracy
from parity.environment import environment, unfit
from parity.errors import EnvironmentUnfit
from parity.lockstep import Certify, Observer, Reference, Walk, lockstep
from parity.result import Fact, Result, Witness
from parity.threads import limited
from reference.arrays import Array


def run(
    config: Config,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    *,
    keep_going: bool = False,
    certify: Certify | None = None,
    threads: int = 1,
    witness: bool = False,
    reproduce: str | None = None,
) -> Result:
    """Train the deck's engine and the identical PyTorch model in lockstep, and certify both.

    `observers(case)` makes the observers of the walk, once the case is known. Raises QuestionError for a
    config that does not fit its data, EnvironmentUnfit where torch is missing or set to lower precision.
    """
    case = build(config)
    problems = unfit(environment())  # this brings torch in, with its own pools, before they are limited
    if problems:
        raise EnvironmentUnfit("; ".join(problems))
    from parity.twin import Twin

    with limited(threads):
        facts = environment()
        reference, twin = Reference(case), Twin(case.architecture, case.parameters, case.lr)
        walk = lockstep(case, [reference, twin], observers(case), keep_going=keep_going, certify=certify)
        shares = _accuracy(case, {"reference": reference.network.forward, "torch": twin.predict})
        third = None
        if witness:
            from parity.witness import testify

            third = testify(case)
    return _result(config, case, walk, facts, shares, third, reproduce, str(certify or Certify()))


def contract(judge: Arithmetic) -> dict[str, Fact]:
    """What an implementation may do to a number and still be called correct; printed with every result."""
    return {
        "number_format": str(judge.dtype),
        "unit_roundoff": judge.u,
        "largest": judge.largest,
        "rounding": "to nearest",
        "summation": "any order, any blocking, fused multiply-add or not",
        "subnormals": "flushed to zero" if judge.flushes else "kept or flushed gradually",
        "elementary_functions": ", ".join(f"{name} {ulp} ulp" for name, (ulp, _) in ULP.items()),
        "derivatives": "of the recorded activation: a(1 − a), 1 − a², [z > 0]; other forms are named so",
        "truth": judge.truth,
        "appeal": "ball arithmetic, 128 bits" if judge.truth == "longdouble" else None,
    }


def _accuracy(case: Case, predictions: dict[str, Callable[[Array], Array]]) -> dict[str, float]:
    """Each side's share of the held-back data, or of all data where nothing is held back."""
    x = case.x if case.held_x is None else case.held_x
    y = case.y if case.held_y is None else case.held_y
    shares: dict[str, float] = {}
    for name, predict in predictions.items():
        with np.errstate(all="ignore"):
            share = accuracy(predict(x).T, y.T) if case.measures_accuracy else None
        if share is not None:
            shares[name] = share
    return shares


def _result(
    config: Config,
    case: Case,
    walk: Walk,
    facts: dict[str, Fact],
    shares: dict[str, float],
    witness: Witness | None,
    reproduce: str | None,
    certified: str = "every step",
) -> Result:
    ledger = walk.ledger
    verdict = "undecided" if walk.diverged and not ledger.mismatch else ledger.verdict
    wrong_witness = witness is not None and witness.verdict != "match"
    asked = config.to_json() | {
        "layers": sizes(case.architecture.layers),
        "lr": case.lr,
        "steps": case.steps,
        "batch": case.batch,
        "data": case.data,
    }
    return Result(
        verdict="mismatch" if wrong_witness else verdict,
        steps=walk.steps,
        certified=certified,
        tensors_compared=ledger.tensors,
        numbers_compared=ledger.numbers,
        undecided=ledger.undecided,
        first_divergence=ledger.first,
        formulas=ledger.formula_rows(),
        side_by_side=ledger.side_by_side_rows(),
        wrong_formulas=ledger.wrong_formulas(),
        loss=walk.losses,
        accuracy=shares,
        witness=witness,
        reason=walk.reason,
        reproduce=f"{reproduce} --steps {ledger.first.step + 1}" if reproduce and ledger.first else None,
        contract=contract(arithmetic(case.architecture.dtype)),
        environment=facts,
        config=asked,
    )
