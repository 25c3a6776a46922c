"""The layers of a model that was watched: Linear, one activation, and again; or what stands in the way."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import JsonValue

from parity.bounds.formats import COMPUTED, FORMATS
from parity.errors import UsageError, quoted
from parity.pytorch.imported.as_it_is import as_it_is
from parity.pytorch.imported.names import DROPOUTS, INERT, activation_of, class_name, known_activations
from parity.pytorch.imported.watch import NoChainError, Ran, WatchedModel
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.operations.activations import ACTIVATIONS, Activation

DTYPES: dict[torch.dtype, str] = {getattr(torch, FORMATS[name].torch): name for name in COMPUTED}


@dataclass
class Layer:
    """z = W a + b and a = f(z), as a model has them: its Linear, and its activation's module if any."""

    path: str
    linear: torch.nn.Linear
    z: torch.Tensor
    a: torch.Tensor
    module: torch.nn.Module | None = None
    activation: Activation = ACTIVATIONS["identity"]
    table: JsonValue = "identity"

    @property
    def modules(self) -> tuple[torch.nn.Module, torch.nn.Module | None]:
        """What computes z, and what computes a."""
        return self.linear, self.module

    @property
    def parameters(self) -> list[torch.Tensor]:
        """W, b, and what the activation learns, in the deck's order."""
        learned = list(self.module.parameters()) if self.module else []
        return [self.linear.weight, self.linear.bias, *learned]


@dataclass(frozen=True)
class Mirror:
    """A model as the deck sees it. `model` is a copy: the original stays as it is."""

    model: torch.nn.Module
    layers: tuple[Layer, ...]
    sample: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes, input first."""
        return self.layers[0].linear.in_features, *(layer.linear.out_features for layer in self.layers)

    @property
    def activations(self) -> tuple[Activation, ...]:
        """One for each layer."""
        return tuple(layer.activation for layer in self.layers)

    @property
    def dtype(self) -> str:
        """`float32` or `float64`."""
        return DTYPES[self.layers[0].linear.weight.dtype]

    @property
    def parameters(self) -> list[torch.Tensor]:
        """In the order of the deck's parameters."""
        return [parameter for layer in self.layers for parameter in layer.parameters]

    def arrays(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
        """The model's parameters, copied the other way: by the deck's names, in the deck's shapes."""
        found: dict[str, Array] = {}
        for (name, shape), parameter in zip(shapes.items(), self.parameters, strict=True):
            found[name] = np.array(parameter.detach().numpy().reshape(shape))
        return found


def mirror(model: torch.nn.Module, x: torch.Tensor) -> Mirror:
    """Watch a copy of the model answer x (a sample a row), and find its layers.

    Raises UsageError for anything that the deck's chain of layers has no formula for.
    """
    if not isinstance(model, torch.nn.Module):
        raise UsageError(Message("model_no_module", kind=type(model).__name__))
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor) and tensor.device.type != "cpu":
            raise UsageError(Message("model_device", name=name, device=tensor.device))
    as_it_is(model)  # a copy would not have what makes it another model
    try:
        own = copy.deepcopy(model)
    except Exception as error:
        raise UsageError(Message("model_not_copied", kind=type(error).__name__, reason=error)) from None
    for module in own.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment] # the same numbers, and z stays to be seen
    ran = watched(WatchedModel(own), x)[0]
    return Mirror(own, tuple(layers(ran, len(x))), tuple(x.shape[1:]))


def watched(model: WatchedModel, x: torch.Tensor) -> tuple[list[Ran], torch.Tensor]:
    """A forward pass. What the model itself raises becomes a UsageError in one line."""
    try:
        with torch.enable_grad():
            return model.forward(x)
    except UsageError:
        raise
    except Exception as error:
        said = quoted(error)
        shape = tuple(x.shape)
        raise UsageError(
            Message("model_raised", kind=type(error).__name__, shape=shape, reason=said)
        ) from None


def layers(ran: Sequence[Ran], batch: int) -> list[Layer]:
    """Group what ran into layers. Raises UsageError, naming the module that fits none."""
    found: list[Layer] = []
    for one in ran:
        kind = class_name(one.module)
        if kind == "Linear":
            found.append(_linear(one, batch, found))
        elif kind in INERT or (kind in DROPOUTS and _silent(one)):
            continue
        else:
            _activate(one, found)
    if not found:
        raise NoChainError(Message("model_no_linear"))
    return found


def _linear(one: Ran, batch: int, before: Sequence[Layer]) -> Layer:
    linear = one.module
    assert isinstance(linear, torch.nn.Linear)
    shape = tuple(one.given.shape)
    if len(shape) != 2 or shape[0] != batch:
        raise NoChainError(Message("model_layer_shape", path=one.path, shape=shape))
    if linear.bias is None:
        raise NoChainError(Message("model_no_bias", path=one.path))
    if any(layer.linear is linear or layer.linear.weight is linear.weight for layer in before):
        raise NoChainError(Message("model_used_twice", path=one.path))
    _fit(one.path, [linear.weight, linear.bias], before)
    _reached(one)
    return Layer(one.path, linear, one.made, one.made)


def _fit(path: str, parameters: Sequence[torch.Tensor], before: Sequence[Layer]) -> None:
    """Parameters that the deck can hold: trained, float32 or float64, all alike."""
    dtype = before[0].linear.weight.dtype if before else parameters[0].dtype
    for parameter in parameters:
        if parameter.dtype not in DTYPES or parameter.dtype != dtype:
            kind = str(parameter.dtype).removeprefix("torch.")
            raise UsageError(Message("model_layer_dtype", path=path, kind=kind, known=", ".join(COMPUTED)))
        if not parameter.requires_grad:
            raise NoChainError(Message("model_frozen", path=path))


def _reached(one: Ran) -> None:
    """A module through which a gradient goes. Raises UsageError for one whose forward keeps none."""
    if not one.made.requires_grad:
        kind = type(one.module).__name__
        raise UsageError(Message("model_no_gradient_layer", path=one.path, kind=kind))


def _silent(one: Ran) -> bool:
    """Whether a Dropout drops nothing. Raises UsageError for one that does."""
    if one.module.training and getattr(one.module, "p", 0) > 0:
        kind = type(one.module).__name__
        raise NoChainError(Message("model_training_mode", path=one.path, kind=kind))
    return True


def _activate(one: Ran, found: Sequence[Layer]) -> None:
    """Give the last layer its activation. Raises UsageError for what is none, or one too many."""
    known = activation_of(one.module)
    kind = type(one.module).__name__
    if known is None:
        names = ", ".join(["Linear", "Flatten", "Dropout in eval", *known_activations()])
        raise NoChainError(Message("model_cannot", path=one.path, kind=kind, known=names))
    if not found:
        raise NoChainError(Message("model_before_linear", path=one.path, kind=kind))
    layer = found[-1]
    if layer.module is not None:
        raise NoChainError(Message("model_second_activation", path=one.path, kind=kind, layer=layer.path))
    _reached(one)
    others = [other for other in found if other.module is one.module]
    learned: list[torch.Tensor] = [*one.module.parameters()]
    if others and learned:
        raise NoChainError(Message("model_learns_twice", path=one.path, kind=kind))
    _fit(one.path, learned, found)
    layer.module, layer.a, (layer.activation, layer.table) = one.module, one.made, known
