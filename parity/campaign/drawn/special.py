"""Special values: kinks and their neighbours, ±0, subnormals, the largest, ±∞, NaN, and every exponent.

An activation is asked on its own, on both sides, for a and for δ; so is a loss, for L and ∇L.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from parity.certify.certificate import Certifier, Finding
from parity.pytorch.modules import activation_module
from reference import formulas
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import constants
from reference.operations.activations import Activation
from reference.trace import Trace

PER_BINADE = 64
KINKS = (0.1, 0.3, 0.5, 1.0, 2.5, 3.0, 6.0, 20.0)
"""Where formulas of the table change, by default or in the variants that are tried."""


def ladder(dtype: np.dtype, seed: int = 0) -> Array:
    """Numbers of every exponent, both signs; the special ones; the kinks and their neighbours."""
    info, random = np.finfo(dtype), np.random.default_rng(seed)
    kinks = np.array(KINKS, dtype)
    near = [kinks, np.nextafter(kinks, dtype.type(0)), np.nextafter(kinks, dtype.type(np.inf))]
    lowest = int(np.log2(float(info.smallest_subnormal)))
    exponents = np.repeat(np.arange(lowest, info.maxexp), PER_BINADE)
    with np.errstate(all="ignore"):
        every = np.ldexp(random.uniform(1, 2, exponents.size), exponents).astype(dtype)
    dense = random.uniform(0, 12, 4096).astype(dtype)
    positive = np.concatenate([*near, every, dense])
    return np.concatenate([positive, -positive, extremes(dtype)])


def extremes(dtype: np.dtype) -> Array:
    """±0, ±∞, the largest and the smallest of both signs, and NaN."""
    info = np.finfo(dtype)
    rest = np.array([0, info.smallest_subnormal, info.smallest_normal, info.eps, info.max, np.inf], dtype)
    return np.concatenate([rest, -rest, np.array([np.nan], dtype)])


@dataclass(frozen=True)
class AskedAlone:
    """What one side's formula came to."""

    side: str
    formula: str
    finding: Finding
    z: float  # at the worst number

    def __str__(self) -> str:
        worst = self.finding.worst
        said = f"{worst.observed!r}, expected {worst.expected!r}, {worst.ratio:.3g}" if worst else "–"
        return f"{self.side} {self.formula} at z = {self.z!r}: {said}"


def asked(
    f: Activation, dtype: np.dtype, z: Array, s: Array, findings: tuple[str, ...] = ()
) -> Iterator[AskedAlone]:
    """a = f(z) and δ of both sides, certified on their own z and s, all of it (units, samples)."""
    architecture = Architecture((1, z.shape[0]), (f,), dtype=dtype)
    certifier = Certifier(architecture, findings=findings)
    learned = {
        name: np.full(shape, f.options["init"], dtype)
        for name, shape in architecture.parameter_shapes().items()
        if name == "alpha1"
    }
    known = constants(architecture, z.shape[1], 0.1)
    for side, (a, delta) in {
        "reference": _reference(f, z, s, tuple(learned.values())),
        "torch": _torch(f, z, s),
    }.items():
        trace = Trace(z1=z, a1=a, s1=s, delta1=delta, **learned)
        for equation in certifier.equations:
            if equation.makes in ("a1", "delta1"):
                with np.errstate(all="ignore"):
                    finding = certifier.check(equation, trace, known)
                place = finding.worst.index if finding.worst else (0, 0)
                yield AskedAlone(side, equation.formula.name, finding, float(z[place]))


def _reference(f: Activation, z: Array, s: Array, learned: tuple[Array, ...]) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        a = formulas.activation(f, z, *learned)
        return a, formulas.through(f, s, z, a, *learned)


def _torch(f: Activation, z: Array, s: Array) -> tuple[Array, Array]:
    dtype = torch.float64 if z.dtype == np.float64 else torch.float32
    rows = torch.from_numpy(np.ascontiguousarray(z.T)).requires_grad_()
    a = activation_module(f, dtype)(rows)
    (delta,) = torch.autograd.grad(a, rows, torch.from_numpy(np.ascontiguousarray(s.T)))
    return a.detach().numpy().T, delta.numpy().T
