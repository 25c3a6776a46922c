"""Arithmetic, number by number."""

from __future__ import annotations

import numpy as np

from reference.arrays import Array
from reference.operation import define


def _add(p: Array, q: Array) -> Array:
    return np.add(p, q)


def _subtract(p: Array, q: Array) -> Array:
    return np.subtract(p, q)


def _alike(p: Array, q: Array) -> bool:
    return p.shape == q.shape


def _unchanged(g: Array) -> Array:
    return np.positive(g)


def _negated(g: Array) -> Array:
    return np.negative(g)


def _square(r: Array) -> Array:
    return np.square(r)


def _square_gradient(g: Array, r: Array) -> Array:
    return np.multiply(np.multiply(2, g), r)


G = r"g"

ADD = define("add", (_add, r"p + q"), {"p": (_unchanged, G), "q": (_unchanged, G)}, label="+", fits=_alike)
SUBTRACT = define(
    "subtract",
    (_subtract, r"p - q"),
    {"p": (_unchanged, G), "q": (_negated, r"-g")},
    label="−",
    fits=_alike,
)
SQUARE = define("square", (_square, r"r^2"), {"r": (_square_gradient, r"2 g r")}, label="( )²")

OPERATIONS = (ADD, SUBTRACT, SQUARE)
