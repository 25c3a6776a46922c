"""The computational graph of a recorded step: any model, its loss included, as the reference trains it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.errors import UsageError
from parity.pytorch.imported.builder import GraphBuilder
from parity.pytorch.imported.model import ImportedModel
from parity.pytorch.imported.stored import stored_calls
from parity.pytorch.recorder.data import Argument, Recorded, Step
from parity.render.texts.message import Message
from reference.clipping import Clipping
from reference.model import LOSS
from reference.optimizers import SGD, Optimizer


class Import(GraphBuilder):
    """The graph of a recorded step; `parity.pytorch.imported.reading` reads the step's trace by it.

    Leaves are x, y, parameters and whatever else the model is given. A call is a node, in the order of
    execution: a1, a2, …, and the loss. `buffers` are the model's own tensors that it does not learn, by
    name. Raises UsageError as a `GraphBuilder`.
    """

    def __init__(
        self, step: Step, x: Recorded, y: Recorded, answer: Recorded, buffers: Mapping[str, Recorded]
    ) -> None:
        if len(step.backwards) != 1 or len(step.backwards[0].roots) != 1:
            raise UsageError(Message("model_one_backward"))
        super().__init__(step.backwards[0])
        self.answer = answer
        self._buffers = {id(tensor): name for name, tensor in buffers.items()}
        self._leaf("x", x)
        self._leaf("y", y)
        calls = self._needed(step.calls, [self.backward.roots[0].output])
        if not calls:
            raise UsageError(Message("model_loss_apart"))
        for layer, call in enumerate(calls, start=1):
            self._place(call, layer, LOSS if call is calls[-1] else f"a{layer}")

    def _leaf(self, name: str, given: Argument, *, learned: bool = False) -> str:
        if id(given) in self._buffers:
            self.paths[name] = self._buffers[id(given)]
        return super()._leaf(name, given, learned=learned)

    # --- Reading --------------------------------------------------------------------------------------

    def name_of(self, tensor: Recorded) -> str | None:
        """The last node that a recorded tensor is the value of."""
        return self._made[id(tensor)][0] if id(tensor) in self._made else None

    def model(self, optimizer: Optimizer = SGD, clipping: Clipping | None = None) -> ImportedModel:
        """What the reference trains."""
        renewed = {
            self.graph[placed.name].made(out) for placed in self.placed for out in placed.bound.results
        }
        learned = [node.name for node in self.graph.nodes if node.is_leaf and not node.given]
        if not learned:
            raise UsageError(Message("model_loss_parameter"))
        if id(self.answer) not in self._made:
            raise UsageError(Message("model_loss_output"))
        answer = self._made[id(self.answer)][0]
        return ImportedModel(
            self.graph,
            self.leaves,
            self.paths,
            answer,
            np.dtype(self.leaves[learned[0]].dtype),
            tuple(name for name in self.leaves if f"{name}_next" in renewed),
            optimizer,
            clipping,
            stored_calls(self),
        )
