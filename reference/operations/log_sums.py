"""log(e^x + e^z), without the overflow of the exponentials.

Source: `torch.logaddexp`; ATen/native/cpu/BinaryOpsKernel.cpp, derivatives.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference.arrays import Array, select
from reference.operation import Sample, define
from reference.operations.shapes import broadcast, summed_to


def _logaddexp(x: Array, z: Array) -> Array:
    """max + log(1 + e^(−|x − z|)); of two infinities of one sign, that one."""
    gap = np.absolute(x - z)
    same = np.logical_and(np.isinf(x), np.equal(x, z))
    rest = select(same, np.zeros_like(gap), np.log1p(np.exp(-gap)))
    return np.maximum(x, z) + rest


def _x_gradient(g: Array, x: Array, z: Array) -> Array:
    """g e^x/(e^x + e^z)."""
    return summed_to(g / (1 + np.exp(z - x)), x)


def _z_gradient(g: Array, x: Array, z: Array) -> Array:
    return summed_to(g / (1 + np.exp(x - z)), z)


def _samples() -> Iterator[Sample]:
    rng = np.random.default_rng(71)
    yield Sample({"x": 3 * rng.standard_normal((2, 3, 4)), "z": 3 * rng.standard_normal((3, 1))})
    yield Sample({"x": rng.standard_normal(5), "z": rng.standard_normal(5)})


LOGADDEXP = define(
    "logaddexp",
    (_logaddexp, r"\log(e^x + e^z)"),
    {"x": (_x_gradient, r"\frac{g}{1 + e^{z - x}}"), "z": (_z_gradient, r"\frac{g}{1 + e^{x - z}}")},
    fits=broadcast,
    torch="torch.logaddexp",
    aten={"aten.logaddexp.default": "x z -> y"},
    samples=_samples,
)

OPERATIONS = (LOGADDEXP,)
