"""PyTorch's side of a stored model: its recorded calls, run again without the model's own code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from pydantic import JsonValue

from parity.errors import EnvironmentUnfit, UsageError
from parity.pytorch.again import run_again
from parity.pytorch.imported.graph import Import
from parity.pytorch.imported.model import ImportedModel, signature
from parity.pytorch.imported.side import ImportedSide
from parity.pytorch.imported.stored import StoredCall
from parity.pytorch.plain import value_of
from parity.pytorch.recorder import internals
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.model import LOSS

Given = Callable[[Array, Array], Mapping[str, Array]]

PARAMETERS = {"W": "weight", "b": "bias", "p": "parameter"}
"""By its symbol: the name of a parameter in the module that holds it."""


class StoredSide(ImportedSide):
    """The recorded calls of a model in the lockstep.

    What the model drew at random, and what else it was given, is taken from `given`. Raises UsageError
    for a model whose calls were not stored, EnvironmentUnfit if PyTorch here records another graph.
    """

    def __init__(
        self, model: ImportedModel, parameters: Mapping[str, Array], lr: float, given: Given
    ) -> None:
        if model.calls is None:
            raise UsageError(Message("calls_not_again"))
        self._calls = _Calls(model, model.calls, parameters)
        super().__init__(self._calls, self._calls.rest)
        self._stored, self._given = signature(model.graph), given
        self.begin(replace(model, paths={name: _path(name) for name in model.parameter_shapes()}), lr)

    def record(self, x: Array, y: Array) -> Import:
        """As any imported model's, of the stored calls."""
        self._calls.values = dict(self._given(x, y))
        with self._calls.drawing:
            recorded = super().record(x, y)
        if signature(recorded.graph) != self._stored:
            raise EnvironmentUnfit(Message("torch_other_graph", torch=torch.__version__))
        return recorded


class _Drawing(internals.DispatchMode):  # type: ignore[no-untyped-call]
    """Overwrites what an operation draws at random, while it runs under the recorder."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wanted: tuple[str, Array] | None = None

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        found = func(*args, **(kwargs or {}))
        if self.wanted is not None and self.wanted[0] == str(func) and isinstance(found, torch.Tensor):
            found.copy_(torch.from_numpy(np.array(self.wanted[1])))
            self.wanted = None
        return found


class _Calls(torch.nn.Module):
    """The calls of a step as a module: up to the model's output; `rest` are those of the loss."""

    def __init__(
        self, model: ImportedModel, calls: Sequence[StoredCall], start: Mapping[str, Array]
    ) -> None:
        super().__init__()
        self.drawing, self._output = _Drawing(), model.output
        self.values: dict[str, Array] = {}
        self._stored = calls
        self._learned: dict[str, torch.Tensor] = {}
        self._statistics = {name: torch.from_numpy(np.array(start[name])) for name in model.statistics}
        for name in model.parameter_shapes():
            holder, _, own = _path(name).partition(".")
            self.add_module(holder, torch.nn.Module())
            parameter = torch.nn.Parameter(torch.from_numpy(np.array(start[name])))
            self.get_submodule(holder).register_parameter(own, parameter)
            self._learned[name] = parameter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The model's output."""
        given = {name: torch.from_numpy(np.array(array)) for name, array in self.values.items()}
        self._tensors = {**given, **self._statistics, **self._learned, "x": x}
        self._left = iter(self._stored)
        return self._run(self._output)

    def rest(self, answer: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of what `forward` has returned."""
        del answer
        self._tensors["y"] = targets
        return self._run(LOSS)

    def _run(self, until: str) -> torch.Tensor:
        """Run the calls that are left, up to the one that makes `until`."""
        for call in self._left:
            made = zip(call.results, _tensors(self._again(call)), strict=False)
            self._tensors |= {name: tensor for name, tensor in made if name is not None}
            if until in call.results:
                return self._tensors[until]
        raise UsageError(Message("calls_do_not_make", until=until))

    def _again(self, call: StoredCall) -> tuple[object, ...]:
        for name in call.results:
            if name is not None and name.startswith("drawn"):
                self.drawing.wanted = call.operation, self.values[name]
        arguments = {name: self._argument(value) for name, value in call.arguments.items()}
        return run_again(call.operation, arguments)

    def _argument(self, written: JsonValue) -> object:
        """An argument with this step's tensors and numbers in their places."""
        if isinstance(written, list):
            return tuple(self._argument(part) for part in written)
        if isinstance(written, dict) and "tensor" in written:
            return self._tensors[str(written["tensor"])]
        if isinstance(written, dict) and "number" in written:
            return self.values[str(written["number"])].item()
        return value_of(written)


def _tensors(found: object) -> Iterator[torch.Tensor]:
    if isinstance(found, torch.Tensor):
        yield found
    elif isinstance(found, tuple | list):
        for part in found:
            yield from _tensors(part)


def _path(name: str) -> str:
    """`also_W3.weight` of the parameter also_W3."""
    return f"{name}.{PARAMETERS[name.removeprefix('also_' * name.count('also_'))[0]]}"
