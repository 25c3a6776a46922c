"""What a bounded number shares with an array, and what travels along when it is moved."""

from __future__ import annotations

import numpy as np
import pytest

from parity.bounds import Bounded, bounded, constant, exact
from parity.bounds.formats import COMPUTED, FORMATS, arithmetic, format_of
from reference import arrays

JUDGE = arithmetic(np.float32)
FLOATS = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)


def some():
    """Numbers with bounds of their own."""
    return bounded(JUDGE, FLOATS, FLOATS.astype(float) / 100)


@pytest.mark.parametrize(
    "move",
    [
        lambda a: a.T,
        lambda a: a.transpose(1, 0, 2),
        lambda a: a.transpose((2, 0, 1)),
        lambda a: a.swapaxes(0, 2),
        lambda a: a.reshape(4, 6),
        lambda a: a.reshape((3, -1)),
        lambda a: a[1],
        lambda a: np.pad(a, ((0, 0), (1, 1), (2, 0)), mode="reflect"),
        lambda a: a[..., None, 0],
        lambda a: a[:, ::-1, 1:3],
        lambda a: a[[1, 0, 1]],
        lambda a: a[:, np.array([0, 2]), np.array([3, 1])],
        lambda a: a[FLOATS > 7],
        lambda a: a[np.ix_([0, 1], [2, 0], [1])],
    ],
)
def test_a_movement_moves_values_and_bounds_alike(move):
    moved, still = move(some()), move(exact(JUDGE, FLOATS))
    assert np.array_equal(moved.lowered(), move(FLOATS))
    assert np.array_equal(moved.bound, move(FLOATS.astype(float) / 100))
    assert still.is_exact
    assert (moved.shape, moved.ndim, moved.size) == (
        move(FLOATS).shape,
        move(FLOATS).ndim,
        move(FLOATS).size,
    )


def test_an_open_sum_stays_open_when_it_is_moved():
    x, w = exact(JUDGE, FLOATS), exact(JUDGE, FLOATS[0].T)
    b = exact(JUDGE, np.full(3, 1e6, np.float32))
    before = (x @ w + b).bound
    after = ((x @ w).transpose(2, 0, 1) + b[:, None, None]).bound
    assert np.array_equal(before.transpose(2, 0, 1), after)


def test_floors_kinks_and_ceilings_go_along():
    with np.errstate(all="ignore"):
        large = np.exp(exact(JUDGE, np.array([[1.0, 100.0]], np.float32)))
        assert np.isnan(large.T.floor).tolist() == [[True], [False]]
        joined = np.concatenate([large, large[:, :1]], axis=1)
        assert np.isnan(joined.floor).tolist() == [[True, False, True]]
        step = some() - 5.0 > 0
        assert step.reshape(-1).kink.tolist() == step.kink.ravel().tolist()
        assert step.kink.any()
        lowest = bounded(JUDGE, np.array([0, np.finfo(np.float32).min], np.float32), np.array([0.1, 1e32]))
        masked = lowest - 1.0
        assert np.isnan(masked[::-1].ceiling).tolist() == [False, True]
        assert np.isinf(masked.bound).tolist() == [False, True]
        assert np.exp(masked).bound[1] < 1e-44
        assert masked.bound[0] <= np.max(masked, axis=0).bound < 0.1001


def test_operands_that_are_no_bounded_numbers():
    x = exact(JUDGE, FLOATS)
    assert np.array_equal((x * 0.1).bound, (x * constant(JUDGE, 0.1)).bound)
    assert (FLOATS + x).bound.max() == (x + x).bound.max()
    assert np.where(FLOATS > 3, x, 0.0).is_exact
    assert not np.where(FLOATS > 3, x, 0.1).is_exact
    third = np.full(4, 1 / 3)  # doubles that float32 rounds
    assert np.all((x * third).bound[1:] > (x * third.astype(np.float32)).bound[1:])
    assert np.array_equal((x * np.arange(4)).bound, (x * np.arange(4.0)).bound)
    assert np.array_equal((x * (np.arange(4) > 1)).lowered(), FLOATS * (np.arange(4) > 1))
    assert np.concatenate([FLOATS, x, np.zeros((1, 3, 4))]).is_exact
    assert np.stack([x, FLOATS], axis=-1).shape == (2, 3, 4, 2)
    assert isinstance(arrays.select(x > 3.0, x, FLOATS), Bounded)
    assert isinstance(np.where(x > 3.0, x, FLOATS), Bounded)


@pytest.mark.parametrize(
    "function", [np.sin, np.cos, np.exp, np.tanh, lambda x: 1 / (1 + np.exp(-x))], ids=lambda f: f.__name__
)
def test_what_may_be_nan_is_not_known_to_be_small(function):
    """A sum may have been ∞ − ∞: its sine is as unknown as itself, and so is what tends to 1."""
    with np.errstate(all="ignore"):
        sums = bounded(JUDGE, np.array([0.5, 0.5], np.float32), np.array([0.1, np.inf]))
        assert np.isfinite(function(sums).bound).tolist() == [True, False]


def test_infinities_that_are_no_accident():
    x = exact(JUDGE, np.array([1.0, 2.0], np.float32))
    mask = np.array([0.0, -np.inf], np.float32)
    with np.errstate(all="ignore"):
        masked = x * 0.3 + mask
        assert masked.bound.tolist()[1] == 0
        assert masked.lowered()[1] == -np.inf
        assert np.exp(masked).bound[1] == 0
        assert np.isinf((np.exp(x * 100.0) + mask).bound[1])  # +∞ may meet −∞
        assert np.isnan((exact(JUDGE, mask) - mask).lowered()[1])


def test_reductions_over_several_axes():
    x = some()
    for axis in (None, 1, (0, 2), (0, 1, 2)):
        total = np.add.reduce(x, axis=axis, keepdims=True)
        assert np.array_equal(total.lowered(), FLOATS.sum(axis=axis, keepdims=True))
        assert np.array_equal(np.sum(x, axis=axis).bound, np.squeeze(total.bound, axis))
        assert np.max(x, axis=axis).lowered().tolist() == FLOATS.max(axis=axis).tolist()
        assert np.min(x, axis=axis).lowered().tolist() == FLOATS.min(axis=axis).tolist()
    assert np.mean(x).lowered() == 11.5


def test_the_table_of_formats():
    import torch

    for name, row in FORMATS.items():
        info = torch.finfo(getattr(torch, row.torch))
        assert (row.u * 2, row.largest, row.least_normal) == (info.eps, info.max, info.tiny)
        judge = arithmetic(name)
        assert judge.storage is row
        assert judge.u == FORMATS[row.inside].u
        for number in (1.0 + 2 * row.u, row.largest, 1 / 3):
            held = float(torch.tensor(number, dtype=torch.float64).to(getattr(torch, row.torch)))
            near = held * (1 - 2 * row.u)
            assert f"{held:.{row.digits - 1}e}" != f"{near:.{row.digits - 1}e}"
    assert COMPUTED == ("float32", "float64")
    assert format_of(np.float16).name == "float16"
    for wrong in ("int8", np.int64, "half"):
        with pytest.raises(ValueError, match="dtype"):
            arithmetic(wrong)
    with pytest.raises(ValueError, match="cannot judge"):
        arithmetic(np.float64, "float64")
