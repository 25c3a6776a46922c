"""What a copy of a model would lose, and what its modules do not show: refused, by name.

The mirror watches and trains a copy, so that the model itself stays as it is. A copy has no hooks on
parameters and shares no storage; a forward that was put on an instance still runs the original's.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch.nn.modules import module as hooks_of_all

from parity.errors import UsageError
from parity.render.texts.message import Message

PARAMETER_HOOKS = {
    "_backward_hooks": "register_hook",
    "_post_accumulate_grad_hooks": "register_post_accumulate_grad_hook",
}
GLOBAL_HOOKS = (
    "_global_forward_pre_hooks",
    "_global_forward_hooks",
    "_global_backward_pre_hooks",
    "_global_backward_hooks",
)


def as_it_is(model: torch.nn.Module) -> None:
    """Raises UsageError where the model does something that its modules do not show."""
    if any(getattr(hooks_of_all, hooks, None) for hooks in GLOBAL_HOOKS):
        raise UsageError(Message("model_global_hooks"))
    for name, part in model.named_modules():
        _module(name, part)
    for name, parameter in model.named_parameters():
        for hooks, said in PARAMETER_HOOKS.items():
            if getattr(parameter, hooks, None):
                raise UsageError(Message("model_hook", name=name, hook=said))
    for (name, one), (other, two) in combinations(_storages(model).items(), 2):
        if one[0] == two[0] and max(one[1], two[1]) < min(one[2], two[2]):
            raise UsageError(Message("model_shared", name=name, other=other))


def _module(name: str, part: torch.nn.Module) -> None:
    path, kind = f"model: {name or 'it'}", type(part).__name__
    if hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None):
        raise UsageError(Message("model_compiled", path=path))
    if isinstance(part, torch.jit.ScriptModule):
        raise UsageError(Message("model_scripted", path=path))
    if "forward" in vars(part):
        raise UsageError(Message("model_forward", path=path, kind=kind))


def _storages(model: torch.nn.Module) -> dict[str, tuple[int, int, int]]:
    """By parameter: its storage, where in it it begins, and where it ends."""
    found: dict[str, tuple[int, int, int]] = {}
    for name, parameter in model.named_parameters():
        if isinstance(parameter, torch.nn.UninitializedParameter) or not parameter.numel():
            continue
        steps = zip(parameter.shape, parameter.stride(), strict=True)
        reach = 1 + sum((size - 1) * stride for size, stride in steps)
        begin = int(parameter.storage_offset())
        found[name] = (parameter.untyped_storage().data_ptr(), begin, begin + reach)
    return found
