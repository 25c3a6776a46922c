"""What the cases of a check reached, and what they did not: a match says no more than that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from parity.bounds.overflow import Float64s
from parity.check.branches import branches
from parity.check.cases import SubjectCall
from parity.lockstep.result import BranchReached, CasesReached
from parity.render.texts.message import Message
from reference.engine import Network
from reference.operations.activations import Activation
from reference.trace import Trace

LARGEST_EXPONENT = {"float32": 88.73, "float64": 709.79}
"""Beyond it e^z overflows."""

LARGE_GRADIENT, SMALL_GRADIENT, LARGE_WEIGHT, LARGE_TARGET = 10.0, 1e-3, 2.0, 10.0
"""Beyond the usual places where gradients are clipped, weights penalised, and targets thought to end."""


def covered(calls: Sequence[SubjectCall]) -> CasesReached:
    """What these calls reach, by the deck's own engine."""
    numbers: dict[tuple[Activation, int], int] = {}
    extremes, norms, targets = [0.0], [], []
    farthest: dict[str, float] = {}
    for call in calls:
        trace = _run(call)
        for layer, f in enumerate(call.architecture.activations, 1):
            farthest[f.name] = max(farthest.get(f.name, 0.0), float(np.abs(trace[f"z{layer}"]).max()))
            for place, branch in enumerate(branches(f)):
                numbers[f, place] = numbers.get((f, place), 0) + branch.count(trace[f"z{layer}"])
        gradients = [np.abs(t) for name, t in trace.items() if name.startswith(("dW", "db"))]
        extremes.append(max(float(g.max()) for g in gradients))
        norm = float(np.sqrt(sum(np.square(g, dtype=np.float64).sum() for g in gradients)))
        norms += [norm] if norm > 0 else []
        targets.append(call.given["y"].astype(np.float64).ravel())
    y = np.concatenate(targets) if targets else np.zeros(0)
    reached = [
        BranchReached(activation=f.name, branch=str(branches(f)[place]), numbers=count)
        for (f, place), count in numbers.items()
        if len(branches(f)) > 1
    ]
    outputs = {call.architecture.layers[-1] for call in calls}
    batches = sorted({call.given["x"].shape[1] for call in calls})
    weights = [
        float(np.abs(tensor).max())
        for call in calls
        for name, tensor in call.given.items()
        if name[0] == "W"
    ]
    facts = CasesReached(
        branches=reached,
        batches=batches,
        depths=sorted({call.architecture.depth for call in calls}),
        outputs=sorted(outputs),
        calls_in_a_row=max(Counter(call.case for call in calls).values(), default=0),
        largest_gradient=max(extremes),
        smallest_gradient_norm=min(norms, default=0.0),
        largest_weight=max(weights, default=0.0),
        targets=(float(y.min()), float(y.max())) if y.size else (0.0, 0.0),
        not_reached=[],
    )
    missing = [
        Message("reach_branch", activation=row.activation, branch=row.branch)
        for row in reached
        if row.numbers == 0
    ]
    single = bool(calls) and calls[0].architecture.dtype == np.float32
    largest = LARGEST_EXPONENT["float32" if single else "float64"]
    missing += [Message("reach_overflow", activation=f) for f, z in farthest.items() if not z > largest]
    missing += _not_reached(facts, y)
    return facts.model_copy(update={"not_reached": missing})


def _not_reached(reached: CasesReached, y: Float64s) -> list[Message]:
    """What no case reached, besides branches."""
    holds = {
        Message("reach_one_sample"): 1 in reached.batches,
        Message("reach_samples"): max(reached.batches, default=0) > 1,
        Message("reach_many_samples"): max(reached.batches, default=0) > 32,
        Message("reach_one_output"): 1 in reached.outputs,
        Message("reach_outputs"): max(reached.outputs, default=0) > 1,
        Message("reach_layers"): max(reached.depths, default=0) > 1,
        Message("reach_calls"): reached.calls_in_a_row >= 10,
        Message("reach_large_gradient"): reached.largest_gradient > LARGE_GRADIENT,
        Message("reach_small_gradient"): reached.smallest_gradient_norm < SMALL_GRADIENT,
        Message("reach_large_weight"): reached.largest_weight > LARGE_WEIGHT,
        Message("reach_negative"): bool((y < 0).any()),
        Message("reach_large_target"): bool((y > LARGE_TARGET).any()),
        Message("reach_fractions"): bool((y != np.round(y)).any()),
    }
    return [place for place, found in holds.items() if not found]


def _run(call: SubjectCall) -> Trace:
    given = call.given
    network = Network(call.architecture, {n: given[n] for n in call.architecture.parameter_shapes()})
    with np.errstate(all="ignore"):
        return network.step(given["x"], given["y"], call.lr)
