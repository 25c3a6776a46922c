"""Steps of optimizers: parameters, gradients and state before and after, through PyTorch's own hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from parity.pytorch.recorder import internals
from parity.pytorch.recorder.calls import Calls
from parity.pytorch.recorder.data import Argument, ParameterUpdate, Update
from parity.pytorch.recorder.signatures import tensors
from parity.pytorch.recorder.snapshots import StorageState

Optimizer: TypeAlias = torch.optim.Optimizer


class UpdateListener(Protocol):
    """Who hears of updates, where it is recording."""

    @property
    def recording(self) -> bool:
        """Whether updates are recorded now."""

    def update(self, update: Update) -> None:
        """An optimizer made a step."""


@dataclass(frozen=True)
class _OpenUpdate:
    """A step of an optimizer that is being made. `first` is the first call inside."""

    optimizer: Optimizer
    first: int
    rows: list[tuple[torch.Tensor, ParameterUpdate]]
    held: list[StorageState]


def _state_tensors(optimizer: Optimizer, parameter: torch.Tensor) -> Iterator[torch.Tensor]:
    return tensors(dict(optimizer.state.get(parameter, {})))


class Updates:
    """Records the steps of the given optimizers, or of all where none are given."""

    def __init__(self, calls: Calls, optimizers: tuple[Optimizer, ...], listener: UpdateListener) -> None:
        self._calls, self._optimizers, self._listener = calls, optimizers, listener
        self._counts: Counter[int] = Counter()
        self._open: list[_OpenUpdate] = []

    def enter(self) -> None:
        """From now on every optimizer tells, one whose step is compiled too."""
        self._handles = [
            register_optimizer_step_pre_hook(internals.uncompiled(self._before)),
            register_optimizer_step_post_hook(internals.uncompiled(self._after)),
        ]

    def leave(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _ours(self, optimizer: Optimizer) -> bool:
        ours = not self._optimizers or any(one is optimizer for one in self._optimizers)
        return ours and self._listener.recording

    def _before(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        del args, kwargs
        self._calls.refuse_apart("")  # it is held to its rules, compiled or not
        self._calls.settle()
        if not self._ours(optimizer):
            return
        rows = [
            (parameter, self._row(optimizer, group, parameter))
            for group in optimizer.param_groups
            for parameter in group["params"]
        ]
        written = [
            one for parameter, _ in rows for one in (parameter, *_state_tensors(optimizer, parameter))
        ]
        held = self._calls.snapshots.before_write(written)  # compiled, it tells of no write
        self._open.append(_OpenUpdate(optimizer, self._calls.count, rows, held))
        self._calls.updating = True

    def _row(
        self, optimizer: Optimizer, group: Mapping[str, object], parameter: torch.Tensor
    ) -> ParameterUpdate:
        chosen = {name: value for name, value in group.items() if name not in ("params", "param_names")}
        return ParameterUpdate(
            name=self._calls.places.parameter(parameter),
            hyperparameters={name: self._calls.value(value) for name, value in chosen.items()},
            before=self._calls.snapshots.take(parameter),
            gradient=None if parameter.grad is None else self._calls.snapshots.take(parameter.grad),
            state_before=self._state(optimizer, parameter),
        )

    def _state(self, optimizer: Optimizer, parameter: torch.Tensor) -> dict[str, Argument]:
        state = cast("Mapping[str, object]", optimizer.state.get(parameter, {}))
        return {str(name): self._calls.value(value) for name, value in state.items()}

    def _after(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        del args, kwargs
        self._calls.settle()
        if not self._open or self._open[-1].optimizer is not optimizer:
            return
        over = self._open.pop()
        self._calls.updating = bool(self._open)
        for parameter, row in over.rows:
            row.after = self._calls.snapshots.take(parameter)
            row.state_after = self._state(optimizer, parameter)
        self._counts[id(optimizer)] += 1
        made = tuple(row for _, row in over.rows)
        count = self._counts[id(optimizer)]
        kind, last, inner = type(optimizer).__name__, self._calls.count, bool(self._open)
        self._listener.update(Update(kind, count, made, over.first, last, inner))
