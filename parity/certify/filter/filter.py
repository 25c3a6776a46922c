"""The filter as a whole: both gates on one step of two sides, accepted entirely or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.bounds.formats import arithmetic
from parity.certify.filter.activations import SLOPES
from parity.certify.filter.certificates import Local
from parity.certify.filter.cross_check import Together
from parity.certify.filter.gradients import TELLING, Parameters
from parity.certify.filter.inputs import HARMLESS, StepInputs
from parity.certify.filter.layout import FlatLayout, Floats
from reference import formulas
from reference.architecture import Architecture
from reference.equations import Equation
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.trace import Trace

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AcceptedStep:
    """An accepted step: for each tensor made, upper bounds of the share of its bound, by gate and side."""

    names: list[str]
    numbers: dict[str, int]
    certificates: Floats  # (2, tensors)
    side_by_side: Floats  # (2, tensors)
    max_abs: Floats  # (tensors,): the largest difference of the sides, for large networks as float32 has it
    telling: Bools  # (2, tensors): whether a mistake would have shown


def knows(architecture: Architecture, equations: Sequence[Equation]) -> bool:
    """Whether the filter has bounds for these equations: float32, four activations, MSE, plain SGD."""
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
    """Filters steps of one architecture, batch size and learning rate; keeps its buffers."""

    def __init__(self, architecture: Architecture, batch: int, lr: float) -> None:
        self.layout = FlatLayout(architecture, batch)
        self.recorded = StepInputs(self.layout, np.dtype(architecture.dtype))
        self.local = Local(architecture, self.recorded, arithmetic(architecture.dtype))
        self.together = Together(self.local)
        self.parameters = Parameters(self.local, lr)
        self._told = np.zeros((2, len(self.layout.sampled)), dtype=bool)
        self._nothing = np.zeros_like(self._told)

    def accepts(self, ours: Trace, theirs: Trace) -> AcceptedStep | None:
        """The shares of an accepted step, or None: then the step must be checked in full."""
        with np.errstate(all="ignore"):  # 0/0 is no share, and what overflows is not accepted
            return self._accepts(ours, theirs)

    def _accepts(self, ours: Trace, theirs: Trace) -> AcceptedStep | None:
        local, together, parameters = self.local, self.together, self.parameters
        if not self.recorded.gather(ours, theirs) or not local.evaluate():
            return None
        certificates = local.certificates()
        if not certificates.max() <= 1 or not together.evaluate(parameters.lr):
            return None
        pairs = local.shares(together.truth[None], together.bound[None])
        if not pairs.max() <= 1 or not together.bound.max() < HARMLESS:
            return None
        if not parameters.evaluate(self._relative()) or not self._tell():
            return None
        gradients, after = parameters.side_by_side(pairs)
        if not (gradients.max() <= 1 and after.max() <= 1):
            return None
        told = parameters.told
        return AcceptedStep(
            self.layout.judged,
            self.layout.numbers,
            np.concatenate([certificates, parameters.gradients, parameters.after], axis=1),
            np.concatenate([pairs, gradients, after], axis=1),
            np.concatenate([self.recorded.distance, *parameters.apart]),
            np.concatenate([self._told, told[:2], told[2:]], axis=1),
        )

    def _relative(self) -> float:
        """The least share of |T_δ| + B_δ that B_δ is; for small networks' reports."""
        if self.recorded.large:
            return 0.0
        delta = self.layout.kinds["delta"]
        bound = self.together.bound[delta]
        reach = np.abs(self.together.truth[delta])
        reach += bound
        least = float(np.fmin.reduce(np.divide(bound, reach, out=reach)))
        return least if least > 0 else 0.0

    def _tell(self) -> bool:
        """Note what could have failed by now; False where only the plain path can say."""
        told, nothing, cut = self._told, self._nothing, self.layout.cut
        if not told.all():
            nothing[...] = True
            for block in cut.blocks:
                here, tensors = slice(block.start, block.stop), cut.tensors[block.slots]
                size = np.abs(self.local.truth[:, here])
                nothing[:, tensors] &= np.maximum.reduceat(size, block.starts, axis=1) == 0
                size -= TELLING * self.local.bound[:, here]
                found = np.maximum.reduceat(size, block.starts, axis=1)
                told[:, tensors] |= found > self.parameters.least
        parameters = self.parameters
        return bool((told | nothing).all() and (parameters.told | parameters.nothing).all())
