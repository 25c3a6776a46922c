"""The trace of one training step: every tensor, by its name in the deck."""

from __future__ import annotations

import re

from reference.arrays import Array

_NAME = re.compile(r"((?:[A-Za-z]+\d*_)*?[A-Za-z]+)(\d*)(_next)?")
OF_NO_LAYER = ("x", "y", "loss", "dloss", "norm")
"""Quantities that belong to the whole step, not to a layer."""


class Trace(dict[str, Array]):
    """The named tensors of one step, from any implementation.

    Names: `x y W1 b1 z1 a1 … loss s1 delta1 dW1 db1 W1_next b1_next`. Shapes as in the deck: a column
    is a sample, `loss` is 0-d. `s1` is ∂L/∂a^(1). A state m that an optimizer keeps for W1 is `m_W1`
    before the step and `m_W1_next` after it; clipped gradients are `clipped_W1`, their norm `norm`.
    A trace returned by an engine is valid until the engine's next step; `kept()` returns a copy.
    """

    def kept(self) -> Trace:
        """A copy that later steps do not overwrite."""
        return Trace({name: tensor.copy() for name, tensor in self.items()})


def split(name: str) -> tuple[str, int | None]:
    """Split a tensor's name into quantity and layer: ``split("W2_next") == ("W_next", 2)``.

    Raises ValueError if it is not the name of a tensor.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"{name!r} is not the name of a tensor")
    letters, layer, after = match.groups()
    return letters + (after or ""), int(layer) if layer else None


def tensor_name(quantity: str, layer: int | None) -> str:
    """The inverse of `split`: ``tensor_name("W_next", 2) == "W2_next"``; "loss" never gets a layer."""
    letters, after = quantity.removesuffix("_next"), "_next" if quantity.endswith("_next") else ""
    return f"{letters}{'' if letters in OF_NO_LAYER or layer is None else layer}{after}"
