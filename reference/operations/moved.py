"""What a movement is made of, and the samples that it is tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array
from reference.operation import Operation, Option, Sample, define

Sizes = tuple[int, ...]


def moved(
    name: str,
    forward: Callable[..., Array],
    back: Callable[..., Array],
    latex: str,
    latex_back: str,
    aten: dict[str, str],
    *cases: tuple[Sizes, dict[str, Option]],
    torch: str = "",
    whole: bool = True,
    **options: Option,
) -> Operation:
    """A movement and its inverse, on arrays of these shapes with these options."""
    return define(
        name,
        (forward, latex),
        {"x": (back, latex_back)},
        options=options,
        torch=torch or f"torch.{name}",
        aten={f"aten.{key}": record for key, record in aten.items()},
        samples=_samples(*cases, whole=whole),
    )


def _samples(*cases: tuple[Sizes, dict[str, Option]], whole: bool) -> Callable[[], Iterator[Sample]]:
    def made() -> Iterator[Sample]:
        rng = np.random.default_rng(24)
        for shape, options in cases:
            yield Sample({"x": rng.standard_normal(shape)}, options)
        if whole:
            yield Sample({"x": np.arange(np.prod(cases[0][0])).reshape(cases[0][0])}, cases[0][1])

    return made
