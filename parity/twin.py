"""PyTorch's side: the identical `torch.nn.Sequential`, its step recorded by autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from reference.architecture import Architecture
from reference.arrays import Array
from reference.trace import Trace

MODULES: dict[str, type[torch.nn.Module]] = {
    "identity": torch.nn.Identity,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
}
LOSSES: dict[str, type[torch.nn.modules.loss._Loss]] = {"mse": torch.nn.MSELoss}


class Twin:
    """The same network as PyTorch builds and trains it, with every tensor of a step recorded.

    `torch.nn.Linear` and activation modules in a `Sequential`, `torch.nn.MSELoss`, `torch.optim.SGD`.
    Its parameters are views into one flat buffer of two: before an update they are copied to the
    other one, where PyTorch updates them in place, so a step's trace can show W before and after.
    PyTorch itself neither knows nor minds. Gradients of intermediate tensors come from one call of
    `torch.autograd.grad`, which costs no more than a plain backward.
    """

    name = "torch"

    def __init__(self, architecture: Architecture, parameters: Mapping[str, Array], lr: float) -> None:
        """Copy `parameters` into the twin, bit for bit. Raises ValueError if a bit did not arrive."""
        self.architecture = architecture
        dtype = torch.float64 if architecture.dtype == np.float64 else torch.float32
        modules: list[torch.nn.Module] = []
        for fan_in, fan_out, f in zip(
            architecture.layers, architecture.layers[1:], architecture.activations, strict=False
        ):
            modules += [torch.nn.Linear(fan_in, fan_out, dtype=dtype), MODULES[f.name]()]
        self.model = torch.nn.Sequential(*modules)
        self.loss = LOSSES[architecture.loss.name](reduction=architecture.reduction)
        self._parameters = list(self.model.parameters())
        size = sum(parameter.numel() for parameter in self._parameters)
        self._buffers = [torch.empty(size, dtype=dtype) for _ in range(2)]
        self._views = [_views(buffer, self._parameters) for buffer in self._buffers]
        self._arrays = [self._named(views) for views in self._views]
        self._now = 0
        self._stand_in(self._views[0])
        self._load(parameters)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self._layers = list(zip(modules[::2], modules[1::2], strict=True))

    def _stand_in(self, views: Sequence[torch.Tensor]) -> None:
        """Let the model's parameters live in these views."""
        for parameter, view in zip(self._parameters, views, strict=True):
            parameter.data = view

    def _named(self, tensors: Sequence[torch.Tensor]) -> dict[str, Array]:
        """Tensors in the order of the parameters, as the deck's arrays. No copy."""
        shapes = self.architecture.parameter_shapes()
        return {
            name: tensor.numpy().reshape(shape)
            for (name, shape), tensor in zip(shapes.items(), tensors, strict=True)
        }

    def _load(self, parameters: Mapping[str, Array]) -> None:
        for name, parameter in zip(self.architecture.parameter_shapes(), self._parameters, strict=True):
            source = parameters[name].reshape(tuple(parameter.shape))
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(source)))
            if parameter.detach().numpy().tobytes() != source.tobytes():
                raise ValueError(f"{name} did not reach PyTorch bit for bit")

    def predict(self, x: Array) -> Array:
        """ŷ as PyTorch computes it. x (features, samples) -> (outputs, samples)."""
        with torch.no_grad():
            return _columns(self.model(torch.from_numpy(x.T)))

    def step(self, x: Array, y: Array) -> Trace:
        """Forward, backward, update. x (features, batch), y (outputs, batch).

        The trace's W and b are valid until the next step; everything else is the step's own.
        """
        a = torch.from_numpy(x.T)  # PyTorch's rows are samples
        z_s: list[torch.Tensor] = []
        a_s: list[torch.Tensor] = []
        for linear, f in self._layers:
            z = linear(a)
            a = f(z)
            z_s.append(z)
            a_s.append(a)
        loss = self.loss(a, torch.from_numpy(y.T))
        gradients = torch.autograd.grad(loss, [*a_s, *z_s, *self._parameters])
        depth = len(z_s)
        before, after = self._now, 1 - self._now
        self._buffers[after].copy_(self._buffers[before])
        self._stand_in(self._views[after])
        for parameter, gradient in zip(self._parameters, gradients[2 * depth :], strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self._now = after
        trace = Trace(self._arrays[before], x=x, y=y, loss=loss.numpy(force=True))
        for l in range(1, depth + 1):
            trace[f"z{l}"], trace[f"a{l}"] = _columns(z_s[l - 1]), _columns(a_s[l - 1])
            trace[f"s{l}"] = _columns(gradients[l - 1])
            trace[f"delta{l}"] = _columns(gradients[depth + l - 1])
        trace |= {f"d{name}": array for name, array in self._named(gradients[2 * depth :]).items()}
        trace |= {f"{name}_next": array for name, array in self._arrays[after].items()}
        return trace


def _views(buffer: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> list[torch.Tensor]:
    """The flat buffer, cut into the shapes of the parameters."""
    parts = torch.split(buffer, [parameter.numel() for parameter in parameters])
    return [part.view(parameter.shape) for part, parameter in zip(parts, parameters, strict=True)]


def _columns(tensor: torch.Tensor) -> Array:
    """A recorded tensor as the deck sees it: a column is a sample. No copy."""
    return tensor.numpy(force=True).T
