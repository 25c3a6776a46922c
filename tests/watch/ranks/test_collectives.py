"""What ranks exchange is held to what all of them gave."""

import numpy as np
import pytest

from parity.pytorch.recorder.data import Recorded
from parity.watch.check import Check, Left
from parity.watch.ranks.collectives import held_to_formula
from parity.watch.ranks.round import Collective

RANDOM = np.random.default_rng(3)
GIVEN = [RANDOM.standard_normal((3, 2)).astype(np.float32) for _ in range(3)]


def exchange(operation, reduction, given, made, ranks=(0, 1, 2), root=None):
    """As each rank saw it; `made` is a list of results for each."""

    def of(values):
        return tuple(Recorded.of(one, str(one.dtype)) for one in values)

    return [
        Collective(operation, "", "train.py:3", ranks, reduction, root, of([mine]), of(results))
        for mine, results in zip(given, made, strict=True)
    ]


def wrong(found):
    return [one.measured.wrong for one in found if isinstance(one, Check)]


ONE_OFF = GIVEN[1] * np.float32(1 + 2.0**-20)
SUM = (GIVEN[2] + GIVEN[0]) + GIVEN[1]
RIGHT = {
    "sum": exchange("allreduce_", "SUM", GIVEN, [[SUM], [GIVEN[0] + (GIVEN[1] + GIVEN[2])], [SUM]]),
    "max": exchange("allreduce_", "MAX", GIVEN, [[np.maximum.reduce(GIVEN)]] * 3),
    "min": exchange("allreduce_", "MIN", GIVEN, [[np.minimum.reduce(GIVEN)]] * 3),
    "broadcast": exchange("broadcast_", "", GIVEN, [[GIVEN[1]]] * 3, root=1),
    "gather": exchange("allgather_", "", GIVEN, [GIVEN] * 3),
    "gather at once": exchange("_allgather_base_", "", GIVEN, [[np.concatenate(GIVEN)]] * 3),
    "whole numbers": exchange("allreduce_", "SUM", [np.arange(3)] * 3, [[3 * np.arange(3)]] * 3),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_ones_are_inside_on_every_rank(kind):
    found = list(held_to_formula(RIGHT[kind]))
    assert {one.rank for one in found} == {0, 1, 2}
    assert not any(wrong(found))


WRONG = {
    "sum": exchange("allreduce_", "SUM", GIVEN, [[SUM], [SUM], [SUM * np.float32(1 + 2.0**-18)]]),
    "max": exchange("allreduce_", "MAX", GIVEN, [[np.maximum.reduce(GIVEN)]] * 2 + [[GIVEN[0]]]),
    "broadcast": exchange("broadcast_", "", GIVEN, [[GIVEN[1]], [GIVEN[1]], [ONE_OFF]], root=1),
    "of another rank": exchange("broadcast_", "", GIVEN, [[GIVEN[1]], [GIVEN[1]], [GIVEN[0]]], root=1),
    "gather": exchange("allgather_", "", GIVEN, [GIVEN] * 2 + [[GIVEN[0], GIVEN[2], GIVEN[2]]]),
    "shape": exchange("broadcast_", "", GIVEN, [[GIVEN[1]], [GIVEN[1]], [GIVEN[1][:2]]], root=1),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_ones_are_told_on_their_rank(kind):
    found = list(held_to_formula(WRONG[kind]))
    assert {one.rank for one in found if one.measured.wrong} == {2}


def test_only_the_root_of_a_reduction_has_its_result():
    (found,) = held_to_formula(exchange("reduce_", "SUM", GIVEN, [[GIVEN[0]], [GIVEN[0]], [SUM]], root=2))
    assert (found.rank, found.measured.wrong) == (2, False)
    (found,) = held_to_formula(exchange("reduce_", "SUM", GIVEN, [[SUM], [SUM], [ONE_OFF]], root=2))
    assert (found.rank, found.measured.wrong) == (2, True)


def test_what_has_no_formula_is_left():
    product = exchange("allreduce_", "PRODUCT", GIVEN, [[SUM]] * 3)
    part = exchange("allreduce_", "SUM", GIVEN, [[SUM]] * 3, ranks=(0, 1))
    mixed = [product[0], *RIGHT["sum"][1:]]
    for one in (product, part, mixed):
        (found,) = held_to_formula(one)
        assert isinstance(found, Left)
        assert found.kind == "unsupported"
