"""What can stand in front of a formula by accident: a sign, or a constant, named in the case's terms."""

from __future__ import annotations

from collections.abc import Callable

from parity.bounds import constant
from parity.certify.observation import Observation
from parity.check.diagnosis.anatomy import Operand, Operands
from parity.check.diagnosis.hypothesis import Situation
from parity.check.diagnosis.mistake import Exchange, Mistake

Count = Callable[[Observation, int], float]

CONSTANTS: dict[str, Count] = {
    "2": lambda o, l: 2,
    "1/2": lambda o, l: 1 / 2,
    "4": lambda o, l: 4,
    "1/4": lambda o, l: 1 / 4,
    "batch": lambda o, l: o.batch,
    "outputs": lambda o, l: o.architecture.layers[-1],
    "1/outputs": lambda o, l: 1 / o.architecture.layers[-1],
    "n": lambda o, l: o.constants["n"],
    "1/n": lambda o, l: 1 / o.constants["n"],
    "n/2": lambda o, l: o.constants["n"] / 2,
    "2/n": lambda o, l: 2 / o.constants["n"],
    "outputs/2": lambda o, l: o.architecture.layers[-1] / 2,
    "batch/2": lambda o, l: o.batch / 2,
    "1/batch²": lambda o, l: 1 / o.batch**2,
    "units": lambda o, l: o.architecture.layers[l],
    "1/units": lambda o, l: 1 / o.architecture.layers[l],
    "inputs": lambda o, l: o.architecture.layers[l - 1],
    "1/inputs": lambda o, l: 1 / o.architecture.layers[l - 1],
    "η": lambda o, l: o.lr,
    "1/η": lambda o, l: 1 / o.lr,
}
"""The constants by which formulas are off, as numbers of a case: `units`, `inputs` are the layer's own."""

UPDATES = ("weight_update", "bias_update")
KINDS = (
    *("affine", "activation", "loss", "loss_gradient", "output_delta", "backpropagated"),
    *("hidden_delta", "weight_gradient", "bias_gradient", *UPDATES),
)


def times(text: str, count: Count) -> Exchange:
    """A constant in front."""

    def exchange(situation: Situation) -> Operands:
        number = count(situation.scenario.observation, situation.layer)
        return {"factor": Operand(text, constant(situation.scenario.judge, number))}

    return exchange


def _minus(situation: Situation) -> Operands:
    return {"sign": Operand("−", constant(situation.scenario.judge, -1))}


def of(kind: str) -> tuple[Mistake, ...]:
    """The fronts of one kind of equation: in an update they stand in front of the step."""
    update = kind in UPDATES
    sign = "wrong-sign-of-update" if update else "sign-flipped"
    fronts = [
        Mistake(sign, kind, "sign", _minus, "wrong_sign" if update else "sign"),
        Mistake(
            "mean-over-batch", kind, "factor", times("1/batch", lambda o, l: 1 / o.batch), "mean_over_batch"
        ),
    ]
    own = {"η": "learning-rate-twice", "1/η": ""} if update else {}
    for text, count in CONSTANTS.items():
        name = own.get(text, "wrong-constant")
        if name:
            detail = "learning_rate_twice" if name == "learning-rate-twice" else "constant"
            fronts.append(Mistake(name, kind, "factor", times(text, count), detail, {"constant": text}))
    return tuple(fronts)
