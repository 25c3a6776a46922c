"""What watching says of one operation: a tensor held to its formula, or that nothing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from parity.certify.measure import Measured
from parity.errors import quoted
from parity.pytorch.aten import UnsupportedError
from parity.pytorch.recorder.data import Recorded
from parity.render.texts.message import Message
from reference.formula import Formula
from reference.operation import UnreadArgumentError
from reference.optimizers import Rule

Kind: TypeAlias = Literal["forward", "vjp", "sum", "grad", "update"]
Reason: TypeAlias = Literal["opaque", "unsupported", "altered", "failed"]

Draw: TypeAlias = Callable[[Recorded], bool]


class Mistaken(NamedTuple):
    """A mistake that explains what was seen: its name, and what was seen, as a message."""

    mistake: str
    detail: str


class Hint(NamedTuple):
    """What is no mismatch and may be a mistake: its name, what was seen, as a message, and where."""

    mistake: str
    detail: str
    source: str


@dataclass(frozen=True)
class Check:
    """One tensor that was held to its formula, and where in the program it is."""

    kind: Kind
    operation: str
    operand: str
    module: str
    source: str
    measured: Measured
    formula: Formula | Rule | None = None
    torch: str = ""
    rank: int | None = None  # of what only all ranks together can say
    mistake: Mistaken | None = None


@dataclass(frozen=True)
class Left:
    """What is not certified, and why."""

    operation: str
    kind: Reason
    module: str
    source: str


def guarded(
    found: Iterator[Check | Left], operation: str, module: str, source: str
) -> Iterator[Check | Left]:
    """What was found. What a formula refuses is unsupported; a failure of any other kind is our fault."""
    try:
        yield from found
    except UnsupportedError:
        yield Left(operation, "unsupported", module, source)
    except UnreadArgumentError as error:
        why = Message("op_because", operation=operation, reason=error)
        yield Left(why, "unsupported", module, source)
    except Exception as error:  # the program that is watched must not end of it
        yield failed(error, operation, module, source)


def failed(error: Exception, operation: str, module: str = "", source: str = "") -> Left:
    """A failure of our own, as what it leaves uncertified."""
    said = quoted(f"{type(error).__name__}: {error}", 200)
    what = Message("op_because", operation=operation, reason=said)
    return Left(what, "failed", module, source)


Found: TypeAlias = Sequence[Check | Left]
"""What was found of one operation, or of one step back through one."""


def short(operation: str) -> str:
    """`addmm` of "aten.addmm.default"."""
    return operation.split(".")[1] if operation.count(".") > 1 else operation
