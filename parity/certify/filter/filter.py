"""The filter: checks both gates on one step of two sides and accepts the whole step or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.bounds.formats import arithmetic
from parity.certify.accepted import AcceptedShares
from parity.certify.filter.activations import SLOPES
from parity.certify.filter.certificates import FirstGate
from parity.certify.filter.cross_check import SecondGate
from parity.certify.filter.gradients import TELLING, Parameters
from parity.certify.filter.inputs import HARMLESS, StepInputs
from parity.certify.filter.layout import FlatLayout
from reference import formulas
from reference.architecture import Architecture
from reference.equations import Equation
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.trace import Trace


def knows(architecture: Architecture, equations: Sequence[Equation]) -> bool:
    """Whether the filter supports these equations: float32, four activations, MSE, plain SGD."""
    updates = {"weight_update": formulas.weight_update, "bias_update": formulas.bias_update}
    kinds = {
        "affine", "activation", "loss", "loss_gradient", "output_delta", "hidden_delta",
        "weight_gradient", "bias_gradient", *updates,
    }  # fmt: skip
    return (
        isinstance(architecture, Architecture)
        and np.dtype(architecture.dtype) == np.float32
        and architecture.reduced_loss == LOSSES["mse"]
        and not architecture.class_indices
        and all(f.name in SLOPES and f == ACTIVATIONS[f.name] for f in architecture.activations)
        and len(equations) == 8 * architecture.depth + 1
        and all(equation.formula.name in kinds for equation in equations)
        and all(e.evaluate is updates.get(e.formula.name, e.evaluate) for e in equations)
    )


class Filter:
    """Filters steps of one architecture, batch size and learning rate, with preallocated buffers."""

    def __init__(self, architecture: Architecture, batch: int, lr: float) -> None:
        self.layout = FlatLayout(architecture, batch)
        self.recorded = StepInputs(self.layout, np.dtype(architecture.dtype))
        self.first_gate = FirstGate(architecture, self.recorded, arithmetic(architecture.dtype))
        self.second_gate = SecondGate(self.first_gate)
        self.parameters = Parameters(self.first_gate, lr)
        self._telling = np.zeros((2, len(self.layout.sampled)), dtype=bool)
        self._all_zero = np.zeros_like(self._telling)

    def accepts(self, ours: Trace, theirs: Trace) -> AcceptedShares | None:
        """The shares of an accepted step, or None if the step must be checked in full."""
        with np.errstate(all="ignore"):  # steps with 0/0 or overflow are not accepted
            return self._accepts(ours, theirs)

    def _accepts(self, ours: Trace, theirs: Trace) -> AcceptedShares | None:
        first_gate, second_gate, parameters = self.first_gate, self.second_gate, self.parameters
        if not self.recorded.gather(ours, theirs) or not first_gate.evaluate():
            return None
        certificates = first_gate.certificates()
        if not certificates.max() <= 1 or not second_gate.evaluate(parameters.lr):
            return None
        pairs = first_gate.shares(second_gate.truth[None], second_gate.bound[None])
        if not pairs.max() <= 1 or not second_gate.bound.max() < HARMLESS:
            return None
        if not parameters.evaluate(self._relative()) or not self._note_telling():
            return None
        gradients, after = parameters.side_by_side(pairs)
        if not (gradients.max() <= 1 and after.max() <= 1):
            return None
        telling = parameters.telling
        return AcceptedShares(
            self.layout.judged,
            self.layout.numbers,
            np.concatenate([certificates, parameters.gradients, parameters.after], axis=1),
            np.concatenate([pairs, gradients, after], axis=1),
            np.concatenate([self.recorded.distance, *parameters.apart]),
            np.concatenate([self._telling, telling[:2], telling[2:]], axis=1),
            np.zeros(len(self.layout.judged), int),
        )

    def _relative(self) -> float:
        """The smallest B_δ/(|T_δ| + B_δ), for the reported shares of small networks; 0 for large ones."""
        if self.recorded.large:
            return 0.0
        delta = self.layout.kinds["delta"]
        bound = self.second_gate.bound[delta]
        reach = np.abs(self.second_gate.truth[delta])
        reach += bound
        least = float(np.fmin.reduce(np.divide(bound, reach, out=reach)))
        return least if least > 0 else 0.0

    def _note_telling(self) -> bool:
        """Record the tensors in which a mistake would have shown; False if the plain path must decide."""
        telling, all_zero, cut = self._telling, self._all_zero, self.layout.cut
        if not telling.all():
            all_zero[...] = True
            for block in cut.blocks:
                here, tensors = slice(block.start, block.stop), cut.tensors[block.slots]
                size = np.abs(self.first_gate.truth[:, here])
                all_zero[:, tensors] &= np.maximum.reduceat(size, block.starts, axis=1) == 0
                size -= TELLING * self.first_gate.bound[:, here]
                found = np.maximum.reduceat(size, block.starts, axis=1)
                telling[:, tensors] |= found > self.parameters.least
        parameters = self.parameters
        return bool((telling | all_zero).all() and (parameters.telling | parameters.all_zero).all())
