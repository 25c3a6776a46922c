"""The trace of one step: every tensor by its name in the deck."""

from __future__ import annotations

import re

from reference.architecture import Architecture
from reference.arrays import Array

_NAME = re.compile(r"((?:[A-Za-z]+_)?[A-Za-z]+)(\d*)(_next)?")
OF_NO_LAYER = ("x", "y", "loss", "norm")
"""Quantities of which a step has one."""


class Trace(dict[str, Array]):
    """The named tensors of one step, whoever computed it.

    Names: `x y W1 b1 z1 a1 … loss s1 delta1 dW1 db1 W1_next b1_next`. Shapes as in the deck: a column
    is a sample, `loss` is 0-d. `s1` is ∂L/∂a^(1). A state m that an optimizer keeps for W1 is `m_W1`
    before the step and `m_W1_next` after it; clipped gradients are `clipped_W1`, their norm `norm`.
    A trace that an engine hands out is valid until that engine's next step; `kept()` outlives it.
    """

    def kept(self) -> Trace:
        """A copy that later steps do not overwrite."""
        return Trace({name: tensor.copy() for name, tensor in self.items()})


def split(name: str) -> tuple[str, int | None]:
    """The quantity and the layer of a tensor's name: ``split("W2_next") == ("W_next", 2)``.

    Raises ValueError when it is not the name of a tensor.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"{name!r} is not the name of a tensor")
    letters, layer, after = match.groups()
    return letters + (after or ""), int(layer) if layer else None


def tensor_name(quantity: str, layer: int | None) -> str:
    """The inverse of `split`: ``tensor_name("W_next", 2) == "W2_next"``, and loss is loss in any layer."""
    letters, after = quantity.removesuffix("_next"), "_next" if quantity.endswith("_next") else ""
    return f"{letters}{'' if letters in OF_NO_LAYER or layer is None else layer}{after}"


def shapes(architecture: Architecture, batch: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a complete trace, in the order in which a step makes them."""
    layers, depth = architecture.layers, architecture.depth
    parameters = architecture.parameter_shapes()
    expected: dict[str, tuple[int, ...]] = {"x": (layers[0], batch), "y": architecture.target_shape(batch)}
    states = architecture.state_shapes()
    expected |= parameters | states
    for layer in range(1, depth + 1):
        expected |= {f"{name}{layer}": (layers[layer], batch) for name in ("z", "a")}
    expected["loss"] = ()
    for layer in range(depth, 0, -1):
        expected |= {f"{name}{layer}": (layers[layer], batch) for name in ("s", "delta")}
    expected |= {f"d{name}": shape for name, shape in parameters.items()}
    if architecture.clipping:
        expected |= {"norm": ()} if architecture.clipping.measure else {}
        expected |= {architecture.gradient(name): shape for name, shape in parameters.items()}
    expected |= {f"{name}_next": shape for name, shape in (parameters | states).items()}
    return expected
