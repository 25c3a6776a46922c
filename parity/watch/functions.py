"""Functions of the user's own: their backward held to the vector-Jacobian product of a definition.

The definition of a `torch.autograd.Function` is the one that is registered for it, or else the
operations that were recorded inside of its forward, composed and differentiated by the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from parity.kernel.defined import DEFINITIONS, PlainFunction
from parity.kernel.definition import NOTHING_DIFFERENTIATED, Definition, KernelOutput
from parity.kernel.truths import Truths
from parity.pytorch.recorder.data import Application, Argument, AutogradNode, Backward, Recorded
from parity.watch.check import Check, Draw, Left


@dataclass(frozen=True)
class PassedFunction:
    """One step back through a function: its outputs' gradients, and what it sent on.

    `sent` has a gradient for each tensor that the function was given, by its place among the arguments;
    of one that is missing, zeros, and nothing where none was asked for.
    """

    name: str
    module: str
    source: str
    application: Application
    arrived: tuple[Recorded | None, ...]
    sent: Mapping[int, Recorded]

    @property
    def opaque(self) -> Left:
        """What is said of it where no definition is known."""
        return Left(self.name, "opaque", self.module, self.source)

    @property
    def definition(self) -> PlainFunction | None:
        """The registered one."""
        return DEFINITIONS.get((self.module, self.name))

    def checks(self, truths: Truths, definition: Definition, drawn: Draw) -> Iterator[Check | Left]:
        """Each gradient that it sent, against the definition's.

        Where the definition's is an exact zero, as behind a `sign`, it is not differentiable there.
        """
        for place, sent in self.sent.items():
            makes = definition.gradient(str(place))
            if makes is None or truths.nothing(makes):
                if np.any(sent.array):
                    yield self.opaque
            elif drawn(sent):
                measured = truths.measured(makes, sent.array)
                yield Check("vjp", self.name, str(place), "", self.source, measured)


def passed_function(passed: Backward, node: AutogradNode) -> PassedFunction | None:
    """A node of a function as what it took and gave; None where its arguments are not known."""
    application, custom = node.application, node.custom
    if application is None or custom is None:
        return None
    tensors = {place: one for place, one in enumerate(application.given) if isinstance(one, Recorded)}
    if len(tensors) != len(node.next):
        return None
    sent = {}
    for edge, ((place, given), gradient) in enumerate(
        zip(tensors.items(), passed.grad_in[node.id], strict=True)
    ):
        if passed.asked(node.id, edge):
            zeros = np.zeros(given.shape, given.array.dtype)
            sent[place] = gradient or Recorded.of(zeros, given.dtype)
    arrived = tuple(passed.grad_out[node.id])
    return PassedFunction(custom.name, custom.module, custom.source, application, arrived, sent)


def composed(function: PassedFunction, drawn: Draw) -> Iterator[Check | Left]:
    """Its backward against that of its own recorded forward, where the table differentiates it."""
    application = function.application
    try:
        if any(slot not in application.outputs for slot in range(len(function.arrived))):
            raise ValueError("an output that no operation inside has made")
        endings = [
            KernelOutput(_recorded(application.outputs[slot]), None, gradient)
            for slot, gradient in enumerate(function.arrived)
        ]
        given = {
            str(place): one for place, one in enumerate(application.given) if isinstance(one, Recorded)
        }
        learned = [str(place) for place in function.sent]
        definition = Definition(application.calls, NOTHING_DIFFERENTIATED, given, endings, learned)
        found = [*function.checks(Truths(definition, exactly=False), definition, drawn)]
    except (ValueError, TypeError):  # no graph of the table's operations, or a rule that is missing
        found = [function.opaque]
    yield from found


def _recorded(output: Argument) -> Recorded:
    if not isinstance(output, Recorded):
        raise TypeError("an output that is no tensor")
    return output
