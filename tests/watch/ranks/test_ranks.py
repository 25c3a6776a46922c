"""Two ranks: what is right is a match on both, and each mistake of ranks is named, with its rank."""

import pytest

from tests.watch.ranks import trainings
from tests.watch.ranks.pair import Pair

RIGHT = (
    trainings.ddp,
    trainings.ddp_adam_bucket_view,
    trainings.ddp_batch_norm,
    trainings.ddp_clipped,
    trainings.ddp_clipped_by_value,
    trainings.ddp_accumulating,
    trainings.ddp_accumulating_bucket_view,
    trainings.ddp_unused,
    trainings.by_hand,
    trainings.by_hand_flat_and_clipped,
    trainings.by_hand_gathered,
    trainings.by_hand_of_all_samples,
    trainings.shares_added,
    trainings.ddp_of_all_samples,
)


@pytest.fixture(scope="module")
def pair():
    made = Pair()
    yield made
    made.close()


@pytest.mark.parametrize("training", RIGHT, ids=lambda one: one.__name__)
def test_right_ones_match_on_every_rank(pair, training):
    first, second = pair.watch(training)
    for result in (first, second):
        assert result["wrong"] == []
        assert result["coverage"]["not_certified"] == []
        assert result["notes"] == []
        assert result["verdict"] == "match"
    assert [one["verdict"] for one in first["ranks"]] == ["match"]
    averages = [row for row in first["rows"] if row["operation"] == "average"]
    assert averages
    assert {row["verdict"] for row in averages} == {"match"}


WRONG = {
    trainings.summed: "sum",
    trainings.summed_and_clipped: "sum",
    trainings.added_again: "sum",
    trainings.divided_twice: "divided_twice",
    trainings.head_outside: "not_synchronised",
    trainings.bypassed: "not_synchronised",
    trainings.other_start: "not_synchronised",
    trainings.drifting_buffers: "buffers_drift",
}


@pytest.mark.parametrize(
    ("training", "mistake"), WRONG.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_mistakes_of_ranks_are_named(pair, training, mistake):
    first, second = pair.watch(training)
    assert first["verdict"] == "mismatch"
    assert second["verdict"] == "match"
    assert first["first_divergence"]["diagnosis"]["mistake"] == mistake
    assert {one["diagnosis"]["mistake"] for one in first["wrong"]} == {mistake}


HINTED = {trainings.unequal_batches: "unequal_batches", trainings.divided_in_the_loss_too: "divided_twice"}


@pytest.mark.parametrize(
    ("training", "mistake"), HINTED.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_what_is_no_wrong_mean_is_told(pair, training, mistake):
    first, _ = pair.watch(training)
    assert first["verdict"] == "match"
    assert [note["mistake"] for note in first["notes"]] == [mistake]
