"""From raw answers to observations: the deck's layout, the right shapes and dtypes, or a complaint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.certify.observation import Observation
from parity.check.cases import SubjectCall
from parity.check.implementations import Answers
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.equations import shapes
from reference.trace import Trace, split

JUDGED = ("delta", "dW", "db", "W_next", "b_next")
"""At least one of these must be there: without them there is nothing of backpropagation to judge."""


def observations(calls: Sequence[SubjectCall], answers: Answers) -> list[Observation]:
    """One for each call that was answered. What cannot be used is entered into `answers.failures`."""
    found: list[Observation] = []
    for number, call in enumerate(calls):
        if number not in answers.tensors:
            continue
        tensors = {name: _column(name, t, answers.layout) for name, t in answers.tensors[number].items()}
        unusable = _unusable(tensors, call)
        if unusable:
            answers.failures[number] = unusable
            continue
        before = found[-1] if found and found[-1].case == call.case else None
        found.append(_observation(call, tensors, before))
    return found


def _observation(call: SubjectCall, tensors: dict[str, Array], before: Observation | None) -> Observation:
    expected = shapes(call.architecture, call.given["x"].shape[1])
    dtype = np.dtype(call.architecture.dtype)
    shown, misshapen, complaints = Trace(), Trace(), {}
    for name, tensor in tensors.items():
        if name in call.given:
            continue
        cast = tensor.astype(dtype)
        if tensor.shape != expected[name]:
            misshapen[name] = cast
            complaints[name] = Message("shape", name=name, found=tensor.shape, expected=expected[name])
        else:
            shown[name] = cast
    found = Observation(
        call.architecture, call.lr, call.given, shown, misshapen, complaints, call.case, call.step, before
    )
    kinds = {name: tensor.dtype for name, tensor in tensors.items()}
    # A loss may be a plain Python float, which is a float64 whatever the network's format.
    foreign = [
        name
        for name in shown
        if kinds[name] != dtype and not (name == "loss" and kinds[name] == np.float64)
    ]
    for name in foreign:
        if not any(source in kinds and kinds[source] == kinds[name] for source in found.sources(name)):
            complaints[name] = Message("dtype", name=name, found=kinds[name], expected=dtype)
    return found


def _unusable(tensors: dict[str, Array], call: SubjectCall) -> Message | None:
    """Why an answer cannot be judged at all."""
    expected = shapes(call.architecture, call.given["x"].shape[1])
    for name, tensor in tensors.items():
        if name not in expected:
            return Message("no_name", name=repr(name), depth=call.architecture.depth)
        if name in call.given and tensor.tobytes() != call.given[name].tobytes():
            return Message("changed", name=name)
    quantities = {split(name)[0] for name in tensors}
    if not quantities & set(JUDGED):
        return Message("nothing_judged")
    for quantity in sorted(quantities - {"loss", "x", "y"}):
        layers = {split(name)[1] for name in tensors if split(name)[0] == quantity}
        if len(layers) < call.architecture.depth and quantity not in ("s", "W", "b"):
            return Message("some_layers", name=quantity, shown=len(layers), depth=call.architecture.depth)
    return None


def _column(name: str, tensor: Array, layout: str) -> Array:
    """A tensor of a subject that works in rows, as the deck has it; a loss is a number, however wrapped."""
    if name == "loss" and tensor.size == 1:
        return tensor.reshape(())
    if layout != "rows" or name == "loss":
        return tensor
    if tensor.ndim == 1 and name.removesuffix("_next").rstrip("0123456789") in ("b", "db"):
        return tensor.reshape(-1, 1)
    if tensor.ndim == 1:
        return tensor
    return np.ascontiguousarray(tensor.T)
