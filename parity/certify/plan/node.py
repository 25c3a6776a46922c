"""Nodes of a recorded computation: one array each, and the call that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[Any]


class Making(Enum):
    """How a node's array comes about."""

    CONSTANT = "constant"  # known when recorded
    INPUT = "input"  # written by the caller before every replay
    VIEW = "view"  # a view of its operand's buffer, taken once
    UFUNC = "ufunc"  # one call of a numpy ufunc, number by number or a matrix product
    REDUCE = "reduce"  # one call of a ufunc's reduce
    CAST = "cast"  # a copy in another dtype
    WHERE = "where"  # numpy.where
    CALL = "call"  # any other function, whose result is copied


@dataclass(eq=False, repr=False, slots=True)
class TapeNode:
    """One array: its kind, the function that makes it from `operands`, and its value when recorded.

    Of a `stacked` node, `value` has a leading axis of 2 for the two sides, which the recorded computation
    does not see. `options` are the keywords of a reduction. `nonnegative` is known from the functions. A
    `number` is one that stands for a Python number: it is combined with others as Python does it.
    """

    kind: Making
    name: str
    function: Callable[..., Any] | None
    operands: tuple[TapeNode, ...]
    value: Values
    stacked: bool = False
    nonnegative: bool = False
    number: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the recorded computation sees."""
        return self.value.shape[1:] if self.stacked else self.value.shape

    @property
    def owner(self) -> TapeNode:
        """The node whose buffer this one's array lies in: itself, unless it is a view."""
        node = self
        while node.kind is Making.VIEW:
            node = node.operands[0]
        return node


def numbers_are(node: TapeNode, number: float) -> bool:
    """Whether a node is a constant, all of whose numbers are this one."""
    return (
        node.kind is Making.CONSTANT
        and node.value.dtype.kind == "f"
        and node.value.size > 0
        and bool(np.all(node.value == number))
    )


_NONNEGATIVE = {"absolute", "exp", "cosh", "square", "sqrt"}
_KEEPS_NONNEGATIVE = {
    "add", "multiply", "divide", "maximum", "minimum", "fmax", "fmin", "matmul", "add.reduce",
    "maximum.reduce", "reciprocal", "where",
}  # fmt: skip


def is_nonnegative(name: str, operands: tuple[TapeNode, ...]) -> bool:
    """Whether a function's result is known to be nonnegative, or NaN."""
    known = operands[1:] if name == "where" else operands
    return name in _NONNEGATIVE or (name in _KEEPS_NONNEGATIVE and all(part.nonnegative for part in known))
