"""Gradient clipping, between the gradients and the update, to limit the size of a step.

Not in the deck. With clipping, the update takes `clipped_W1` instead of `dW1`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from reference.arrays import Array, Scalar, smaller
from reference.refusal import OptionError


@dataclass(frozen=True)
class Clipping:
    """A clipping method: clip(g, norm, **options) -> g's shape; measure(*gradients, **options) -> norm."""

    name: str
    clip: Callable[..., Array]
    latex: str
    source: str
    options: Mapping[str, float] = field(hash=False)
    measure: Callable[..., Array] | None = None
    latex_measure: str = ""

    def configured(self, **options: float) -> Clipping:
        """The same method with these options. Raises ValueError for an unknown or a missing option."""
        for option in options:
            if option not in self.options:
                raise OptionError("{name} takes no {option}", name=self.name, option=repr(option))
        chosen = {**self.options, **options}
        for option, value in chosen.items():
            if not value > 0:
                raise OptionError(
                    "{name}: {option} must be given, and above 0", name=self.name, option=option
                )
        return replace(self, options=chosen)


def total_norm(*gradients: Array, max_norm: Scalar, norm_type: float) -> Array:
    """‖g‖_p over all gradients, computed as the norm of their norms as in PyTorch; 0-d."""
    return _norm([_norm([g], norm_type) for g in gradients], norm_type)


def _norm(parts: Sequence[Array], p: float) -> Array:
    """(Σ |g|^p)^(1/p) over all parts; for p = ∞, the largest |g|."""
    if p == np.inf:
        return reduce(np.maximum, (np.maximum.reduce(np.absolute(g), axis=None) for g in parts))
    powers = {1.0: np.absolute, 2.0: np.square}
    power = powers.get(p, lambda g: np.power(np.absolute(g), p))
    total = reduce(np.add, (np.add.reduce(power(g), axis=None) for g in parts))
    return np.sqrt(total) if p == 2 else total if p == 1 else np.power(total, 1 / p)


def by_norm(g: Array, norm: Array, *, max_norm: Scalar, norm_type: float) -> Array:
    """Clip by norm: g · min(1, M/(‖g‖ + 1e−6)), which keeps the direction. The 1e−6 is PyTorch's own."""
    return g * smaller(max_norm / (norm + 1e-6), 1.0)


def by_value(g: Array, *, clip_value: Scalar) -> Array:
    """Clip by value: each number limited to [−v, v]."""
    return np.minimum(np.maximum(g, -clip_value), clip_value)


CLIPPINGS: dict[str, Clipping] = {
    entry.name: entry
    for entry in (
        Clipping(
            "norm",
            by_norm,
            r"g \leftarrow g \min\left(1, \frac{M}{\lVert g \rVert_p + 10^{-6}}\right)",
            "torch.nn.utils.clip_grad_norm_",
            {"max_norm": float("nan"), "norm_type": 2.0},
            total_norm,
            r"\lVert g \rVert_p = \left(\sum |g_i|^p\right)^{1/p}",
        ),
        Clipping(
            "value",
            by_value,
            r"g \leftarrow \min(\max(g, -v), v)",
            "torch.nn.utils.clip_grad_value_",
            {"clip_value": float("nan")},
        ),
    )
}
"""Clipping methods by name: "norm", over all parameters together, and "value", number by number."""
