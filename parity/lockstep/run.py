"""One run, from a config to its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from parity.bounds.formats import ULP, Arithmetic, arithmetic
from parity.config.case import Case, build, sizes
from parity.config.config import Config
from parity.config.datasets import accuracy
from parity.lockstep.environment import environment, require_torch
from parity.lockstep.lockstep import Certify, Observer, Reference, Side, Walk, lockstep
from parity.lockstep.result import Fact, Result, Witness
from parity.lockstep.threads import limited
from parity.pytorch.deviations import DEVIATIONS
from parity.render.texts.message import Message
from reference.arrays import Array


class TorchSide(Side, Protocol):
    """PyTorch's side of a run, which can also be asked for ŷ alone."""

    def predict(self, x: Array) -> Array: ...


class Peer(Protocol):
    """Somebody's own torch model, ready to stand where the twin would."""

    @property
    def name(self) -> str: ...

    @property
    def modules(self) -> Sequence[str]: ...

    def resolve(self, config: Config) -> tuple[Config, Case]: ...

    def side(self, case: Case) -> TorchSide: ...


def run(
    config: Config,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    *,
    keep_going: bool = False,
    certify: Certify | None = None,
    threads: int = 1,
    witness: bool = False,
    torch: bool = True,
    reproduce: str | None = None,
    peer: Peer | None = None,
) -> Result:
    """Train the deck's engine and the identical PyTorch model in lockstep, and certify both.

    With a `peer` the model is not built like the engine: it is somebody's own, and the engine mirrors it.
    `observers(case)` makes the observers of the walk, once the case is known. Without `torch` the engine
    walks alone, and PyTorch is not imported. Raises UsageError for a config that does not fit its
    data, EnvironmentUnfit where torch is missing or set to lower precision.
    """
    config, case = peer.resolve(config) if peer else (config, build(config))
    if torch:
        require_torch()  # this brings torch in, with its own pools, before they are limited
    with limited(threads):
        facts = environment(with_torch=torch)
        reference = Reference(case)
        sides: list[Side] = [reference]
        predictions: dict[str, Callable[[Array], Array]] = {"reference": reference.network.forward}
        if torch:
            twin = peer.side(case) if peer else _twin(case)
            sides.append(twin)
            predictions["torch"] = twin.predict
        walk = lockstep(case, sides, observers(case), keep_going=keep_going, certify=certify)
        shares = _accuracy(case, predictions)
        third = None
        if witness:
            from parity.lockstep.finite_difference import check_gradients

            third = check_gradients(case)
    result = result_of(config, case, walk, facts, shares, third, reproduce, (certify or Certify()).said())
    if peer:
        result = _with_model(result, peer)
    return _with_findings(result, case)


def _with_model(result: Result, peer: Peer) -> Result:
    """The result, with the model's name, and of a mismatch the module in which it is."""
    reason, first = result.reason, result.first_divergence
    if first:
        said = Message("module_of", layer=first.layer, module=peer.modules[first.layer - 1])
        reason = Message("hint", failure=reason, hint=said) if reason else said
    return result.model_copy(update={"config": result.config | {"model": peer.name}, "reason": reason})


def _twin(case: Case) -> TorchSide:
    from parity.pytorch.twin import Twin

    return Twin(case.architecture, case.parameters, case.lr)


def _with_findings(result: Result, case: Case) -> Result:
    """The result, with what was accepted, and with a hint where PyTorch's mismatch may be a known one."""
    taken = [finding.name for finding in case.findings]
    reason, first = result.reason, result.first_divergence
    known = [f.name for f in DEVIATIONS.values() if f.applies(case.architecture) and f.name not in taken]
    if first and first.side == "torch" and known:
        hint = Message("known_finding", name=known[0])
        reason = Message("hint", failure=reason, hint=hint) if reason else hint
    return result.model_copy(update={"accepted": taken, "reason": reason})


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


def result_of(
    config: Config,
    case: Case,
    walk: Walk,
    facts: Mapping[str, Fact],
    shares: Mapping[str, float] | None = None,
    witness: Witness | None = None,
    reproduce: str | None = None,
    certified: str = "every step",
) -> Result:
    """What a walk found. `facts` is the environment, `shares` each side's accuracy."""
    tally = walk.tally
    verdict = "undecided" if walk.diverged and not tally.mismatch else tally.verdict
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
        tensors_compared=tally.tensors,
        numbers_compared=tally.numbers,
        undecided=tally.undecided,
        first_divergence=tally.first,
        formulas=tally.formula_rows(),
        side_by_side=tally.side_by_side_rows(),
        wrong_formulas=tally.wrong_formulas(),
        loss=walk.losses,
        accuracy=dict(shares or {}),
        witness=witness,
        reason=walk.reason,
        reproduce=f"{reproduce} --steps {tally.first.step + 1}" if reproduce and tally.first else None,
        contract=contract(arithmetic(case.architecture.dtype)),
        environment=dict(facts),
        config=asked,
    )
