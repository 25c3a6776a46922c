"""Asking a function for its outputs and its gradients, once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MethodType
from typing import TypeAlias, cast

import torch

from parity.errors import UsageError, quoted
from parity.render.texts.message import Message

Function: TypeAlias = "Callable[..., object]"
Tensors: TypeAlias = "tuple[torch.Tensor, ...]"


class RefusedError(Exception):
    """The function raised, or gave what is no tensor; the text says what."""


@dataclass(frozen=True)
class Reply:
    """What a function gave: its outputs, and by name the gradients of what is learned."""

    outputs: Tensors
    gradients: Mapping[str, torch.Tensor | None]


def outputs_of(function: Function, inputs: Sequence[object]) -> Tensors:
    """The function's outputs. Raises RefusedError."""
    with refusing("raised"):
        found = function(*inputs)
        made = (found,) if isinstance(found, torch.Tensor) else found
        if not isinstance(made, tuple | list):
            raise RefusedError(Message("gave_kind", kind=type(made).__name__))
        for one in made:
            if not isinstance(one, torch.Tensor):
                raise RefusedError(Message("output_kind", kind=type(one).__name__))
        return tuple(made)


def gradients_of(
    outputs: Tensors, upstream: Sequence[torch.Tensor | None], learned: Mapping[str, torch.Tensor]
) -> Reply:
    """The gradients of what is learned, for these upstream gradients. Raises RefusedError."""
    pairs = [
        (one, given)
        for one, given in zip(outputs, upstream, strict=True)
        if one.requires_grad and given is not None
    ]
    if not pairs or not learned:
        return Reply(outputs, dict.fromkeys(learned))
    with refusing("backward_raised"):
        made, given = zip(*pairs, strict=True)
        found = torch.autograd.grad(made, tuple(learned.values()), given, allow_unused=True)
    return Reply(outputs, dict(zip(learned, found, strict=True)))


@contextmanager
def refusing(key: str) -> Iterator[None]:
    """What is raised inside, as a RefusedError with the message of this key."""
    try:
        yield
    except (RefusedError, UsageError):
        raise
    except Exception as error:
        said = quoted(error)
        raise RefusedError(Message(key, kind=type(error).__name__, reason=said)) from error


def owner(function: Function) -> torch.nn.Module | None:
    """The module that a function is, or is a method of."""
    inside = function.__self__ if isinstance(function, MethodType) else function
    return inside if isinstance(inside, torch.nn.Module) else None


def parameters(function: Function) -> dict[str, torch.nn.Parameter]:
    """The parameters of a module by name, without what `torch.compile` puts before it."""
    module = owner(function)
    if module is None:
        return {}
    named = module.named_parameters()
    return {name.removeprefix("_orig_mod."): one for name, one in named if one.requires_grad}


def paired(candidate: Function, definition: Function) -> dict[str, torch.nn.Parameter]:
    """The candidate's parameters that stand for the definition's: its own, or the definition's themselves.

    Raises UsageError for a module with other parameters, or with other values in them.
    """
    theirs, ours = parameters(definition), parameters(candidate)
    if owner(candidate) is None or not ours:
        return theirs
    if ours.keys() != theirs.keys():
        apart = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise UsageError(Message("kernel_parameter", name=apart))
    for name, one in ours.items():
        if one is not theirs[name] and not torch.equal(one, theirs[name]):
            raise UsageError(Message("kernel_differ", name=name))
    return ours


@contextmanager
def unchanged(*functions: Function) -> Iterator[None]:
    """Put back what running changes in modules (statistics), and the state of random numbers."""
    modules = [module for module in map(owner, functions) if module is not None]
    states = [copy.deepcopy(module.state_dict()) for module in modules]
    try:
        with torch.random.fork_rng():
            yield
    finally:
        for module, state in zip(modules, states, strict=True):
            module.load_state_dict(cast("dict[str, object]", state))


def moved(inputs: Sequence[object], functions: Sequence[Function], device: str) -> tuple[object, ...]:
    """The inputs on a device; modules among the functions are moved there too."""
    for module in filter(None, map(owner, functions)):
        module.to(device)
    return tuple(one.to(device) if isinstance(one, torch.Tensor) else one for one in inputs)


def as_function(found: object, what: str) -> Function:
    """Something that can be called. Raises UsageError."""
    if not callable(found):
        raise UsageError(Message("kernel_no_function", what=what, kind=type(found).__name__))
    return found


def as_inputs(found: object, spec: str) -> tuple[object, ...]:
    """The inputs that a name stands for: a tensor, several, or a function that returns them.

    Raises UsageError for what is none, and for what the function raises.
    """
    if callable(found) and not isinstance(found, torch.Tensor):
        try:
            found = found()
        except Exception as error:
            said = quoted(error)
            raise UsageError(
                Message("inputs_raised", spec=spec, kind=type(error).__name__, reason=said)
            ) from None
    if isinstance(found, torch.Tensor):
        return (found,)
    if not isinstance(found, tuple | list):
        raise UsageError(Message("inputs_kind", spec=spec, kind=type(found).__name__))
    return tuple(found)
