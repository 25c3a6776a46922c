"""An oracle that knows nothing of this project's bounds: autograd of torch, in float64.

A number counts as changed where it is further from autograd's than 1e-9 of the tensor's largest: a
hundred thousand times what rounding does to these small networks, and far less than any mistake. The
first tensor that is changed, in the order of execution, was made out of right ones: there the mistake
was made.
"""

from __future__ import annotations

import signal
import sys
import types
import warnings
from collections.abc import Sequence

import numpy as np
import torch

from parity.certify.observation import Observation
from parity.check.answers import observations
from parity.check.cases import Plan, SubjectCall, calls
from parity.check.in_process import OwnSubject
from parity.check.process import Limits
from tests.mutants.mechanical import Mutant

CHANGED = 1e-9
SECONDS = 4
FUNCTIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "identity": lambda z: 1 * z}

UNSEEN = calls(
    plans=(
        Plan((3, 2, 4), batch=2, steps=1, activations=(0, 1), lr=0.75),
        Plan((4, 3, 2), batch=5, steps=2, activations=(1, 0), lr=0.15625),
        Plan((2, 4, 3, 2), batch=3, steps=2, activations=(2, 1, 3), lr=0.28125),
        Plan((3, 3, 3), batch=3, steps=1, activations=(3, 1), lr=0.4375),
        Plan((3, 2, 4, 5, 3), batch=4, steps=2, activations=(0, 3, 2, 0), lr=0.1875),
        Plan((2, 3, 3), batch=1, steps=2, activations=(1, 3), lr=0.6875),
        Plan((3, 4, 2), batch=5, steps=1, activations=(1, 2), lr=0.53125),
    )
)
"""Calls that no check makes: a name has to hold on these too."""


def truth(call: SubjectCall) -> dict[str, np.ndarray]:
    """Every tensor of a step, as autograd has it."""
    given = {name: torch.tensor(np.array(tensor, dtype=np.float64)) for name, tensor in call.given.items()}
    depth, made = call.architecture.depth, {}
    for l in range(1, depth + 1):
        given[f"W{l}"].requires_grad_(True)
        given[f"b{l}"].requires_grad_(True)
    a = given["x"]
    for l in range(1, depth + 1):
        z = made[f"z{l}"] = given[f"W{l}"] @ a + given[f"b{l}"]
        z.retain_grad()
        a = made[f"a{l}"] = FUNCTIONS[call.architecture.activations[l - 1].name](z)
    made["loss"] = torch.nn.functional.mse_loss(a, given["y"])
    made["loss"].backward()
    for l in range(depth, 0, -1):
        made[f"delta{l}"] = made[f"z{l}"].grad
    for kind in ("d", "_next"):
        for l in range(1, depth + 1):
            for p in "Wb":
                gradient = given[f"{p}{l}"].grad
                made[f"d{p}{l}" if kind == "d" else f"{p}{l}_next"] = (
                    gradient if kind == "d" else given[f"{p}{l}"] - call.lr * gradient
                )
    return {name: tensor.detach().numpy() for name, tensor in made.items()}


def changed(observation: Observation, right: dict[str, np.ndarray]) -> list[str]:
    """The tensors that are not what they should be, in the order of execution."""
    shown = {**observation.shown, **observation.misshapen}
    return [name for name in right if name in shown and _differs(shown[name], right[name])]


def _differs(observed: np.ndarray, right: np.ndarray) -> bool:
    if observed.shape != right.shape:
        return True
    with np.errstate(all="ignore"):
        apart = np.abs(np.asarray(observed, dtype=np.float64) - right)
    return not bool((apart <= CHANGED * np.abs(right).max(initial=0)).all())


class _TooSlow(BaseException):
    pass


def _ring(*_):
    raise _TooSlow


def subject(mutant: Mutant) -> OwnSubject:
    """A mutant, run."""
    module = types.ModuleType("mutant")
    sys.modules["mutant"] = module
    try:
        exec(compile(mutant.source, "mutant", "exec"), module.__dict__)
    finally:
        del sys.modules["mutant"]
    return OwnSubject("mutant", module.step, getattr(module, "LAYOUT", "columns"))


def shown(mutant: Mutant, asked: Sequence[SubjectCall]) -> list[Observation]:
    """What a mutant shows on these calls: nothing where it raises, or does not come back."""
    before = signal.signal(signal.SIGALRM, _ring)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return observations(asked, subject(mutant).answer(asked, Limits()))
    except (_TooSlow, Exception):
        return []
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
