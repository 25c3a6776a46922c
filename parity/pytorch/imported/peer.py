"""A model of any graph in a run: its case, both its sides, and where its operations are in the model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from parity.config import names
from parity.config.case import Case, Scored
from parity.config.config import Config
from parity.pytorch.imported.side import ImportedSide, LossFunction
from parity.pytorch.modules import loss_of_row
from reference.arrays import Array
from reference.engine import Network
from reference.training import batches

if TYPE_CHECKING:
    from reference.architecture import Architecture


BATCH, STEPS = 32, 200
"""Of a training of which nothing is said."""


@dataclass(frozen=True)
class GraphCase(Case):
    """A case of which a sample is a row of x, of any shape, and every batch is whole."""

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Endless batches of `batch` rows; a rest that fills no batch is left out."""
        numbers = np.arange(len(self.x), dtype=np.float64)[None, :]
        for drawn, _ in batches(numbers, numbers, self.batch, self.seed):
            rows = drawn[0].astype(int)
            if not self.batch or len(rows) in (self.batch, len(self.x)):
                yield self.x[rows], self.y[rows]


@dataclass
class GraphPeer:
    """A module with its batch or its data, trained as the graph that one recorded step shows.

    The module is the user's own. What recording changes (statistics, the random state, gradients) is put
    back; a run then trains a copy of it.
    """

    name: str
    module: torch.nn.Module
    x: NDArray[np.generic]
    y: NDArray[np.generic]
    scored: Mapping[str, Scored] = field(default_factory=dict)
    data: str = "given"

    def case(self, config: Config) -> GraphCase:
        """The case of this model. Raises UsageError for a model that is no graph of known operations."""
        asked = config.training
        loss, reduction = names.loss_of(asked.loss)
        optimizer = names.optimizer_of(asked.optimizer)
        own = next(self.module.parameters()).dtype
        computed: LossFunction = loss_of_row(loss, reduction, own)
        wanted = BATCH if asked.batch is None else asked.batch
        batch = min(wanted or len(self.x), len(self.x))
        self._side = ImportedSide(copy.deepcopy(self.module), computed)
        with _unchanged(self._side.module):
            recorded = self._side.record(cast("Array", self.x[:batch]), cast("Array", self.y[:batch]))
            model = recorded.model(optimizer)
        self._model = model
        learned = {name: np.array(model.leaves[name]) for name in model.parameter_shapes()}
        renewed = {name: np.array(model.leaves[name]) for name in model.statistics}
        return GraphCase(
            cast("Architecture", model),
            cast("dict[str, Array]", learned | renewed),
            cast("Array", self.x),  # of tokens, indices
            cast("Array", self.y),
            lr=asked.lr or optimizer.lr,
            steps=asked.steps or STEPS,
            batch=batch,
            seed=asked.seed,
            scored=self.scored,
            data=self.data,
            findings=tuple(asked.accept),
        )

    @property
    def modules(self) -> Sequence[str]:
        """The path of the module of each operation, in the order of their numbers."""
        return self._model.modules

    def side(self, case: Case) -> ImportedSide:
        """The model as PyTorch's side."""
        self._side.begin(self._model, case.lr)
        return self._side

    def given(self, x: Array, y: Array) -> Mapping[str, Array]:
        """What PyTorch's step was given besides x and y."""
        return self._side.ahead(x, y)

    def predicts(self, network: Network) -> Callable[[Array], Array]:
        """ŷ by the reference in evaluation: x (samples, …) -> (outputs, samples).

        The graph is the one that the model shows then, without dropout and with running statistics; its
        numbers are the network's.
        """

        def predict(x: Array) -> Array:
            numbers = network.parameters | network.statistics
            ours = {self._model.paths[name]: number for name, number in numbers.items()}
            targets = np.repeat(self.y[:1], len(x), axis=0)
            with self._side.evaluating():
                model = self._side.record(x, cast("Array", targets)).model()
            found = {name: ours[model.paths[name]] for name in model.parameter_shapes()}
            given = {n: ours.get(model.paths.get(n, ""), leaf) for n, leaf in model.example(len(x)).items()}
            return Network(model, found).forward(x, given | {"x": x}).T

        return predict


@contextmanager
def _unchanged(module: torch.nn.Module) -> Iterator[None]:
    """Put back what a forward and backward pass change besides gradients."""
    state, random = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    try:
        yield
    finally:
        module.load_state_dict(state)
        module.zero_grad(set_to_none=True)
        torch.set_rng_state(random)
