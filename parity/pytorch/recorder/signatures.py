"""What an operation's schema says of its arguments: their names, and which it writes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch

# Running statistics are written without a mark in the schema, and without a new version of the tensor.
UNMARKED = {
    "aten.native_batch_norm.default": ("running_mean", "running_var"),
    "aten.native_batch_norm.out": ("running_mean", "running_var"),
    "aten.cudnn_batch_norm.default": ("running_mean", "running_var"),
    "aten.miopen_batch_norm.default": ("running_mean", "running_var"),
}

LONG = 4  # the one format that schemas have as a default


@dataclass(frozen=True)
class Signature:
    """The names of an operation's arguments in order, and of those that it writes to."""

    names: tuple[str, ...]
    written: tuple[str, ...]
    defaults: Mapping[str, object]

    def named(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """Every argument by name, in the schema's order; its default where it was not given."""
        given = dict(zip(self.names, args, strict=False)) | dict(kwargs)
        return {name: given.get(name, self.defaults.get(name)) for name in self.names}


@cache
def signature(operation: torch._ops.OpOverload) -> Signature:
    """The signature of an operation.

    An operation outside ATen whose name ends in "_" and whose schema marks nothing, as those of
    torch.distributed, is taken to write to all its tensors.
    """
    arguments = operation._schema.arguments
    marked = tuple(a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write)
    name = str(operation)
    foreign = not name.startswith("aten.") and name.split(".")[1].endswith("_")
    if not marked and foreign:
        marked = tuple(a.name for a in arguments if "Tensor" in str(a.type))
    defaults = {a.name: _default(a) for a in arguments if a.has_default_value()}
    return Signature(tuple(a.name for a in arguments), (*marked, *UNMARKED.get(name, ())), defaults)


def _default(argument: torch.Argument) -> object:
    """The default of an argument: of a format, what its number stands for."""
    value: object = argument.default_value
    return torch.int64 if argument.name == "dtype" and value == LONG else value


def tensors(value: object) -> Iterator[torch.Tensor]:
    """The tensors in an argument or a result, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors(part)
