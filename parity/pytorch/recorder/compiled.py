"""A run of what `torch.compile` made, and the eager definition that was recorded beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from parity.pytorch.recorder.data import Backward, Call, Output, Recorded


class RegionEnd(NamedTuple):
    """A tensor that a region gives, and where it is in autograd's graph; None: it carries no gradient."""

    made: Recorded
    output: Output | None


@dataclass(frozen=True, eq=False)
class EagerDefinition:
    """The operations that the region's own Python code runs eagerly, from the same tensors.

    `passed` holds the nodes of autograd's graph that they made, with those before them as leaves;
    `outside` names what the region takes from outside: an argument, a parameter. `written` are the
    values that the code left in tensors which were there before it, by their storage's first address.
    """

    calls: tuple[Call, ...]
    passed: Backward
    ends: tuple[RegionEnd, ...]
    outside: Mapping[Output, str]
    written: tuple[Recorded, ...]


@dataclass(eq=False)
class CompiledRegion:
    """One run of a compiled function or module.

    `definition` is None where there is none, for a `reason`. `ends` and `written` are what the compiled
    code gave and left, in the order of the definition's.
    """

    name: str
    definition: EagerDefinition | None = None
    reason: str = ""
    ends: tuple[RegionEnd, ...] = ()
    written: tuple[Recorded, ...] = ()
    backend: object = None  # what torch.compile was given, or chose
    kept: list[object] = field(default_factory=list)  # autograd's leaves, which else would be made anew
