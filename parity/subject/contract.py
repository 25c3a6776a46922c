"""From what a subject returned to an `Observation`: the deck's names, layout and shapes, or a complaint."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.evidence import Observation
from parity.subject.cases import Call
from reference.arrays import Array
from reference.trace import Trace, shapes, split

KEYS = ("z", "a", "loss", "delta", "dW", "db", "W", "b")
"""What `step` may return."""

ENOUGH = ("delta", "dW", "db", "W", "b")
"""Of which there must be at least one."""


def observe(
    call: Call, tensors: Mapping[str, Array], layout: str, before: Observation | None
) -> Observation:
    """`tensors` has trace names, `W1_next` for the updated W1; `layout` is "columns" or "rows".

    A tensor of another dtype is kept, for its numbers may tell why, and complained about; one of
    another shape is kept apart, where no other formula will take it for its input.
    """
    expected = shapes(call.architecture, call.given["x"].shape[1])
    dtype = np.dtype(call.architecture.dtype)
    shown, misshapen, complaints = Trace(), Trace(), {}
    for name in expected:
        if name not in tensors or name in call.given:
            continue
        tensor = tensors[name]
        if name == "loss" and tensor.ndim == 0:
            shown[name] = tensor.astype(dtype)  # a Python float, or numpy's: it has no format of its own
            continue
        found = tensor.shape
        if layout == "rows":
            tensor = _column(name, tensor)
        if tensor.shape == expected[name]:
            shown[name] = tensor
        else:
            misshapen[name] = tensor
            wanted = _row_shape(name, expected[name]) if layout == "rows" else expected[name]
            complaints[name] = f"{name} has shape {found}, not {wanted}"
        if tensor.dtype != dtype:
            complaints.setdefault(name, f"{name} is {tensor.dtype}, not {dtype}")
    return Observation(
        call.architecture,
        call.lr,
        call.given,
        shown,
        misshapen,
        complaints,
        case=call.case,
        step=call.step,
        before=before if before and before.case == call.case else None,
    )


def _column(name: str, tensor: Array) -> Array:
    """Rows of samples to the deck's columns; a bias (out,) to (out, 1)."""
    quantity, _ = split(name)
    if quantity in ("db", "b_next") and tensor.ndim == 1:
        return tensor.reshape(-1, 1)
    return tensor.T


def _row_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    quantity, _ = split(name)
    return shape[:1] if quantity in ("db", "b_next") else shape[::-1]
