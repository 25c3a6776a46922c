"""The module that a config's `[[network.modules]]` describes, built of PyTorch's own and tried on data."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import attrgetter
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from parity.config.config import MAX_PARAMETERS
from parity.config.modules import INPUT, ModuleRow
from parity.errors import UsageError, quoted
from parity.render.texts.message import Message

Function = Callable[..., torch.Tensor]

SEVERAL: Mapping[str, Callable[[Sequence[torch.Tensor]], torch.Tensor]] = {
    "add": lambda parts: reduce(torch.add, parts),
    "mul": lambda parts: reduce(torch.mul, parts),
}
"""Functions of two tensors in PyTorch, of any number here."""


class Declared(torch.nn.Module):
    """Rows as one module. Each row's module is a child by the row's name; functions have none."""

    def __init__(self, rows: Sequence[ModuleRow], dtype: torch.dtype) -> None:
        """Raises UsageError where PyTorch refuses what a row gives it."""
        super().__init__()
        self._declared = list(rows)
        for row in rows:
            if isinstance(kind := attrgetter(row.known.source.removeprefix("torch."))(torch), type):
                if hasattr(self, row.name):
                    raise UsageError(Message("modules_taken", row=row.where))
                with _refused(row):
                    made = cast("Callable[..., torch.nn.Module]", kind)(**_arguments(row)).to(dtype)
                    self.add_module(row.name, made)
            if row.weights is not None:
                self._share(row, row.weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the last row makes. x (samples, features)."""
        made = {INPUT: x}
        for row in self._declared:
            made[row.name] = self.compute(row, [made[name] for name in row.reads])
        return made[self._declared[-1].name]

    def compute(self, row: ModuleRow, given: Sequence[torch.Tensor]) -> torch.Tensor:
        """What one row makes of what it reads."""
        if row.name in self._modules:
            module = self.get_submodule(row.name)
            if isinstance(module, torch.nn.MultiheadAttention):
                found = module(*_three(given), need_weights=False)[0]
            elif isinstance(module, torch.nn.Embedding):
                found = module(given[0].long())
            else:
                found = module(*given)
            return cast("torch.Tensor", found)
        if row.type in SEVERAL:
            return SEVERAL[row.type](given)
        call: Function = attrgetter(row.known.source.removeprefix("torch."))(torch)
        if row.type == "cat":
            return call(list(given), **_arguments(row))
        return call(*(_three(given) if 3 in row.known.reads else given), **_arguments(row))

    def _share(self, row: ModuleRow, other: str) -> None:
        """Let a row's module have the parameters of another one that have the same names."""
        mine, theirs = self.get_submodule(row.name), self.get_submodule(other)
        own = dict(mine.named_parameters(recurse=False))
        shared = {name: one for name, one in theirs.named_parameters(recurse=False) if name in own}
        if not shared or any(own[name].shape != one.shape for name, one in shared.items()):
            raise UsageError(Message("modules_weights", row=row.where, other=other))
        for name, parameter in shared.items():
            setattr(mine, name, parameter)


def _three(given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Queries, keys and values; one tensor is all three."""
    return given if len(given) > 1 else (given[0], given[0], given[0])


def declared(
    rows: Sequence[ModuleRow], x: NDArray[np.generic], seed: int
) -> tuple[Declared, tuple[int, ...]]:
    """The module of these rows in x's format, drawn with the seed by PyTorch's own initialisation.

    It was tried on x (samples, features): the shape is that of what it made. Raises UsageError for the
    first row that PyTorch refuses, with the shape that it was given.
    """
    dtype = torch.from_numpy(x[:0]).dtype
    with torch.device("meta"):
        numbers = sum(parameter.numel() for parameter in Declared(rows, dtype).parameters())
    if numbers > MAX_PARAMETERS:
        raise UsageError(Message("modules_parameters", most=f"{MAX_PARAMETERS:,}"))
    torch.manual_seed(seed)
    module = Declared(rows, dtype)
    return module, _try(copy.deepcopy(module), rows, x)


SAMPLES = 2
"""On which a network is tried; what is looked up is tried on all data."""


def _try(module: Declared, rows: Sequence[ModuleRow], x: NDArray[np.generic]) -> tuple[int, ...]:
    """Run the rows one by one, so that the one that fails is known; the random state stays."""
    made = {INPUT: torch.from_numpy(np.array(x[:SAMPLES]))}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for row in rows:
            if row.type == "Embedding" and row.reads == (INPUT,):
                _looked_up(row, module.get_submodule(row.name), x)
            given = [made[name] for name in row.reads]
            shapes = ", ".join(shown(tensor.shape) for tensor in given)
            with _refused(row, shapes):
                made[row.name] = module.compute(row, given)
            if not len(made[row.name].shape) or len(made[row.name]) != len(given[0]):
                reason = Message("modules_samples", shape=tuple(made[row.name].shape))
                raise UsageError(Message("modules_fit", row=row.where, shape=shapes, reason=reason))
    return tuple(made[rows[-1].name].shape)


def _looked_up(row: ModuleRow, module: torch.nn.Module, x: NDArray[np.generic]) -> None:
    """Raises UsageError where the data holds what an embedding has no row for."""
    known = cast("int", module.num_embeddings)
    numbers = x.astype(np.float64)
    wrong = np.argwhere((numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= known))
    if len(wrong):
        sample = int(wrong[0][0])
        found = x[tuple(wrong[0])]
        raise UsageError(
            Message("modules_indices", row=row.where, most=known - 1, sample=sample, found=found)
        )


def shown(shape: Sequence[int]) -> str:
    """A shape as messages show it: `(N, 8, 4, 4)`, for N samples."""
    return f"({', '.join(['N', *map(str, shape[1:])])}{',' if len(shape) == 1 else ''})"


def _arguments(row: ModuleRow) -> Mapping[str, object]:
    """A row's arguments as PyTorch takes them: a list is a tuple."""
    return {name: _tuple(value) for name, value in row.options.items()}


def _tuple(value: JsonValue) -> object:
    return tuple(_tuple(part) for part in value) if isinstance(value, list) else value


@contextmanager
def _refused(row: ModuleRow, shapes: str = "") -> Iterator[None]:
    """What PyTorch refuses, in one line that names the row."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UsageError:
        raise
    except Exception as error:
        said = quoted(str(error).partition("\n")[0])
        message = Message("modules_refused", row=row.where, reason=said)
        if shapes:
            message = Message("modules_fit", row=row.where, shape=shapes, reason=said)
        raise UsageError(message) from None
