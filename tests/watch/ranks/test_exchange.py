"""Rounds travel whole, in parts that a store takes, and are forgotten once they are there."""

from datetime import timedelta

import numpy as np
import pytest

from parity.pytorch.recorder.data import Recorded
from parity.watch.losses import LossPlace, Reduction
from parity.watch.ranks import exchange
from parity.watch.ranks.exchange import Exchange
from parity.watch.ranks.round import Collective, Round


class Shelf(dict):
    """A store in this process, which takes no large values."""

    def set(self, key, value):
        assert len(value) <= 8 << 20
        self[key] = value

    def get(self, key):
        return self[key]

    def check(self, keys):
        return all(key in self for key in keys)

    def wait(self, keys, timeout):
        if not self.check(keys):
            raise RuntimeError("too late")

    def delete_key(self, key):
        return self.pop(key, None) is not None


def recorded(shape, seed, dtype="float32"):
    values = np.random.default_rng(seed).standard_normal(shape)
    return Recorded.of(values.astype(np.float32 if dtype == "bfloat16" else dtype), dtype)


def full():
    return Round(
        step=3,
        parameters={"fc.weight": recorded((3, 4), 0)},
        buffers={"norm.count": recorded((), 1, "int64")},
        own={"fc.weight": recorded((3, 4), 2, "bfloat16")},
        used={"fc.weight": recorded((3, 4), 3, "float64")},
        states={"fc.weight": [recorded((3, 4), 6), recorded((3, 4), 7)]},
        updated={},
        collectives=[
            Collective("allreduce_", "m", "train.py:7", (0, 1), "SUM", None, (recorded((2,), 4),), ()),
            Collective("broadcast_", "", "", (0, 1), "", 0, (), (recorded((0, 2), 5),)),
        ],
        reductions=[Reduction(LossPlace("m", "mean", "train.py:3"), 6, 0.25, True, (4.0,), 3)],
        hooks=("communication hook f",),
        over=False,
    )


def plain(value):
    """A round without its objects, to compare."""
    if isinstance(value, Recorded):
        return value.dtype, value.shape, value.array.tobytes()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, Collective | Round):
        return {key: plain(one) for key, one in vars(value).items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def test_a_round_comes_back_from_bytes():
    assert plain(Round.unpacked(full().packed())) == plain(full())
    assert plain(Round.unpacked(Round().packed())) == plain(Round())


def test_rounds_wait_for_all_ranks_and_are_taken_once(monkeypatch):
    monkeypatch.setattr(exchange, "CHUNK", 100)
    monkeypatch.setattr(exchange, "_SERIALS", iter([7, 7, 7]))
    shelf = Shelf()
    first, second, third = (Exchange(shelf, rank, 3) for rank in range(3))
    second.send(full())
    assert first.rounds(0) is None
    third.send(Round())
    found = first.rounds(0)
    assert [plain(one) for one in found] == [plain(full()), plain(Round())]
    assert not [key for key in shelf if "here" not in key]
    assert first.rounds(0) is None


def test_who_has_not_ended_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(exchange, "_SERIALS", iter([7, 7, 8]))
    shelf = Shelf()
    first, second = (Exchange(shelf, rank, 2) for rank in range(2))
    with pytest.raises(RuntimeError):
        first.ended(1, timedelta(0))
    second.end("said")
    assert first.ended(1, timedelta(0)) == "said"
    second.part(timedelta(0))  # rank 0 is gone
    assert Exchange(shelf, 0, 2).rounds(0) is None  # another training
