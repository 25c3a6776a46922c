"""What a config asks for: activations, losses, optimizers, by name or as a table with PyTorch's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from parity.errors import UsageError
from reference.clipping import CLIPPINGS, Clipping
from reference.initialisers import INITIALISERS, Initialiser
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss, Option
from reference.optimizers import OPTIMIZERS, Optimizer

Value: TypeAlias = str | bool | float | list[float | None] | None
Named: TypeAlias = str | dict[str, Value]
"""A name, or a table {name = "…", option = …} with PyTorch's names."""


def activations(asked: Named | Sequence[Named], depth: int) -> tuple[Activation, ...]:
    """One activation a layer, or one for all. Raises UsageError for what there is not."""
    names = [asked] * depth if isinstance(asked, str | dict) else list(asked)
    if len(names) != depth:
        raise UsageError(f"activation: {len(names)} given for {depth} layers")
    return tuple(_activation(name) for name in names)


def _activation(asked: Named) -> Activation:
    name, options = _split("activation", asked, ACTIVATIONS)
    entry = ACTIVATIONS[name]
    for option in [option for option in options if isinstance(entry.torch_options.get(option), str)]:
        entry = _variant(entry, option, options.pop(option))
    numbers = {option: _number("activation", name, option, value) for option, value in options.items()}
    with _as_usage("activation"):
        return entry.configured(**numbers)


def _variant(entry: Activation, option: str, value: Value) -> Activation:
    """The entry of the same class of PyTorch's that is told this: GELU's two formulas are two functions."""
    kin = [f for f in ACTIVATIONS.values() if f.source == entry.source]
    found = {f.torch_options[option]: f for f in kin}
    if value not in found:
        raise UsageError(f"activation: {entry.name}: {option} is {' or '.join(map(repr, found))}")
    return found[value]  # type: ignore[index] # it is there


@dataclass(frozen=True)
class Training:
    """What `[training]` names, looked up once: loss, reduction, optimizer, clipping."""

    loss: Loss
    reduction: str
    optimizer: Optimizer
    clipping: Clipping | None


def training(loss: Named, optimizer: Named, clip: Named | None) -> Training:
    """What there is under these names. Raises UsageError for what there is not."""
    return Training(*loss_of(loss), optimizer_of(optimizer), clipping_of(clip))


def loss_of(asked: Named) -> tuple[Loss, str]:
    """A loss and its reduction. Raises UsageError for what there is not."""
    name, options = _split("loss", asked, LOSSES)
    reduction = str(options.pop("reduction", "mean"))
    known = LOSSES[name].reductions
    if reduction not in known:
        raise UsageError(f"loss: reduction {reduction!r}; known: {', '.join(known)}")
    chosen: dict[str, Option] = {}
    for option, value in options.items():
        chosen[option] = value if isinstance(value, bool) else _numbers("loss", name, option, value)
    with _as_usage("loss"):
        return LOSSES[name].configured(**chosen), reduction


def optimizer_of(asked: Named) -> Optimizer:
    """An optimizer, its options by PyTorch's names. Raises UsageError for what there is not."""
    name, options = _split("optimizer", asked, OPTIMIZERS)
    with _as_usage("optimizer"):
        return OPTIMIZERS[name].configured(**options)


def clipping_of(asked: Named | None) -> Clipping | None:
    """A way to clip gradients. Raises UsageError for what there is not."""
    if asked is None:
        return None
    name, options = _split("clip", asked, CLIPPINGS)
    if options.get("norm_type") == "inf":
        options["norm_type"] = float("inf")
    numbers = {option: _number("clip", name, option, value) for option, value in options.items()}
    with _as_usage("clip"):
        return CLIPPINGS[name].configured(**numbers)


def initialiser(key: str, asked: Named | None) -> Initialiser | None:
    """How weights, or biases, are drawn. Raises UsageError for what there is not."""
    if asked is None:
        return None
    known = {name: i for name, i in INITIALISERS.items() if key == "initialiser" or not i.needs_matrix}
    name, options = _split(key, asked, known)
    chosen = {
        option: value if isinstance(value, str) else _number(key, name, option, value)
        for option, value in options.items()
    }
    with _as_usage(key):
        return known[name].configured(**chosen)


@contextmanager
def _as_usage(what: str) -> Iterator[None]:
    """What an entry refuses, the user is told in one line."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def _split(what: str, asked: Named, known: Mapping[str, object]) -> tuple[str, dict[str, Value]]:
    """The name and the options."""
    options: dict[str, Value] = dict(asked) if isinstance(asked, dict) else {"name": asked}
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"{what}: unknown {name!r}; known: {', '.join(known)}")
    return name, options


def _number(what: str, name: str, option: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{what}: {name}: {option} is a number, not {value!r}")
    return float(value)


def _numbers(what: str, name: str, option: str, value: Value) -> Option:
    if isinstance(value, list):
        return tuple(_number(what, name, option, number) for number in value)
    return _number(what, name, option, value)
