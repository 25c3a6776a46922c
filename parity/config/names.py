"""What a config asks for: activations, losses, optimizers, by name or as a table with PyTorch's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from parity.errors import UsageError
from reference.clipping import CLIPPINGS, Clipping
from reference.initialisers import INITIALISERS, Initialiser
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, REDUCTIONS, Loss, Option
from reference.optimizers import GROUPS, OPTIMIZERS, Optimizer

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
    variant = options.get("approximate")  # GELU's two formulas are two functions
    if name == "gelu" and "approximate" in options:
        if variant not in ("none", "tanh"):
            raise UsageError("activation: gelu: approximate is 'none' or 'tanh'")
        del options["approximate"]
        name = "gelu_tanh" if variant == "tanh" else name
    numbers = {option: _number("activation", name, option, value) for option, value in options.items()}
    try:
        return ACTIVATIONS[name].configured(**numbers)
    except ValueError as error:
        raise UsageError(f"activation: {error}") from None


def loss(asked: Named) -> tuple[Loss, str]:
    """A loss and its reduction. Raises UsageError for what there is not."""
    name, options = _split("loss", asked, LOSSES)
    reduction = str(options.pop("reduction", "mean"))
    known = REDUCTIONS if name == "kl_div" else REDUCTIONS[:3]
    if reduction not in known:
        raise UsageError(f"loss: reduction {reduction!r}; known: {', '.join(known)}")
    chosen: dict[str, Option] = {}
    for option, value in options.items():
        chosen[option] = value if isinstance(value, bool) else _numbers("loss", name, option, value)
    try:
        return LOSSES[name].configured(**chosen), reduction
    except ValueError as error:
        raise UsageError(f"loss: {error}") from None


def optimizer(asked: Named) -> Optimizer:
    """An optimizer, its options by PyTorch's names. Raises UsageError for what there is not."""
    name, options = _split("optimizer", asked, OPTIMIZERS)
    chosen: dict[str, float | bool | str | None] = {}
    for option, value in options.items():
        if isinstance(value, list):
            parts = [part for part in GROUPS.get(option, ()) if part in OPTIMIZERS[name].options]
            if len(parts) != len(value):
                wanted = f"{len(parts)} numbers" if parts else "one number"
                raise UsageError(f"optimizer: {name}: {option} is {wanted}, not {value!r}")
            chosen |= dict(zip(parts, value, strict=True))
        else:
            chosen[option] = value
    try:
        return OPTIMIZERS[name].configured(**chosen)
    except ValueError as error:
        raise UsageError(f"optimizer: {error}") from None


def clipping(asked: Named | None) -> Clipping | None:
    """A way to clip gradients. Raises UsageError for what there is not."""
    if asked is None:
        return None
    name, options = _split("clip", asked, CLIPPINGS)
    if options.get("norm_type") == "inf":
        options["norm_type"] = float("inf")
    numbers = {option: _number("clip", name, option, value) for option, value in options.items()}
    try:
        return CLIPPINGS[name].configured(**numbers)
    except ValueError as error:
        raise UsageError(f"clip: {error}") from None


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
    try:
        return known[name].configured(**chosen)
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from None


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
