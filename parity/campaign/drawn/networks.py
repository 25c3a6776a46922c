"""Random networks in the regimes where floating point is hard."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from parity.config.case import Case
from reference.architecture import architecture
from reference.arrays import Array

Random = np.random.Generator
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu")


def _ordinary(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    return random.normal(size=shape)


def _saturated(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    return 40 * random.normal(size=shape)


def _tiny(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    return 1e-6 * random.normal(size=shape)


def _subnormal(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Magnitudes around the square root of the smallest normal: products fall below it."""
    return math.sqrt(float(np.finfo(dtype).smallest_normal)) * random.normal(size=shape)


def _cancelling(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Columns that come in pairs of opposite sign and almost the same size."""
    values = 100 * random.normal(size=shape)
    half = shape[1] // 2
    values[:, half : 2 * half] = -values[:, :half] * (1 + 1e-5 * random.normal(size=(shape[0], half)))
    return values


def _wide(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Twelve orders of magnitude in one tensor."""
    return random.normal(size=shape) * 10.0 ** random.uniform(-8, 4, size=shape)


def _large(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    return 1e4 * random.normal(size=shape)


def _sparse(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Zeros of both signs among ordinary numbers."""
    return np.asarray(random.normal(size=shape) * random.choice([0.0, -0.0, 1.0], size=shape))


def _huge(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Magnitudes around the square root of the largest number: some products overflow."""
    return 0.3 * math.sqrt(float(np.finfo(dtype).max)) * random.normal(size=shape)


def _ties(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Few values, so that many are equal: halves, and both zeros."""
    values = np.round(2 * random.normal(size=shape)) / 2
    return np.asarray(values * random.choice([1.0, -1.0], size=shape))


def _special(random: Random, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Ordinary numbers and, among them, few that are none, infinite, the largest, or subnormal."""
    values, info = random.normal(size=shape), np.finfo(dtype)
    special = [np.nan, np.inf, -np.inf, float(info.max), -float(info.max), 0.0, -0.0]
    special += [float(info.smallest_subnormal), -float(info.smallest_normal)]
    chosen = random.random(shape) < min(0.1, 2 / max(1, values.size))
    return np.where(chosen, random.choice(special, size=shape), values)


Regime: TypeAlias = Callable[[Random, tuple[int, ...], np.dtype], Array]

REGIMES: dict[str, Regime] = {
    "ordinary": _ordinary,
    "saturated": _saturated,
    "tiny": _tiny,
    "subnormal": _subnormal,
    "cancelling": _cancelling,
    "wide": _wide,
    "large": _large,
    "sparse": _sparse,
}
"""Those in which no correct side of the deck's own networks may be accused."""

HARD_REGIMES: dict[str, Regime] = {**REGIMES, "huge": _huge, "ties": _ties, "special": _special}
"""And those where numbers are no longer finite, and PyTorch's deviations show."""


def random_case(
    seed: int,
    regime: str = "ordinary",
    dtype: str = "float32",
    activation: str | tuple[str, ...] | None = None,
    layers: tuple[int, ...] | None = None,
    batch: int | None = None,
    steps: int = 2,
) -> Case:
    """A random rectangular network with random weights, inputs and targets of one regime."""
    random = np.random.default_rng(seed)
    if layers is None:
        depth = int(random.integers(1, 5))
        layers = tuple(int(n) for n in random.integers(1, 9, size=depth + 1))
    if activation is None:
        activation = tuple(str(f) for f in random.choice(ACTIVATIONS, size=len(layers) - 1))
    batch = batch or int(random.integers(1, 8))
    shape = architecture(layers, activation, np.dtype(dtype))
    draw = HARD_REGIMES[regime]
    parameters = {
        name: draw(random, size, np.dtype(dtype)).astype(dtype)
        for name, size in shape.parameter_shapes().items()
    }
    x = np.ascontiguousarray(draw(random, (layers[0], batch), np.dtype(dtype)).astype(dtype).T).T
    y = np.ascontiguousarray(draw(random, (layers[-1], batch), np.dtype(dtype)).astype(dtype).T).T
    lr = float(10.0 ** random.uniform(-3, 0))
    return Case(shape, parameters, x, y, lr=lr, steps=steps, seed=seed)
