"""Somebody's own torch model as PyTorch's side of the lockstep."""

from __future__ import annotations

import torch

from parity.config.case import Case
from parity.errors import UsageError, quoted
from parity.pytorch.imported.layers import Mirror, layers, watched
from parity.pytorch.imported.watch import WatchedModel
from parity.pytorch.twin import Twin
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace


class MirroredTwin(Twin):
    """The model itself, not one built like it: its own modules run, its own parameters are updated.

    Every forward pass is watched anew, so a model that takes another path later is found out.
    """

    def __init__(self, mirrored: Mirror, case: Case) -> None:
        """A twin that starts from the case's parameters, which are the model's own."""
        self._mirror = mirrored
        self._watched = WatchedModel(mirrored.model)
        super().__init__(case.architecture, case.parameters, case.lr)

    def _build(self, dtype: torch.dtype) -> tuple[torch.nn.Module, list[torch.Tensor]]:
        return self._mirror.model, self._mirror.parameters

    def _forward(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        rows = x.reshape(len(x), *self._mirror.sample)
        found = layers(watched(self._watched, rows)[0], len(rows))
        if [layer.modules for layer in found] != [layer.modules for layer in self._mirror.layers]:
            raise UsageError(Message("model_layers_vary"))
        return [layer.z for layer in found], [layer.a for layer in found]

    def step(self, x: Array, y: Array) -> Trace:
        """As the twin's. What the model's own backward raises becomes a UsageError in one line."""
        try:
            with torch.enable_grad():  # whatever the caller has set
                return super().step(x, y)
        except RuntimeError as error:
            said = quoted(error)
            raise UsageError(Message("model_training_raised", reason=said)) from None

    def predict(self, x: Array) -> Array:
        """ŷ as the model computes it. x (features, samples) -> (outputs, samples)."""
        with torch.no_grad():
            rows = torch.from_numpy(x.T).reshape(x.shape[1], *self._mirror.sample)
            predicted: Array = self._mirror.model(rows).reshape(x.shape[1], -1).numpy().T
            return predicted
