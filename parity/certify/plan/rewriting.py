"""Expressions that are equal to simpler ones, bit for bit on numbers that the guards let through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parity.certify.plan.node import Making, TapeNode, numbers_are

if TYPE_CHECKING:
    from parity.certify.plan.tape import CallTape

WIDE = np.dtype(np.float64)


def rewritten(
    tape: CallTape, kind: Making, name: str, operands: tuple[TapeNode, ...], options: dict[str, Any]
) -> TapeNode | None:
    """A node that is equal to this call, or None if nothing simpler is known.

    x + 0, 1 x, x @ 0 of finite x, |x| of x ≥ 0, |−x|, −(−x), casts to the same dtype, and functions of
    views and reshaped copies, which become those of the function's result, so that |Wᵀ| shares the buffer
    of |W|.
    """
    if kind is Making.CAST:
        return _cast(tape, operands[0], options["dtype"])
    if kind is Making.UFUNC and len(operands) == 1:
        return _unary(tape, name, operands[0])
    if kind is Making.UFUNC and name in ("add", "multiply"):
        neutral = 0.0 if name == "add" else 1.0
        for one, other in (operands, operands[::-1]):
            if numbers_are(one, neutral) and _keeps(one, other):
                return other
    if kind is Making.UFUNC and name == "matmul" and any(numbers_are(part, 0.0) for part in operands):
        x, y = (part.value for part in operands)
        like = np.matmul(np.broadcast_to(0.0, x.shape), np.broadcast_to(0.0, y.shape))
        return tape.constant(like[0] if any(part.stacked for part in operands) else like)
    return None


def _keeps(neutral: TapeNode, other: TapeNode) -> bool:
    """Whether an operation with a neutral constant keeps the other operand's shape and dtype."""
    if other.kind is Making.CONSTANT or np.result_type(neutral.value, other.value) != other.value.dtype:
        return False
    return np.broadcast_shapes(neutral.shape, other.shape) == other.shape


def _cast(tape: CallTape, x: TapeNode, dtype: np.dtype[Any]) -> TapeNode | None:
    if x.value.dtype == dtype:
        return x
    narrower = x.operands[0] if x.kind is Making.CAST else None
    if narrower is not None and narrower.value.dtype == dtype and _widens(narrower, x):
        return narrower
    if "view" in x.options:
        return _view_of(tape, x, _cast_node(tape, x.operands[0], dtype))
    if x.name in ("absolute", "negative") and dtype == WIDE and x.value.dtype == np.longdouble:
        function = np.absolute if x.name == "absolute" else np.negative
        lowered = _cast_node(tape, x.operands[0], dtype)  # rounding is symmetric
        return tape.made(Making.UFUNC, x.name, function, (lowered,))
    return None


def _widens(narrow: TapeNode, wide: TapeNode) -> bool:
    return bool(np.can_cast(narrow.value.dtype, wide.value.dtype, "safe"))


def _cast_node(tape: CallTape, x: TapeNode, dtype: np.dtype[Any]) -> TapeNode:
    return tape.made(Making.CAST, "cast", lambda array: array.astype(dtype), (x,), dtype.str, dtype=dtype)


def _unary(tape: CallTape, name: str, x: TapeNode) -> TapeNode | None:
    if name == "absolute" and x.nonnegative and x.kind is not Making.CONSTANT:
        return x
    if name == "absolute" and x.name == "negative":
        return tape.made(Making.UFUNC, "absolute", np.absolute, x.operands)
    if name == "negative" and x.name == "negative":
        return x.operands[0]
    if name in ("absolute", "negative") and "view" in x.options:
        function = np.absolute if name == "absolute" else np.negative
        return _view_of(tape, x, tape.made(Making.UFUNC, name, function, (x.operands[0],)))
    return None


def _view_of(tape: CallTape, view: TapeNode, base: TapeNode) -> TapeNode:
    """The same view, or reshaped copy, of another array of the same shape."""
    assert view.function is not None
    return tape.made(view.kind, view.name, view.function, (base,), view.options["view"], **view.options)
