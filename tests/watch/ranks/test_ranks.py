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
    trainings.by_hand_clipped,
    trainings.by_hand_flat_and_clipped,
    trainings.by_hand_gathered,
    trainings.by_hand_through_rank_0,
    trainings.by_hand_of_all_samples,
    trainings.shares_added,
    trainings.ddp_of_all_samples,
    trainings.ddp_hooked,
    trainings.ddp_two_optimizers,
    trainings.ddp_scaled,
    trainings.ddp_scaled_by_the_number_of_ranks,
    trainings.ddp_after_an_evaluation,
    trainings.exchanged_late,
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
    trainings.summed_by_a_hook: "sum",
    trainings.mean_undone: "sum",
    trainings.divided_twice: "divided_twice",
    trainings.of_rank_0: "of_one_rank",
    trainings.never_synchronised: "not_synchronised",
    trainings.forgotten_bias: "not_synchronised",
    trainings.other_rate: "not_synchronised",
    trainings.head_outside: "not_synchronised",
    trainings.bypassed: "not_synchronised",
    trainings.other_start: "not_synchronised",
    trainings.loaded_on_rank_0: "not_synchronised",
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


HINTED = {
    trainings.unequal_batches: "unequal_batches",
    trainings.divided_in_the_loss_too: "divided_twice",
    trainings.accumulating_undivided: "not_divided",
    trainings.same_batches: "same_batches",
}


@pytest.mark.parametrize(
    ("training", "mistake"), HINTED.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_what_is_no_wrong_mean_is_told(pair, training, mistake):
    first, _ = pair.watch(training)
    assert first["verdict"] == "match"
    assert [note["mistake"] for note in first["notes"]] == [mistake]


def left(result):
    return {(one["operation"], one["kind"]) for one in result["coverage"]["not_certified"]}


def test_a_compressed_average_is_no_match_and_no_mistake(pair):
    first, _ = pair.watch(trainings.compressed)
    assert first["verdict"] == "incomplete"
    hook = "communication hook fp16_compress_hook"
    assert left(first) == {(f"average of {name}: {hook}", "altered") for name in ("weight", "bias")}
    first, _ = pair.watch(trainings.compressed, accept=("altered",))
    assert first["verdict"] == "match"


def test_what_comes_after_the_mean_counts(pair):
    first, _ = pair.watch(trainings.largest_of_means)
    assert first["verdict"] == "mismatch"
    assert {one["operation"] for one in first["wrong"]} == {"average"}
    assert [one["diagnosis"] for one in first["wrong"]] == [None] * len(first["wrong"])


def test_what_one_rank_does_after_the_mean_is_told_by_what_it_leads_to(pair):
    """Each of its operations is certified, and the clipped gradients of the other are no fault."""
    first, _ = pair.watch(trainings.clipped_and_zeroed_on_rank_0)
    told = [(one["operation"], one["module"], one["operand"], one["rank"]) for one in first["wrong"]]
    module = "DistributedDataParallel.module.fc2"
    assert told == [("replica", module, "weight", 1)]


@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_inside_of_another_makes_no_update_of_its_own(pair):
    first, _ = pair.watch(trainings.sharded_states)
    assert first["verdict"] == "incomplete"
    assert first["wrong"] == []
    assert left(first) == {("optim.ZeroRedundancyOptimizer", "unsupported")}


def test_what_another_rank_leaves_out_is_left_out(pair):
    first, second = pair.watch(trainings.altered_on_rank_1)
    assert (first["verdict"], second["verdict"]) == ("incomplete", "incomplete")
    assert left(first) == set()
    assert first["ranks"][0]["verdict"] == "incomplete"


def test_an_update_by_hand_takes_no_average_that_could_be_held(pair):
    first, _ = pair.watch(trainings.updated_by_hand)
    assert first["verdict"] == "incomplete"
    assert left(first) == {("average: no optimizer made a step", "unsupported")}


def test_ranks_with_unequally_many_updates_are_not_compared(pair):
    first, _ = pair.watch(trainings.uneven)
    assert first["verdict"] == "incomplete"
    assert first["wrong"] == []
    assert ("ranks: not as many updates on each", "unsupported") in left(first)


def test_what_is_not_averaged_on_purpose_is_accepted_by_name(pair):
    first, _ = pair.watch(trainings.local)
    assert first["verdict"] == "mismatch"
    first, _ = pair.watch(trainings.local, accept=("average", "replica"))
    assert first["verdict"] == "match"


def test_fsdp_is_refused(pair):
    with pytest.raises(
        AssertionError, match="UsageError: recording: a training under FSDP is not recorded"
    ):
        pair.watch(trainings.sharded)


def test_what_is_wrong_on_another_rank_is_told_on_rank_0(pair):
    first, second = pair.watch(trainings.planted_on_rank_1)
    assert second["verdict"] == "mismatch"
    assert first["verdict"] == "mismatch"
    (told,) = first["ranks"]
    assert (told["rank"], told["verdict"]) == (1, "mismatch")
    assert first["first_divergence"]["operation"] == "tanh"
    assert first["first_divergence"]["rank"] == 1


def test_a_rank_that_is_not_watched_is_said(pair):
    first, _ = pair.watch(trainings.ddp, only=0)
    assert first["verdict"] == "incomplete"
    assert ("rank 1: it is not watched, or has not ended", "unsupported") in left(first)
