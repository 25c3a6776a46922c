"""One of PyTorch's operations, run again by its recorded name and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from parity.errors import EnvironmentUnfit
from parity.pytorch.aten import entry
from parity.pytorch.recorder.data import Argument, Call, Recorded
from parity.pytorch.recorder.snapshots import numbers
from parity.render.texts.message import Message

KINDS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}
"""Arguments that a recording has by the name of one of PyTorch's own objects."""


def run_again(name: str, arguments: Mapping[str, object]) -> tuple[object, ...]:
    """The results of "aten.addmm.default" of its arguments by name; tensors are tensors.

    Only operations of the table are run. Raises EnvironmentUnfit for one that this PyTorch does not have.
    """
    operation = operation_of(name)
    positional, named = [], {}
    for argument in operation._schema.arguments:
        if argument.name not in arguments:
            continue
        value = own_argument(argument.name, arguments[argument.name])
        if argument.kwarg_only:
            named[argument.name] = value
        else:
            positional.append(value)
    found = operation(*positional, **named)
    return tuple(found) if isinstance(found, tuple | list) else (found,)


def operation_of(name: str) -> torch._ops.OpOverload:
    """PyTorch's operation of this name, if the table has it. Raises EnvironmentUnfit as `run_again`."""
    space, _, rest = name.partition(".")
    base, _, overload = rest.partition(".")
    found: object = None
    if space == "aten" and entry(name) is not None:
        found = getattr(getattr(torch.ops.aten, base, None), overload, None)
    if not isinstance(found, torch._ops.OpOverload):
        raise EnvironmentUnfit(Message("torch_no_operation", name=name[:80], torch=torch.__version__))
    return found


def own_argument(name: str, value: object) -> object:
    """PyTorch's own object that a recorded argument names; any other as it is."""
    if isinstance(value, tuple | list):
        return [own_argument(name, part) for part in value]
    if not isinstance(value, str):
        return value
    if name == "generator":
        return None
    if name == "device":
        return torch.device("cpu")
    if name in KINDS:
        found = getattr(torch, value, None)
        return found if isinstance(found, KINDS[name]) else value
    return value


def call_again(call: Call) -> Call:
    """A recorded call with the results that this PyTorch has of the recorded arguments.

    Raises EnvironmentUnfit as `run_again` does, RuntimeError and what else PyTorch raises.
    """
    arguments = {name: _argument(value) for name, value in call.arguments.items()}
    with torch.no_grad():
        found = run_again(call.operation, arguments)
    written = {name: _recorded(arguments[name]) for name in call.written}
    return replace(call, results=tuple(map(_recorded, found)), written=written)


def can_run_again(call: Call) -> bool:
    """Whether a call is of the table, and none that draws at random, or that ran compiled."""
    found = None if call.compiled else entry(call.operation)
    return found is not None and not found.operation.given


def _argument(value: Argument) -> object:
    if isinstance(value, tuple):
        return tuple(_argument(part) for part in value)
    return tensor_of(value) if isinstance(value, Recorded) else value


def tensor_of(recorded: Recorded) -> torch.Tensor:
    """A tensor of its own memory, laid out as the recorded one was."""
    dtype = getattr(torch, recorded.dtype)
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in recorded.strides)
    values = torch.from_numpy(np.array(recorded.array[once])).to(dtype)
    if 0 in recorded.strides:
        return values.expand(recorded.shape)
    reach = 1 + sum((n - 1) * s for n, s in zip(recorded.shape, recorded.strides, strict=True))
    if values.numel() == 0 or reach < values.numel():  # it shows some number more than once
        return values
    return torch.empty_strided(recorded.shape, recorded.strides, dtype=dtype).copy_(values)


def _recorded(found: object) -> Argument:
    if isinstance(found, torch.Tensor):
        name = str(found.dtype).removeprefix("torch.")
        return Recorded.of(np.array(numbers(found)), name)
    if isinstance(found, tuple | list):
        return tuple(map(_recorded, found))
    if found is None or isinstance(found, bool | int | float | complex | str):
        return found
    raise TypeError(f"{type(found).__name__} among the results")
