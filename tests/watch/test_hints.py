"""Losses that add up in one gradient: a mean that nothing divided is told, and never called wrong."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from parity.watch.watching import Watching
from tests.watch.helpers import batch, net
from tests.watch.lines import line_of

PASSES = 4


def accumulating(loss, *, after=lambda module: None, rows=(6, 6, 6, 6), steps=2 * PASSES):
    """Micro-batches of so many rows, then an update; the notes of what was watched."""
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with Watching(module, steps=steps) as watching:
        for step in range(2):
            optimizer.zero_grad()
            for micro, count in enumerate(rows):
                x, y = batch(seed=step * PASSES + micro)
                loss(module(x[:count]), y[:count]).backward()
            after(module)
            optimizer.step()
    result = watching.result
    assert result.verdict == "match"
    return [(note.mistake, note.step) for note in result.notes], result


def forgotten(z, y):
    return mse_loss(z, y)  # forgotten


def test_the_forgotten_division_is_named():
    notes, result = accumulating(forgotten)
    assert notes == [("not_divided", PASSES - 1)]
    (note,) = result.notes
    assert note.source == f"test_hints.py:{line_of(__file__, '# forgotten')}"
    assert note.detail.startswith("4 backward passes added up in one gradient")
    assert "4 times" in str(result)


def test_it_is_named_before_the_update_too():
    notes, result = accumulating(forgotten, steps=3)
    assert notes == [("not_divided", 2)]
    assert "before an update" in result.notes[0].detail


def half(z, y):
    """A mean by hand, of a loss that PyTorch does not reduce."""
    return mse_loss(z, y, reduction="none").mean()


@pytest.mark.parametrize(
    "loss",
    [
        half,
        lambda z, y: cross_entropy(z, y.argmax(1)),
        lambda z, y: nn.functional.binary_cross_entropy_with_logits(z, y.sigmoid()),
        lambda z, y: nn.functional.l1_loss(z, y),
        lambda z, y: -z.log_softmax(1).gather(1, y.argmax(1)[:, None]).mean(),
    ],
)
def test_it_is_named_of_any_mean(loss):
    notes, _ = accumulating(loss)
    assert [mistake for mistake, _ in notes] == ["not_divided"]


def divide(module):
    for one in module.parameters():
        one.grad /= PASSES


def divide_and_clip(module):
    divide(module)
    nn.utils.clip_grad_norm_(module.parameters(), 1e-3)


@pytest.mark.parametrize(
    ("loss", "after"),
    [
        (lambda z, y: mse_loss(z, y) / PASSES, lambda module: None),
        (lambda z, y: mse_loss(z, y) * 0.25, lambda module: None),
        (forgotten, divide),
        (forgotten, divide_and_clip),
        (lambda z, y: mse_loss(z, y, reduction="sum"), lambda module: None),
        (lambda z, y: mse_loss(z, y, reduction="sum") / 72, lambda module: None),
    ],
)
def test_what_is_divided_or_a_sum_is_silent(loss, after):
    notes, _ = accumulating(loss, after=after)
    assert notes == []


def test_a_clipped_sum_of_means_is_named():
    notes, _ = accumulating(
        forgotten, after=lambda module: nn.utils.clip_grad_norm_(module.parameters(), 1e-3)
    )
    assert [mistake for mistake, _ in notes] == ["not_divided"]


def test_micro_batches_of_unequal_size_are_named():
    notes, result = accumulating(lambda z, y: mse_loss(z, y) / PASSES, rows=(6, 6, 6, 2))
    assert [mistake for mistake, _ in notes] == ["unequal_batches"]
    assert "3 times as much" in result.notes[0].detail


def test_micro_batches_by_their_size_are_silent():
    notes, _ = accumulating(lambda z, y: mse_loss(z, y) * (len(z) / 20), rows=(6, 6, 6, 2))
    assert notes == []


def test_of_micro_batches_that_were_not_watched_nothing_is_said():
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with Watching(module, every=2) as watching:
        for micro in range(3):
            x, y = batch(seed=micro)
            mse_loss(module(x), y).backward()
        divide(module)
        optimizer.step()
    assert watching.result.steps == 2
    assert watching.result.notes == []


def test_two_losses_of_a_step_are_no_micro_batches():
    """As of a discriminator: a backward pass on what is real, and one on what is not."""

    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x, y = batch()
    with Watching(module) as watching:
        for _ in range(2):
            optimizer.zero_grad()
            mse_loss(module(x), y).backward()
            module(2 * x).abs().mean().backward()
            optimizer.step()
    assert watching.result.verdict == "match"
    assert watching.result.notes == []


def test_losses_that_a_loop_adds_up_before_the_backward_pass_are_silent():
    module, (x, y) = net(), batch()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with Watching(module) as watching:
        loss = sum(mse_loss(module(x[:rows]), y[:rows]) for rows in (6, 3, 2))
        loss.backward()
        optimizer.step()
    assert watching.result.notes == []


def test_a_step_for_each_pass_is_silent():
    module, (x, y) = net(), batch()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with Watching(module) as watching:
        for _ in range(3):
            optimizer.zero_grad(set_to_none=False)
            mse_loss(module(x), y).backward()
            optimizer.step()
    assert watching.result.notes == []
