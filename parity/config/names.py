"""Looks up activations, losses and optimizers, given by name or as a table with PyTorch's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from parity.errors import UsageError
from parity.render.texts.message import Message, unknown
from reference.clipping import CLIPPINGS, Clipping
from reference.initialisers import INITIALISERS, Initialiser
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss, Option
from reference.optimizers import OPTIMIZERS, Optimizer

Value: TypeAlias = str | bool | float | list[float | None] | None
Named: TypeAlias = str | dict[str, Value]
"""A name, or a table {name = "…", option = …} with PyTorch's names."""


def activations(named: Named | Sequence[Named], depth: int) -> tuple[Activation, ...]:
    """The activation of each layer, from one setting per layer or one for all.

    Raises UsageError for an unknown name or option.
    """
    names = [named] * depth if isinstance(named, str | dict) else list(named)
    if len(names) != depth:
        raise UsageError(Message("activation_count", given=len(names), depth=depth))
    return tuple(_activation(name) for name in names)


def _activation(named: Named) -> Activation:
    name, options = _split("activation", named, ACTIVATIONS)
    entry = ACTIVATIONS[name]
    for option in [option for option in options if isinstance(entry.torch_options.get(option), str)]:
        entry = _variant(entry, option, options.pop(option))
    numbers = {option: _number("activation", name, option, value) for option, value in options.items()}
    with _as_usage("activation"):
        return entry.configured(**numbers)


def _variant(entry: Activation, option: str, value: Value) -> Activation:
    """The activation for a textual option of a PyTorch class: GELU's two formulas are two rows here."""
    kin = [f for f in ACTIVATIONS.values() if f.source == entry.source]
    found = {f.torch_options[option]: f for f in kin}
    if value not in found:
        raise UsageError(
            Message(
                "option_either",
                what="activation",
                name=entry.name,
                option=option,
                known=", ".join(map(repr, found)),
            )
        )
    return found[value]  # type: ignore[index] # checked above


@dataclass(frozen=True)
class Training:
    """The named parts of `[training]`: loss, reduction, optimizer, clipping."""

    loss: Loss
    reduction: str
    optimizer: Optimizer
    clipping: Clipping | None


def training(loss: Named, optimizer: Named, clip: Named | None) -> Training:
    """Look up the parts of `[training]`. Raises UsageError for an unknown name or option."""
    return Training(*loss_of(loss), optimizer_of(optimizer), clipping_of(clip))


def loss_of(named: Named) -> tuple[Loss, str]:
    """A loss and its reduction. Raises UsageError for an unknown name or option."""
    name, options = _split("loss", named, LOSSES)
    reduction = str(options.pop("reduction", "mean"))
    known = LOSSES[name].reductions
    if reduction not in known:
        raise UsageError(Message("reduction_unknown", name=repr(reduction), known=", ".join(known)))
    chosen: dict[str, Option] = {}
    for option, value in options.items():
        chosen[option] = value if isinstance(value, bool) else _numbers("loss", name, option, value)
    with _as_usage("loss"):
        return LOSSES[name].configured(**chosen), reduction


def optimizer_of(named: Named) -> Optimizer:
    """An optimizer with its options. Raises UsageError for an unknown name or option."""
    name, options = _split("optimizer", named, OPTIMIZERS)
    with _as_usage("optimizer"):
        return OPTIMIZERS[name].configured(**options)


def clipping_of(named: Named | None) -> Clipping | None:
    """A method of gradient clipping. Raises UsageError for an unknown name or option."""
    if named is None:
        return None
    name, options = _split("clip", named, CLIPPINGS)
    if options.get("norm_type") == "inf":
        options["norm_type"] = float("inf")
    numbers = {option: _number("clip", name, option, value) for option, value in options.items()}
    with _as_usage("clip"):
        return CLIPPINGS[name].configured(**numbers)


def initialiser(key: str, named: Named | None) -> Initialiser | None:
    """The initialiser of weights or of biases. Raises UsageError for an unknown name or option."""
    if named is None:
        return None
    known = {name: i for name, i in INITIALISERS.items() if key == "initialiser" or not i.needs_matrix}
    name, options = _split(key, named, known)
    chosen = {
        option: value if isinstance(value, str) else _number(key, name, option, value)
        for option, value in options.items()
    }
    with _as_usage(key):
        return known[name].configured(**chosen)


@contextmanager
def _as_usage(what: str) -> Iterator[None]:
    """Context that turns a ValueError into a UsageError."""
    try:
        yield
    except ValueError as error:
        raise UsageError(Message("file_failed", file=what, reason=error)) from None


def _split(what: str, named: Named, known: Mapping[str, object]) -> tuple[str, dict[str, Value]]:
    """Name and options of a setting. Raises UsageError for an unknown name."""
    options: dict[str, Value] = dict(named) if isinstance(named, dict) else {"name": named}
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in known:
        raise unknown(what, name, known)
    return name, options


def _number(what: str, name: str, option: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(Message("option_number", what=what, name=name, option=option, value=repr(value)))
    return float(value)


def _numbers(what: str, name: str, option: str, value: Value) -> Option:
    if isinstance(value, list):
        return tuple(_number(what, name, option, number) for number in value)
    return _number(what, name, option, value)
