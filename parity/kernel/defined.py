"""Definitions of functions whose own backward cannot be looked into, registered by their class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from parity.errors import UsageError
from parity.render.texts.message import Message

PlainFunction: TypeAlias = "Callable[..., object]"
F = TypeVar("F", bound=PlainFunction)

DEFINITIONS: dict[tuple[str, str], PlainFunction] = {}
"""By the module and the qualified name of a `torch.autograd.Function`."""


def defines(function: type) -> Callable[[F], F]:
    """Register the function below as the definition of a `torch.autograd.Function`.

    It takes what the function's `apply` takes. Raises UsageError for what is no such class.
    """
    if not isinstance(function, type) or not callable(getattr(function, "apply", None)):
        raise UsageError(Message("defines_class"))

    def register(definition: F) -> F:
        DEFINITIONS[function.__module__, function.__qualname__] = definition
        return definition

    return register
