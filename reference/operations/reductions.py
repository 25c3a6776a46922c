"""Reductions of an array to a single number: sum and mean."""

from __future__ import annotations

import math

import numpy as np

from reference.arrays import Array
from reference.operation import define
from reference.operations.shapes import spread


def _total(terms: Array) -> Array:
    total: Array = np.add.reduce(terms, axis=None)
    return total


def _total_gradient(g: Array, terms: Array) -> Array:
    return spread(g, terms)


def _mean(terms: Array) -> Array:
    return np.divide(_total(terms), math.prod(terms.shape))


def _some(terms: Array) -> bool:
    return 0 not in terms.shape


def _mean_gradient(g: Array, terms: Array) -> Array:
    return spread(np.divide(g, math.prod(terms.shape)), terms)


TOTAL = define("total", (_total, r"\sum_i t_i"), {"terms": (_total_gradient, r"g")}, label="Σ")
MEAN = define(
    "average",
    (_mean, r"\frac{1}{n}\sum_i t_i"),
    {"terms": (_mean_gradient, r"\frac{g}{n}")},
    label="(1/n) Σ",
    fits=_some,
)

OPERATIONS = (TOTAL, MEAN)
