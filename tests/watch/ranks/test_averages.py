"""The bound of a mean over ranks: every way to compute it lies inside, and no mistake does."""

import itertools

import numpy as np
import pytest

from parity.pytorch.recorder.data import Recorded
from parity.watch.losses import LossPlace, Reduction
from parity.watch.ranks.averages import averaged, mean, shares

SHAPE = (7, 5)
DTYPES = {"float32": np.float32, "float64": np.float64}


def gradients(ranks, dtype, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    scale = spread ** random.standard_normal(SHAPE)
    return [(random.standard_normal(SHAPE) * scale).astype(DTYPES[dtype]) for _ in range(ranks)]


def recorded(values, dtype):
    return [Recorded.of(one, dtype) for one in values]


def ways(parts, dtype):
    """The mean, as DistributedDataParallel, a ring and a program by hand may compute it."""
    n, kind = len(parts), DTYPES[dtype]
    orders = list(itertools.permutations(range(n)))[:12]
    for order in orders:
        for given in (
            [parts[r] for r in order],
            [parts[r] / kind(n) for r in order],
            [parts[r] * kind(1 / n) for r in order],
        ):
            whole = given[0].copy()
            for one in given[1:]:
                whole = (whole + one).astype(kind)
            yield whole / kind(n) if given[0] is parts[order[0]] else whole
    halves = [sum(parts[r] for r in range(start, n, 2)) for start in (0, 1)] if n > 1 else [parts[0]]
    yield (sum(halves) * kind(1 / n)).astype(kind)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("spread", [1.0, 1e3])
def test_every_way_lies_inside(ranks, dtype, spread):
    worst = 0.0
    for seed in range(5):
        parts = gradients(ranks, dtype, seed, spread)
        for made in ways(parts, dtype):
            found = mean(recorded(parts, dtype), Recorded.of(made, dtype))
            assert not found.wrong
            assert not found.vacuous
            worst = max(worst, found.worst.ratio)
    assert ranks == 1 or worst > 0.05  # the bound is not idle


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("units", [8, 64])
def test_a_number_that_is_a_few_units_off_is_told(ranks, units):
    parts = [np.abs(one) for one in gradients(ranks, "float32")]
    made = sum(parts[1:], parts[0]) / np.float32(ranks)
    made[3, 2] *= np.float32(1 + units * 2.0**-23)
    assert mean(recorded(parts, "float32"), Recorded.of(made, "float32")).wrong


def of_means(counts):
    place = LossPlace("", "mse_loss", "train.py:3")
    return [[Reduction(place, count, 1.0, True, (), 1)] for count in counts]


MISTAKES = {
    "sum": lambda parts: sum(parts[1:], parts[0]),
    "divided_twice": lambda parts: sum(parts[1:], parts[0]) / np.float32(len(parts) ** 2),
    "of_one_rank": lambda parts: parts[-1],
    "rank_left_out": lambda parts: sum(parts[2:], parts[1]) / np.float32(len(parts) - 1),
    None: lambda parts: np.sign(sum(parts[1:], parts[0])),
}


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_not_the_mean_is_wrong_and_named(ranks, mistake):
    if ranks == 2 and mistake == "rank_left_out":
        mistake = "of_one_rank"  # which is the same
    parts = gradients(ranks, "float32")
    used = Recorded.of(MISTAKES[mistake](parts).astype(np.float32), "float32")
    found = averaged(recorded(parts, "float32"), [used], of_means([6] * ranks), None)
    assert found.measured.wrong
    assert (found.mistake.mistake if found.mistake else None) == mistake


@pytest.mark.parametrize("rank", [0, 2])
def test_what_a_rank_found_alone_is_named(rank):
    parts = gradients(3, "float32")
    found = averaged(
        recorded(parts, "float32"), [Recorded.of(parts[rank], "float32")], of_means([6] * 3), rank
    )
    assert found.mistake.mistake == "not_synchronised"


def test_the_mean_of_all_samples_is_as_good_where_batches_are_unequal():
    parts, counts = gradients(3, "float32"), (8, 5, 2)
    made = sum(np.float32(c) * p for c, p in zip(counts, parts, strict=True)) / np.float32(15)
    used = Recorded.of(made.astype(np.float32), "float32")
    assert not averaged(recorded(parts, "float32"), [used], of_means(counts), None).measured.wrong
    assert averaged(recorded(parts, "float32"), [used], of_means([5] * 3), None).measured.wrong


def test_losses_that_are_shares_of_one_mean_are_added():
    place = LossPlace("", "sum", "train.py:3")
    third = float(np.float32(1 / 3))
    assert shares([[Reduction(place, 6, third, True, (3.0,), 3)]] * 3)
    assert shares([[Reduction(place, 6, 6.0, False, (), 1)]] * 3)  # plain sums
    assert not shares([[Reduction(place, 6, 1.0, True, (), 1)]] * 3)
    assert not shares([[Reduction(place, 6, third * (1 + 1e-6), True, (3.0,), 3)]] * 3)
    assert not shares([[]] * 3)
