"""A model of any graph in the lockstep: PyTorch's side runs the user's own module, recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from parity.errors import EnvironmentUnfit, UsageError, quoted
from parity.pytorch.imported.graph import Import
from parity.pytorch.imported.model import ImportedModel, signature
from parity.pytorch.imported.reading import trace
from parity.pytorch.modules import optimizer
from parity.pytorch.recorder.recorder import Recorder
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class ImportedSide:
    """One module, trained by an optimizer of `torch.optim`, every step recorded.

    x and y are rows: a sample is a row, whatever its shape.
    """

    name = "torch"

    def __init__(self, module: torch.nn.Module, loss: LossFunction) -> None:
        self.module, self.loss = module, loss
        self._signature: tuple[object, ...] | None = None
        self._ahead: Trace | None = None

    def record(self, x: Array, y: Array) -> Import:
        """Forward, loss and backward of one batch, recorded; the parameters stay as they are.

        Raises UsageError for what the model raises, and for what cannot be imported.
        """
        rows, targets = torch.from_numpy(np.array(x)), torch.from_numpy(np.array(y))
        self.module.zero_grad(set_to_none=True)
        recorder = Recorder(self.module)
        try:
            with recorder, warnings.catch_warnings():
                warnings.filterwarnings("error", "Using a target size")  # it would broadcast
                given = recorder.recorded(rows), recorder.recorded(targets)
                buffers = {name: recorder.recorded(b) for name, b in self.module.named_buffers()}
                answer = self.module(rows)
                if not isinstance(answer, torch.Tensor):
                    raise UsageError(Message("model_output", kind=type(answer).__name__))
                answered = recorder.recorded(answer)
                loss = self.loss(answer, targets)
                if not loss.requires_grad:
                    raise UsageError(Message("model_no_gradient_frozen"))
                loss.backward()  # type: ignore[no-untyped-call]
        except (UsageError, EnvironmentUnfit):
            raise
        except Exception as error:
            said = quoted(error)
            raise UsageError(
                Message("model_raised", kind=type(error).__name__, shape=x.shape, reason=said)
            ) from None
        if not recorder.steps:
            raise UsageError(Message("model_no_gradient"))
        return Import(recorder.steps[0], *given, answered, buffers)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """The module in evaluation, every part of it; afterwards each as it was."""
        training = {part: part.training for part in self.module.modules()}
        self.module.eval()
        try:
            yield
        finally:
            for part, mode in training.items():
                part.training = mode

    def begin(self, model: ImportedModel, lr: float) -> None:
        """Make the optimizer, over the parameters in the graph's order."""
        self.model = model
        named = dict(self.module.named_parameters())
        self._parameters = {name: named[model.paths[name]] for name in model.parameter_shapes()}
        self.optimizer = optimizer(model, self._parameters.values(), lr)
        arrays = {name: _array(tensor) for name, tensor in self._parameters.items()}
        self._states = model.initial_state(arrays, lr)

    def step(self, x: Array, y: Array) -> Trace:
        """One training step. Raises UsageError for a graph that is not the first step's."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        recorded = self.record(x, y)
        found_signature = signature(recorded.graph)
        if self._signature is None:
            self._signature = found_signature
        if found_signature != self._signature:
            raise UsageError(Message("model_other_graph"))
        found = trace(recorded)
        found |= self._update()
        return found

    def predict(self, x: Array) -> Array:
        """The model's answer in evaluation, as columns. x (samples, …) -> (outputs, samples)."""
        with torch.no_grad(), self.evaluating():
            answer: torch.Tensor = self.module(torch.from_numpy(np.array(x)))
        return answer.numpy().T

    def ahead(self, x: Array, y: Array) -> Mapping[str, Array]:
        """Take the step now, and hand out what it was given, for a side that is to be given the same."""
        self._ahead = self.step(x, y)
        kept = {*self.model.statistics, "x", "y"}
        return {name: self._ahead[name] for name in self.model.example(len(x)) if name not in kept}

    def _update(self) -> dict[str, Array]:
        self.optimizer.step()
        found = {f"{name}_next": _array(tensor) for name, tensor in self._parameters.items()}
        before, self._states = self._states, self._kept_states()
        return found | before | {f"{name}_next": array for name, array in self._states.items()}

    def _kept_states(self) -> dict[str, Array]:
        kept = self.optimizer.state
        return {
            f"{state}_{name}": _array(kept[parameter][entry.key]).reshape(entry.shape(*parameter.shape))
            for name, parameter in self._parameters.items()
            for state, entry in self.model.optimizer_of(name).states.items()
        }


def _array(tensor: torch.Tensor) -> Array:
    return np.array(tensor.detach().numpy())
