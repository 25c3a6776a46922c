"""The few functions of arrays by themselves, and the other numbers that answer to them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from reference.arrays import (
    bfloat16,
    blend,
    column,
    epsilon,
    erf,
    full_like,
    labels,
    larger,
    primitive,
    root,
    select,
    smaller,
)


class Asked:
    """A number of another kind: it is told which function asks."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc.__name__, method, ufunc.nin, ufunc.nout, len(inputs)


@pytest.mark.parametrize(
    ("function", "operands"),
    [
        (select, 3),
        (full_like, 2),
        (column, 2),
        (labels, 1),
        (larger, 2),
        (smaller, 2),
        (root, 1),
        (epsilon, 1),
        (bfloat16, 1),
        (blend, 3),
        (erf, 1),
    ],
)
def test_other_numbers_answer_themselves(function, operands):
    for place in range(operands):
        values = [np.ones((1, 1))] * operands
        values[place] = Asked()
        name = f"{function.__name__} (vectorized)"
        assert function(*values) == (name, "__call__", operands, 1, operands)
    assert function.__doc__


def test_a_primitive_of_ones_own():
    def f(p, q):
        """Doc."""
        return p + q

    made = primitive(2)(f)
    assert (made.__name__, made.__doc__) == ("f", "Doc.")
    assert made(1.0, 2.0) == 3.0
    assert made(Asked(), 1.0) == ("f (vectorized)", "__call__", 2, 1, 2)
    assert made(np.float32(1), np.ones(2)).tolist() == [2.0, 2.0]


def test_small_functions():
    z = np.array([1.0, -2.0], np.float32)
    assert select(np.array([True, False]), z, -z).tolist() == [1.0, 2.0]
    assert full_like(z, 0.5).tolist() == [0.5, 0.5]
    assert full_like(z, 0.5).dtype == np.float32
    assert column(z, (1.0, 2.0)).tolist() == [[1.0], [2.0]]
    assert column(z, (1.0, 2.0)).dtype == np.float32
    for f, expected in ((larger, [1.0, 0.5]), (smaller, [0.5, -2.0])):
        assert f(z, np.float32(0.5)).tolist() == expected
        assert f(z, 0.5).tolist() == expected
        assert f(0.5, z).tolist() == expected
    assert larger(1.0, 2.0) == 2.0
    assert smaller(1.0, 2.0) == 1.0
    assert type(larger(1.0, 2.0)) is float
    assert type(larger(np.ones(1), 0.0)) is np.ndarray
    assert epsilon(z) == 2**-23
    assert epsilon(z.astype(float)) == 2**-52
    assert epsilon(np.array([1], object)) == 2**-52
    assert type(epsilon(z)) is float
    assert root(np.array([4.0, 2.25], np.float32)).tolist() == [2.0, 1.5]
    kept = full_like(np.array([Fraction(1, 3)], object), 2)
    assert kept.dtype == object
    assert type(kept[0]) is Fraction
    assert full_like(Fraction(1, 3), 2).item() == 2
    assert blend(1.0, 2.0, 0.25) == 1.75
    assert erf(z).tolist() == [np.float32(math.erf(v)) for v in z]
    assert erf(z).dtype == np.float32
    assert erf(np.array([Erf()])).tolist() == ["own"]


class Erf:
    def erf(self):
        return "own"


def test_labels_close_with_minus_one():
    y = np.array([[2.0, 0, -1, 1], [0, -1, 1, 1], [-1, 2, 0, 0]], np.float32)
    found = labels(y)
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 1, 0, 1], [0, 0, 0, 2], [1, 0, 0, 0]]  # listed twice, counted twice
    assert labels(np.array([[2.0, 1], [-1, 0], [0, -1]])).tolist() == [[0, 1], [0, 1], [1, 0]]
    assert labels(np.array([[4.0]]))[0, 0] == 1  # an index too large is taken modulo, not out of bounds


def test_bfloat16_is_pytorchs():
    values = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    ties = (np.arange(2**15, 2**17, 2**15, dtype=np.uint32) + np.uint32(0x3F800000)).view(np.float32)
    edges = (np.arange(0, 2**17, 2**13, dtype=np.uint32) + np.uint32(0x3F808000)).view(np.float32)
    for p in (values, ties, -ties, edges, edges + 1, np.nextafter(edges, np.float32(0))):
        assert np.array_equal(bfloat16(p), torch.tensor(p).bfloat16().float().numpy())
        assert bfloat16(p).dtype == np.float32
        assert bfloat16(p.astype(float)).dtype == np.float64
