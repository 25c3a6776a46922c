"""Where the tensors of a step stand in flat buffers, so that all are compared in a few calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.certify.certificate import Certifier
from parity.certify.cross_check import starts
from parity.certify.plan.node import Values
from parity.certify.plan.tape import UnplannableError
from reference.arrays import Array
from reference.trace import Trace


@dataclass(frozen=True)
class Slot:
    """A tensor's place in a flat buffer, and its axes in the order of their strides, largest first."""

    start: int
    stop: int
    shape: tuple[int, ...]
    order: tuple[int, ...]

    def view(self, flat: Values) -> Values:
        """The tensor in the last axis of a buffer, as a view."""
        part, lead = flat[..., self.start : self.stop], flat.ndim - 1
        turned = part.reshape((*part.shape[:-1], *(self.shape[axis] for axis in self.order)))
        back = np.argsort(self.order) + lead
        return turned.transpose((*range(lead), *back))


def strides_order(array: Values) -> tuple[int, ...]:
    """The axes of an array in the order of their strides, largest first."""
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))


class StepLayout:
    """The slots of one architecture and batch size.

    `judged` are the tensors that equations make, end to end; `names` also those that a step starts from,
    each side's own; `given` are the inputs that all sides share.
    """

    def __init__(self, certifier: Certifier, trace: Trace, batch: int) -> None:
        """Lay out the tensors of a trace. Raises UnplannableError if one of them is not of floats."""
        self.judged = [equation.makes for equation in certifier.equations]
        example = certifier.architecture.example(batch)
        own = [name for name in starts(certifier.equations) if name not in example]
        self.given = [name for name in starts(certifier.equations) if name in example]
        self.names = [*self.judged, *own]
        self.dtype = np.dtype(certifier.architecture.dtype)
        if any(trace[name].dtype != self.dtype for name in (*self.names, *self.given)):
            raise UnplannableError("a tensor that is not of floats of the network's format")
        self.slots: dict[str, Slot] = {}
        start = 0
        for name in self.names:
            tensor = trace[name]
            self.slots[name] = Slot(start, start + tensor.size, tensor.shape, strides_order(tensor))
            start += tensor.size
        self.size, self.total = self.slots[self.judged[-1]].stop, start
        self.starts = np.array([self.slots[name].start for name in self.judged])
        self.shapes = {name: tensor.shape for name, tensor in trace.items()}

    def fits(self, trace: Trace) -> bool:
        """Whether a trace holds exactly these tensors, of these shapes and this dtype."""
        if trace.keys() != self.shapes.keys():
            return False
        dtype = self.dtype
        return all(
            tensor.shape == shape and tensor.dtype == dtype
            for tensor, shape in zip(map(trace.__getitem__, self.shapes), self.shapes.values(), strict=True)
        )

    def both(self, name: str, sides: Sequence[Trace]) -> Values:
        """Both sides' tensor in float64, in the slot's order of axes."""
        slot = self.slots[name]
        flat = np.empty((2, slot.stop - slot.start))
        alone = Slot(0, flat.shape[1], slot.shape, slot.order)
        for part, trace in zip(flat, sides, strict=True):
            np.copyto(alone.view(part), trace[name])
        return alone.view(flat)

    def shared(self, name: str, trace: Trace) -> Array:
        """A given tensor in float64."""
        return trace[name].astype(np.float64)
