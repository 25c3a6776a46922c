"""Runs a config and returns its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from parity.bounds.contract import contract
from parity.bounds.formats import arithmetic
from parity.bounds.unknown import UnknownBoundError
from parity.config.case import HELD_BACK, TRAINED_ON, Case, build
from parity.config.config import Config
from parity.config.datasets import accuracy
from parity.errors import UsageError
from parity.lockstep.environment import environment, require_torch
from parity.lockstep.lockstep import Certify, Given, Observer, Reference, Side, Walk, lockstep
from parity.lockstep.result import Fact, Result, Witness
from parity.lockstep.threads import limited
from parity.pytorch.deviations import DEVIATIONS
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.arrays import Array
from reference.engine import Network
from reference.model import LOSS

Predict: TypeAlias = Callable[[Array], Array]
"""ŷ of samples: x as the case holds it -> (outputs, samples)."""


class TorchSide(Side, Protocol):
    """PyTorch's side of a run, which can also compute ŷ alone."""

    def predict(self, x: Array) -> Array: ...


class Peer(Protocol):
    """A user's torch model that takes the place of the twin."""

    @property
    def name(self) -> str: ...

    @property
    def paths(self) -> Mapping[str, str]: ...

    def resolve(self, config: Config) -> tuple[Config, Case]: ...

    def side(self, case: Case) -> TorchSide: ...

    @property
    def given(self) -> Given | None: ...

    def predicts(self, network: Network) -> Predict: ...


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

    With a `peer`, by default the config's own modules if it has such, PyTorch's side is that model, and
    the engine is built to match it.
    `observers(case)` makes the observers, once the case is known. Without `torch` only the engine runs,
    and PyTorch is not imported. Raises UsageError for a config that does not fit its data,
    EnvironmentUnfit if torch is missing or set to lower precision.
    """
    peer = peer or model_peer(config)
    config, case = peer.resolve(config) if peer else (config, build(config))
    if torch:
        require_torch()  # imports torch, so that its thread pools exist before they are limited
    with limited(threads):
        facts = environment(with_torch=torch)
        twin = (peer.side(case) if peer else _twin(case)) if torch else None
        reference = Reference(case, peer.given if peer else None)
        network = reference.network
        sides: list[Side] = [reference]
        predictions: dict[str, Predict] = {"reference": peer.predicts(network) if peer else network.forward}
        if twin:
            sides.append(twin)
            predictions["torch"] = twin.predict
        walk = lockstep(case, sides, observers(case), keep_going=keep_going, certify=certify)
        shares = _accuracy(case, predictions)
        third = None
        if witness:
            from parity.lockstep.finite_difference import check_gradients

            try:
                third = check_gradients(case)
            except UnknownBoundError as error:
                raise UsageError(Message("witness_cannot", reason=error)) from None
    return result_of(config, case, walk, Circumstances(facts, shares, third, reproduce, peer))


def model_peer(config: Config, spec: str | None = None) -> Peer | None:
    """The torch model that `--model` or `[[network.modules]]` describes; none for a network of layers.

    Raises UsageError, and EnvironmentUnfit without torch.
    """
    if spec is None and not config.network.modules:
        return None
    require_torch()
    from parity.pytorch.imported.case import DeclaredPeer, ModelPeer
    from parity.pytorch.imported.load import load

    return DeclaredPeer() if spec is None else ModelPeer(name=spec, model=load(spec, config.training.seed))


def _twin(case: Case) -> TorchSide:
    from parity.pytorch.twin import Twin

    return Twin(case.architecture, case.parameters, case.lr)


def _accuracy(case: Case, predictions: Mapping[str, Predict]) -> dict[str, dict[str, float]]:
    """The accuracy of each side on each part of the data."""
    shares: dict[str, dict[str, float]] = {}
    for part, (x, y) in case.scored.items():
        for name, predict in predictions.items():
            with np.errstate(all="ignore"):
                share = accuracy(predict(x).T, y)
            if share is not None:
                shares.setdefault(part, {})[name] = share
    return shares


TWICE = {"softmax": ("cross_entropy", "softmax"), "sigmoid": ("bce_with_logits", "sigmoid")}
"""By the last activation: the loss that applies the same function by itself."""


def _advice(case: Case) -> list[str]:
    """Advice on a network that is valid but probably not intended."""
    activations = getattr(case.architecture, "activations", None)  # a recorded graph has none
    if not activations:
        return []
    last, loss = activations[-1].name, case.architecture.loss.name
    if last not in TWICE or TWICE[last][0] != loss:
        return []
    return [Message("advice_twice", activation=last, loss=loss, function=TWICE[last][1])]


@dataclass(frozen=True)
class Circumstances:
    """A result's facts besides the lockstep: environment, each side's accuracy, the third witness, the
    command that reproduces it, and the user's model, if any.
    """

    environment: Mapping[str, Fact]
    accuracy: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    witness: Witness | None = None
    reproduce: str | None = None
    peer: Peer | None = None


def result_of(config: Config, case: Case, walk: Walk, around: Circumstances) -> Result:
    """The result of a lockstep."""
    tally, first, witness = walk.tally, walk.tally.first, around.witness
    verdict = "undecided" if walk.diverged and not tally.mismatch else tally.verdict
    again, trained_on = around.reproduce, around.accuracy.get(TRAINED_ON, {})
    asked = config.to_json() | {
        "layers": case.architecture.title,
        "lr": case.lr,
        "steps": case.steps,
        "batch": case.batch,
        "data": case.data,
    }
    return Result(
        verdict="mismatch" if witness and witness.verdict != "match" else verdict,
        steps=walk.steps,
        certified=walk.certify.said(),
        tensors_compared=tally.tensors,
        numbers_compared=tally.numbers,
        undecided=tally.undecided,
        first_divergence=first,
        formulas=tally.formula_rows(),
        advice=_advice(case),
        side_by_side=tally.side_by_side_rows(),
        wrong_formulas=tally.wrong_formulas(),
        loss=walk.losses,
        accuracy=dict(around.accuracy.get(HELD_BACK, trained_on)),
        accuracy_in_training=dict(trained_on) if HELD_BACK in around.accuracy else {},
        witness=witness,
        accepted=list(dict.fromkeys(case.findings)),
        reason=_reason(case, walk, around.peer),
        reproduce=f"{again} --steps {first.step + 1}" if again and first else None,
        contract=contract(arithmetic(case.architecture.dtype)),
        environment=dict(around.environment),
        config=asked | ({"model": around.peer.name} if around.peer else {}),
    )


def _module(peer: Peer, layer: int) -> str:
    return peer.paths.get(f"a{layer}") or peer.paths[LOSS]


def _reason(case: Case, walk: Walk, peer: Peer | None) -> Message | None:
    """Why a lockstep ended early; for a mismatch, its module and a known deviation of PyTorch too."""
    first, reason = walk.tally.first, walk.reason
    hints = []
    if peer and first:
        hints.append(Message("module_of", layer=first.layer, module=_module(peer, first.layer)))
    if first and first.side == "torch":
        layered = isinstance(case.architecture, Architecture)
        known = [d.name for d in DEVIATIONS.values() if layered and d.applies(case.architecture)]
        hints += [Message("known_finding", name=name) for name in known if name not in case.findings][:1]
    for hint in hints:
        reason = Message("hint", failure=reason, hint=hint) if reason else hint
    return reason
