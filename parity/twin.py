"""PyTorch's side: the identical `torch.nn.Sequential`, its step recorded by autograd."""

from __future__ import annotations

from collections.abc import Mapping

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
    Its parameters are views into one flat tensor, so that a step's "before" is one copy; PyTorch
    itself neither knows nor minds. Gradients of intermediate tensors come from one call of
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
        self._names = list(architecture.parameter_shapes())
        self._flat = torch.cat([p.detach().reshape(-1) for p in self._parameters])
        start = 0
        for parameter in self._parameters:
            end = start + parameter.numel()
            parameter.data = self._flat[start:end].view(parameter.shape)
            start = end
        self._load(parameters)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)

    def _load(self, parameters: Mapping[str, Array]) -> None:
        for name, parameter in zip(self._names, self._parameters, strict=True):
            source = parameters[name].reshape(tuple(parameter.shape))
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(source)))
            if parameter.detach().numpy().tobytes() != source.tobytes():
                raise ValueError(f"{name} did not reach PyTorch bit for bit")

    def predict(self, x: Array) -> Array:
        """ŷ as PyTorch computes it. x (features, samples) -> (outputs, samples)."""
        with torch.no_grad():
            return _columns(self.model(torch.from_numpy(x.T)))

    def step(self, x: Array, y: Array) -> Trace:
        """Forward, backward, update. x (features, batch), y (outputs, batch)."""
        a = torch.from_numpy(x.T)  # PyTorch's rows are samples
        z_s: list[torch.Tensor] = []
        a_s: list[torch.Tensor] = []
        modules = iter(self.model)
        for linear, f in zip(modules, modules, strict=True):
            z = linear(a)
            a = f(z)
            z_s.append(z)
            a_s.append(a)
        loss = self.loss(a, torch.from_numpy(y.T))
        gradients = torch.autograd.grad(loss, [*a_s, *z_s, *self._parameters])
        before = self._flat.clone()
        depth = len(z_s)
        for parameter, gradient in zip(self._parameters, gradients[2 * depth :], strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        trace = Trace(x=x, y=y, loss=loss.detach().numpy())
        for l in range(1, depth + 1):
            trace[f"z{l}"], trace[f"a{l}"] = _columns(z_s[l - 1]), _columns(a_s[l - 1])
            trace[f"s{l}"] = _columns(gradients[l - 1])
            trace[f"delta{l}"] = _columns(gradients[depth + l - 1])
        start = 0
        after = self._flat.clone()
        for name, gradient, shape in zip(
            self._names,
            gradients[2 * depth :],
            self.architecture.parameter_shapes().values(),
            strict=True,
        ):
            end = start + gradient.numel()
            trace[name] = before[start:end].numpy().reshape(shape)
            trace[f"d{name}"] = gradient.numpy().reshape(shape)
            trace[f"{name}_next"] = after[start:end].numpy().reshape(shape)
            start = end
        return trace


def _columns(tensor: torch.Tensor) -> Array:
    """A recorded tensor as the deck sees it: a column is a sample. No copy."""
    return tensor.detach().numpy().T
