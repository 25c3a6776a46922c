"""PyTorch's own modules, losses and optimizers, by what the reference's tables say of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch

from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.model import Model
from reference.operations.activations import Activation
from reference.operations.losses import Loss, Option
from reference.optimizers import Optimizer


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What PyTorch refuses is a wrong question. Some options it only looks at when it is called."""
    try:
        yield
    except (ValueError, RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(Message("torch_refuses", what=what, reason=reason)) from None


def activation_module(f: Activation, dtype: torch.dtype) -> torch.nn.Module:
    """The module of `torch.nn` that an activation's source names, with its options.

    Raises UsageError for options that PyTorch refuses, as all in this module do.
    """
    options: dict[str, object] = {**f.options, **f.torch_options}
    if f.learned:
        options |= {f.learned.number: int(f.options[f.learned.number]), "dtype": dtype}
    module: Callable[..., torch.nn.Module] = getattr(torch.nn, f.source.removeprefix("torch.nn."))
    with _refusals(f"activation {f.name}"):
        built = module(**options)
        built(torch.zeros(1, int(f.options[f.learned.number]) if f.learned else 1, dtype=dtype))
    return built


def loss_module(
    architecture: Architecture, dtype: torch.dtype
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of `torch.nn`. Of reduction "none" the caller sums, and here that is us."""
    L, reduction = architecture.loss, architecture.reduction
    plainly = loss_of_row(L, reduction, dtype)

    def loss(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if architecture.class_indices:
            y = y[:, 0].long()
        elif L.target == "labels":
            y = y.long()
        return plainly(y_hat, y)

    with _refusals(f"loss {L.name}"):
        outputs, width = architecture.layers[-1], architecture.target_shape(1)[0]
        loss(torch.full((1, outputs), 0.5, dtype=dtype), torch.zeros(1, width, dtype=dtype))
    as_it_is = L.target in ("values", "either") and not architecture.class_indices
    return plainly if as_it_is else loss


def loss_of_row(
    L: Loss, reduction: str, dtype: torch.dtype
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of `torch.nn` that a row of the table names, on what its forward takes; it is one number."""
    options = {name: _option(L, name, value, dtype) for name, value in L.options.items()}
    per_call = [cast("float", options.pop(name)) for name in L.per_call]
    kind: Callable[..., torch.nn.Module] = getattr(torch.nn, L.source.removeprefix("torch.nn."))
    with _refusals(f"loss {L.name}"):
        module = kind(reduction=reduction, **options)
    if not per_call and reduction != "none" and "batchmean" not in L.reductions:
        return cast("Callable[[torch.Tensor, torch.Tensor], torch.Tensor]", module)

    def loss(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():  # that KLDiv's mean is no divergence: our table says so too
            warnings.filterwarnings("ignore", "reduction: 'mean' divides")
            found = module(y_hat, y, *(torch.full_like(y_hat, value) for value in per_call))
        return cast("torch.Tensor", found.sum() if reduction == "none" else found)

    return loss


def _option(L: Loss, name: str, value: Option, dtype: torch.dtype) -> object:
    """A loss's option as its module takes it."""
    if isinstance(value, tuple):
        return torch.tensor(value, dtype=dtype)
    return int(cast("float", value)) if name in L.integers else value


class Optimizers:
    """One optimizer of `torch.optim` for the matrices and another one for the rest."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    def step(self) -> None:
        for part in self.parts:
            part.step()

    @property
    def state(self) -> dict[torch.Tensor, dict[str, torch.Tensor]]:
        return {parameter: state for part in self.parts for parameter, state in part.state.items()}


def optimizer(
    architecture: Model, parameters: Iterable[torch.Tensor], lr: float
) -> torch.optim.Optimizer | Optimizers:
    """The optimizer of `torch.optim`: one for all parameters, or, where it takes only matrices, two."""
    asked, known = architecture.optimizer, list(parameters)
    if asked.others is None or asked.others.name == asked.name:
        return _optimizer(asked, known, lr)
    matrices = [parameter for parameter in known if parameter.ndim == 2]
    rest = [parameter for parameter in known if parameter.ndim != 2]
    return Optimizers(_optimizer(asked, matrices, lr), _optimizer(asked.others, rest, lr))


def _optimizer(asked: Optimizer, parameters: list[torch.Tensor], lr: float) -> torch.optim.Optimizer:
    kind: Callable[..., torch.optim.Optimizer] = getattr(
        torch.optim, asked.source.removeprefix("torch.optim.")
    )
    with _refusals(f"optimizer {asked.name}"):
        trial = torch.nn.Parameter(torch.zeros(1, 1))
        trial.grad = torch.zeros(1, 1)
        kind([trial], lr=lr, **asked.torch_options).step()
        return kind(parameters, lr=lr, **asked.torch_options)
