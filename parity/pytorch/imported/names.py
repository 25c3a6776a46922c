"""Which module of `torch.nn` is which entry of the reference: read off the entries' own `source`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

import torch
from pydantic import JsonValue

from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss

INERT = ("Identity", "Flatten")
"""Modules that change no number; whether a Flatten leaves a sample a row is seen at the next Linear."""

DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
"""Modules that change no number in eval mode."""

SAME_AS: dict[tuple[str, object], object] = {("dim", -1): 1}
"""Options that say the same of a (batch, features) tensor in two ways."""


class TableEntry(Protocol):
    """A row of the reference's tables."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...


E = TypeVar("E", bound=TableEntry)


def class_name(module: torch.nn.Module) -> str | None:
    """`torch.nn`'s name of a module's class; None for anybody else's, also for one derived from one."""
    name = type(module).__name__
    return name if getattr(torch.nn, name, None) is type(module) else None


def activation_of(module: torch.nn.Module) -> tuple[Activation, JsonValue] | None:
    """The activation that a module is, and how a config names it; None where it is none.

    Entries that share a class are told apart by what they tell PyTorch (`torch_options`).
    """
    found = _entry(module, ACTIVATIONS.values())
    if found is None:
        return None
    options = {option: float(getattr(module, option)) for option in found.options}
    if not options:
        return found, found.name
    return found.configured(**options), {"name": found.name, **options}


def loss_of(module: torch.nn.Module) -> dict[str, JsonValue] | None:
    """A loss module as a config's table; None where there is none like it."""
    found = _entry(module, LOSSES.values())
    if found is None:
        return None
    table: dict[str, JsonValue] = {
        "name": found.name,
        "reduction": str(getattr(module, "reduction", "mean")),
    }
    for option in found.options:
        if not hasattr(module, option):
            return None  # it is no property of the module: PyTorch is told with every call
        value = getattr(module, option)
        if isinstance(value, torch.Tensor):
            value = [float(number) for number in value.detach().flatten()]
        if value is not None:  # a config says nothing where PyTorch says None
            table[option] = value if isinstance(value, bool | list) else float(value)
    return table


def known_activations() -> list[str]:
    """The classes of `torch.nn` that are activations of the reference."""
    return sorted({entry.source.rpartition(".")[2] for entry in ACTIVATIONS.values()})


def known_losses() -> list[str]:
    """The classes of `torch.nn` that are losses of the reference."""
    entries: Iterable[Loss] = LOSSES.values()
    return sorted({entry.source.rpartition(".")[2] for entry in entries})


def _entry(module: torch.nn.Module, entries: Iterable[E]) -> E | None:
    """The entry of this class that tells PyTorch most of what the module has been told."""
    name = class_name(module)
    found = [entry for entry in entries if name and entry.source == f"torch.nn.{name}"]
    fitting = [entry for entry in found if _says(module, entry)]
    return max(fitting, key=lambda entry: len(_told(entry)), default=None)


def _told(entry: TableEntry) -> Mapping[str, int | str]:
    options: Mapping[str, int | str] = getattr(entry, "torch_options", {})
    return options


def _says(module: torch.nn.Module, entry: TableEntry) -> bool:
    """Whether a module has been told what the entry would tell it."""
    for option, expected in _told(entry).items():
        value = getattr(module, option, None)
        if SAME_AS.get((option, value), value) != expected:
            return False
    return True
