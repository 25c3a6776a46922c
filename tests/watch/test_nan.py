"""NaN among the numbers: it ranks above all others, as PyTorch has it, and a wrong choice is still seen."""

import numpy as np
import pytest
import torch
from torch import inf, nan

import parity
from reference.operations import OPERATIONS

ROWS = [[1, nan, 3, inf, 2], [nan, -inf, nan, 5, 5], [1, 2, 3, 4, 5], [inf, inf, nan, 0, -0.0]]


@pytest.mark.parametrize(
    "choose",
    [
        lambda x: x.sort(-1)[0],
        lambda x: x.sort(-1, descending=True)[0],
        lambda x: x.topk(3)[0],
        lambda x: x.topk(3, largest=False)[0],
        lambda x: x.topk(3, sorted=False)[0],
        lambda x: x.median(-1)[0],
        lambda x: x.max(-1)[0],
        lambda x: x.min(0)[0],
        lambda x: x.amax(-1),
        lambda x: x.max(),
        lambda x: x.gather(-1, x.argmax(-1, keepdim=True)),
        lambda x: x.gather(-1, x.argmin(-1, keepdim=True)),
        lambda x: x * x.argmax(),
        lambda x: x.sin() + x.cos().sigmoid(),
    ],
)
def test_nan_is_no_alarm(choose):
    x = torch.tensor(ROWS, requires_grad=True)
    with parity.watch() as watched:
        y = choose(1.0 * x)
        y.backward(torch.linspace(-1, 1, y.numel()).reshape(y.shape))
    assert watched.result.wrong == []
    assert watched.result.verdict == "match"


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("sort", {"dim": 0, "descending": False}, [2, 0, 1], [1, 2, 0]),
        ("sort", {"dim": 0, "descending": True}, [1, 0, 2], [0, 2, 1]),
        ("argmax", {"dim": 0, "keepdim": False}, 1, 0),
        ("argmin", {"dim": 0, "keepdim": False}, 1, 2),
        ("median_along", {"dim": 0, "keepdim": False}, 1, 0),
    ],
)
def test_a_choice_that_overlooks_nan_is_wrong(name, options, right, wrong):
    (check,) = OPERATIONS[name].choices.values()
    x = np.array([3, nan, -1])
    assert check(x, np.array(right), **options).tolist() == right
    assert -1 in np.atleast_1d(check(x, np.array(wrong), **options))
