"""Models drawn at random are never accused, and what of them is left out is named."""

import pytest
import torch

from tests.nightly import in_turn
from tests.reports.watch_campaign import DTYPES, once


@pytest.mark.parametrize(("seed", "dtype"), in_turn(range(1000, 1012), list(DTYPES)))
def test_no_false_alarm(seed, dtype):
    before = torch.get_num_threads()
    try:
        found = once(seed, dtype, 1 + seed % 2, 1)
    finally:
        torch.set_num_threads(before)
    assert found["wrong"] == []
    assert found["numbers"] > 100
    assert found["left"] == []
