"""Sums by index: of cells that receive one number each nothing is rounded, of others it may be."""

import numpy as np
import pytest

from parity.watch.unrounded import Unrounded, unrounded
from reference.arrays import scatter_add

ROWS = np.array([[0], [1]])


def test_a_number_for_each_cell_is_placed():
    values, index = np.float32([[1.1, 2.2], [3.3, 4.4]]), (ROWS, np.array([[2, 0], [1, 2]]))
    found = unrounded(lambda g: scatter_add((2, 3), index, g), [Unrounded(values)])
    assert np.array_equal(found, scatter_add((2, 3), index, values))


def test_whole_rows_are_placed():
    values, index = np.float32([[1.1, 2.2], [3.3, 4.4]]), (np.array([2, 0]),)
    found = unrounded(lambda g: scatter_add((3, 2), index, g), [Unrounded(values)])
    assert np.array_equal(found, np.float32([[3.3, 4.4], [0, 0], [1.1, 2.2]]))


@pytest.mark.parametrize("places", [[[2, 2], [1, 0]], [[2, 0], [1, -1]]])
def test_numbers_that_meet_are_left_to_the_rules(places):
    index = (ROWS, np.array(places))
    values = Unrounded(np.float32([[1.1, 2.2], [3.3, 4.4]]))
    assert unrounded(lambda g: scatter_add((2, 3), index, g), [values]) is None
