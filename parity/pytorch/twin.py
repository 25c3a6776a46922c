"""PyTorch's side: the identical `torch.nn.Sequential`, its step recorded by autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from parity.bounds.formats import format_of
from parity.pytorch.modules import activation_module, loss_module, optimizer
from reference.architecture import Architecture
from reference.arrays import Array
from reference.trace import Trace


class Twin:
    """The same network as PyTorch builds and trains it, with every tensor of a step recorded.

    `torch.nn.Linear` and activation modules in a `Sequential`, a loss of `torch.nn`, an optimizer of
    `torch.optim`: see `parity.pytorch.modules`.
    Its parameters are views into one flat buffer, which is copied to another before PyTorch updates
    them in place, so a step's trace can show W before and after. PyTorch itself neither knows nor
    minds. Gradients of intermediate tensors come from one call of
    `torch.autograd.grad`, which costs no more than a plain backward.
    """

    name = "torch"

    def __init__(self, architecture: Architecture, parameters: Mapping[str, Array], lr: float) -> None:
        """Copy `parameters` into the twin, bit for bit. Raises ValueError if a bit did not arrive."""
        self.architecture = architecture
        dtype: torch.dtype = getattr(torch, format_of(architecture.dtype).torch)
        self.model, self._parameters = self._build(dtype)
        self.loss = loss_module(architecture, dtype)
        size = sum(parameter.numel() for parameter in self._parameters)
        self._now, self._before = (torch.empty(size, dtype=dtype) for _ in range(2))
        now, before = (_views(buffer, self._parameters) for buffer in (self._now, self._before))
        layers = range(1, architecture.depth + 1)
        self._made = [(f"z{l}", f"a{l}", f"s{l}", f"delta{l}") for l in layers]
        # A bias is a vector to PyTorch, a column to the deck.
        self._gradients = [
            (f"d{name}", None if shape == tuple(tensor.shape) else shape)
            for (name, shape), tensor in zip(architecture.parameter_shapes().items(), now, strict=True)
        ]
        self._shown = dict(self._named(before))
        self._shown |= {f"{name}_next": array for name, array in self._named(now).items()}
        self._stand_in(now)
        self._load(parameters)
        self.optimizer = optimizer(architecture, self._parameters, lr)
        self._states = architecture.initial_state(parameters, lr)

    def _build(self, dtype: torch.dtype) -> tuple[torch.nn.Module, list[torch.Tensor]]:
        """The model, and its parameters in the deck's order."""
        modules: list[torch.nn.Module] = []
        shape = self.architecture
        for fan_in, fan_out, f in zip(shape.layers, shape.layers[1:], shape.activations, strict=False):
            modules += [torch.nn.Linear(fan_in, fan_out, dtype=dtype), activation_module(f, dtype)]
        self._layers = list(zip(modules[::2], modules[1::2], strict=True))
        model = torch.nn.Sequential(*modules)
        return model, list(model.parameters())

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

    def _forward(self, a: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """What every layer computes: its z, its a."""
        z_s: list[torch.Tensor] = []
        a_s: list[torch.Tensor] = []
        for linear, f in self._layers:
            z = linear(a)  # makes: z
            a = f(z)  # makes: a
            z_s.append(z)
            a_s.append(a)
        return z_s, a_s

    def step(self, x: Array, y: Array) -> Trace:
        """Forward, backward, update. x (features, batch), y (outputs, batch).

        A page shows the statements that are marked with what they make. The trace's parameters are valid
        until the next step; everything else is the step's own.
        """
        z_s, a_s = self._forward(torch.from_numpy(x.T))  # PyTorch's rows are samples
        a = a_s[-1]
        loss = self.loss(a, torch.from_numpy(y.T))  # makes: loss
        gradients = torch.autograd.grad(loss, [*a_s, *z_s, *self._parameters])  # makes: gradients
        depth = len(z_s)
        self._before.copy_(self._now)
        for parameter, gradient in zip(self._parameters, gradients[2 * depth :], strict=True):
            parameter.grad = gradient
        clipped = self._clip()  # makes: clipped
        self.optimizer.step()  # makes: next
        trace = Trace(self._shown, x=x, y=y, loss=loss.numpy(force=True))
        for l, (z, a_l, s, delta) in enumerate(self._made):
            trace[z], trace[a_l] = _columns(z_s[l]), _columns(a_s[l])
            trace[s], trace[delta] = gradients[l].numpy().T, gradients[depth + l].numpy().T
        for (name, shape), gradient in zip(self._gradients, gradients[2 * depth :], strict=True):
            trace[name] = gradient.numpy() if shape is None else gradient.numpy().reshape(shape)
        trace |= clipped
        if self._states:
            trace |= self._states
            self._states = self._kept_states()
            trace |= {f"{name}_next": array for name, array in self._states.items()}
        return trace

    def _clip(self) -> dict[str, Array]:
        """PyTorch's clipping, done to copies, since a trace shows the gradients as they came."""
        clipping = self.architecture.clipping
        if clipping is None:
            return {}
        for parameter in self._parameters:
            assert parameter.grad is not None
            parameter.grad = parameter.grad.clone()
        found: dict[str, Array] = {}
        if clipping.name == "norm":
            norm = torch.nn.utils.clip_grad_norm_(
                self._parameters, clipping.options["max_norm"], clipping.options["norm_type"]
            )
            found["norm"] = norm.numpy(force=True)
        else:
            torch.nn.utils.clip_grad_value_(self._parameters, clipping.options["clip_value"])
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        return found | {f"clipped_{name}": g for name, g in self._named(gradients).items()}

    def _kept_states(self) -> dict[str, Array]:
        """Copies of what PyTorch's optimizer keeps, in the deck's shapes."""
        shapes, found = self.architecture.parameter_shapes(), {}
        kept = self.optimizer.state
        for (name, shape), parameter in zip(shapes.items(), self._parameters, strict=True):
            for state, entry in self.architecture.optimizer_of(name).states.items():
                tensor = kept[parameter][entry.key].detach().numpy()
                found[f"{state}_{name}"] = tensor.reshape(entry.shape(*shape)).copy()
        return found


def _views(buffer: torch.Tensor, parameters: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The flat buffer, cut into the shapes of the parameters."""
    parts = torch.split(buffer, [parameter.numel() for parameter in parameters])
    return [part.view(parameter.shape) for part, parameter in zip(parts, parameters, strict=True)]


def _columns(tensor: torch.Tensor) -> Array:
    """A recorded tensor as the deck sees it: a column is a sample. No copy."""
    return tensor.numpy(force=True).T
