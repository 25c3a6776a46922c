"""What a caller of `torch.autograd.backward` or `torch.autograd.grad` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from parity.pytorch.recorder import internals

if TYPE_CHECKING:
    from torch.autograd.graph import GradientEdge


@dataclass(frozen=True)
class Asked:
    """What a caller of autograd asks for."""

    outputs: tuple[torch.Tensor | GradientEdge, ...]
    seeds: tuple[torch.Tensor | None, ...]
    inputs: tuple[torch.Tensor | GradientEdge, ...] | None
    retained: bool
    batched: bool

    @classmethod
    def of(cls, arguments: Mapping[str, object]) -> Asked:
        """Out of the arguments of `torch.autograd.backward` or of `torch.autograd.grad`."""
        outputs = several(arguments.get("tensors", arguments.get("outputs")))
        seeds = several(arguments.get("grad_tensors", arguments.get("grad_outputs")))
        inputs = arguments.get("inputs")
        keep, create = arguments.get("retain_graph"), arguments.get("create_graph", False)
        return cls(
            cast("tuple[torch.Tensor | GradientEdge, ...]", outputs),
            cast("tuple[torch.Tensor | None, ...]", seeds) or (None,) * len(outputs),
            None if inputs is None else cast("tuple[torch.Tensor, ...]", several(inputs)),
            bool(create if keep is None else keep),
            bool(arguments.get("is_grads_batched", False)),
        )

    @property
    def _targets(self) -> list[torch.Tensor]:
        return [one for one in (*self.outputs, *(self.inputs or ())) if isinstance(one, torch.Tensor)]

    @property
    def answerable(self) -> bool:
        """Whether all of it can be differentiated. If not, PyTorch will say so."""
        return all(one.requires_grad for one in self._targets) and len(self.outputs) == len(self.seeds)

    @property
    def plain(self) -> bool:
        """Whether these are tensors with values of their own."""
        return all(internals.is_plain(one) for one in self._targets)


def several(value: object) -> tuple[object, ...]:
    """One tensor or several, as PyTorch's functions take them and give them back."""
    if value is None:
        return ()
    if isinstance(value, torch.Tensor) or hasattr(value, "output_nr"):
        return (value,)
    return tuple(value.values()) if isinstance(value, dict) else tuple(cast("list[object]", value))
