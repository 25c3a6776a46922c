"""What a candidate gave, compared with the bounds of its definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from parity.bounds import Bounded
from parity.certify.measure import Measured, Values, Worst, measure
from parity.kernel.asked import Reply
from parity.kernel.bounds import Value, evaluated, whole
from parity.kernel.definition import Definition
from parity.kernel.recording import RecordedDefinition
from parity.kernel.result import Part
from parity.pytorch.recorder.snapshots import numbers
from parity.render.texts.message import Message


@dataclass(frozen=True)
class Held:
    """One tensor: what was measured, and in words what is wrong with it as a whole, if that can be said."""

    part: Part
    name: str
    measured: Measured | None = None
    complaint: Message | None = None
    wrong: bool = True


class Truths:
    """A definition's tensors with their bounds: in its own forms, and on appeal in all admitted ones.

    With `exactly` they are whole numbers without bounds; `rounds` says that the definition has none.
    """

    def __init__(self, definition: Definition, *, exactly: bool) -> None:
        self._definition = definition
        self._whole = whole(definition) if exactly else None
        self.rounds = exactly and self._whole is None
        self._plain = cache(lambda: evaluated(definition))
        self._widest = cache(self._of_all_forms)

    def _of_all_forms(self) -> Mapping[str, Value]:
        balls = "ball" if "float64" in self._definition.formats.values() else None
        return evaluated(self._definition, balls, all_forms=True)

    def measured(self, name: str, observed: Values) -> Measured:
        """The observed tensor against the definition's of this name."""
        if self._whole is not None:
            return _measured(observed, self._whole.get(name, observed))
        found = _measured(observed, self._plain()[name])
        return _measured(observed, self._widest()[name]) if found.wrong else found


def _measured(observed: Values, truth: Value) -> Measured:
    if not isinstance(truth, Bounded):
        return measure(observed, np.asarray(truth))
    with np.errstate(all="ignore"), truth.arithmetic.precision():
        found = measure(observed, truth, given=False)
    return replace(found, vacuous=found.vacuous and not _is_zero(truth), resolution=_resolution(truth))


def _is_zero(truth: Bounded) -> bool:
    """Whether a tensor is zero as far as the truth can tell, so that being zero within the bound tells.

    A bound of Σ k (u + u_truth)|terms| covers Σ k u_truth |terms|, the truth's own error: the share
    u_truth/(u + u_truth) of it. So it is with a bias whose mean is subtracted again.
    """
    own = truth.arithmetic.u_truth / truth.arithmetic.unit
    return bool(np.all(truth.magnitude() <= truth.carried * own))


def _resolution(truth: Bounded) -> float:
    """The least r for which the definition's own tensor times 1 + r would be told: min bound/|value|."""
    bound, size = np.broadcast_to(truth.carried, truth.shape), truth.magnitude()
    known = (size > 0) & np.isfinite(bound) & np.isfinite(size)
    return float(np.min(bound[known] / size[known], initial=np.inf))


def compared(reply: Reply, recording: RecordedDefinition, truths: Truths) -> Iterator[Held]:
    """Every output, then every gradient, of a candidate whose outputs have the right shapes."""
    definition, own = recording.definition, recording.reply
    for place, (name, made) in enumerate(zip(definition.names, reply.outputs, strict=True)):
        yield _held("output", str(place), made, own.outputs[place], truths, name)
    for place, (made, seed) in enumerate(zip(reply.outputs, recording.upstream, strict=True)):
        if seed is not None and not made.requires_grad:
            yield Held("output", str(place), complaint=Message("kernel_detached"))
            return
    for name, gradient in reply.gradients.items():
        expected, makes = own.gradients[name], definition.gradient(name)
        if gradient is None:
            if expected is not None and makes is not None:
                yield Held("gradient", name, complaint=Message("kernel_none"))
        elif expected is None or makes is None:
            found = measure(numbers(gradient.detach()), np.zeros(tuple(gradient.shape)))
            yield Held("gradient", name, found, wrong=found.wrong)
        else:
            yield _held("gradient", name, gradient, expected, truths, makes)


def _held(
    part: Part, name: str, found: torch.Tensor, own: torch.Tensor, truths: Truths, makes: str
) -> Held:
    observed, of_definition = numbers(found.detach()), numbers(own.detach())
    measured = truths.measured(makes, observed)
    if measured.wrong and truths.measured(makes, of_definition).wrong:
        untold = Measured(observed.size, observed.size, vacuous=False, worst=None)
        return Held(part, name, untold, Message("kernel_deviates"), wrong=False)
    if observed.dtype.kind != "f":
        return Held(part, name, measured, wrong=measured.wrong)
    strange = np.isnan(observed) & ~np.isnan(of_definition)
    if strange.any():
        index = tuple(int(i) for i in np.argwhere(strange)[0])
        nan, infinite, at = float("nan"), float("inf"), float(of_definition[index])
        measured = replace(measured, worst=Worst(index, nan, at, infinite, infinite, infinite))
        return Held(part, name, measured, Message("kernel_nan", count=int(strange.sum())))
    nothing = measured.wrong and not np.any(observed)
    return Held(part, name, measured, Message("kernel_zero") if nothing else None, wrong=measured.wrong)


def misshapen(reply: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> Held | None:
    """The first output that cannot be compared: of another shape or format, or missing."""
    if len(reply) != len(expected):
        complaint = Message("kernel_count", found=len(reply), expected=len(expected))
        return Held("output", str(min(len(reply), len(expected))), complaint=complaint)
    for place, (one, other) in enumerate(zip(reply, expected, strict=True)):
        name = f"output {place}"
        if one.shape != other.shape:
            shapes = {"found": tuple(one.shape), "expected": tuple(other.shape)}
            return Held("output", str(place), complaint=Message("shape", name=name, **shapes))
        if one.dtype != other.dtype:
            kinds = {"found": str(one.dtype)[6:], "expected": str(other.dtype)[6:]}
            return Held("output", str(place), complaint=Message("dtype", name=name, **kinds))
    return None
