"""Models drawn at random are never accused, and what of them is left out is named."""

import pytest
import torch

from tests.reports.watch_campaign import DTYPES, once


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(1000, 1012))
def test_no_false_alarm(seed, dtype):
    before = torch.get_num_threads()
    try:
        found = once(seed, dtype, 1 + seed % 2, 1)
    finally:
        torch.set_num_threads(before)
    assert found["wrong"] == []
    assert found["numbers"] > 100
    assert found["left"] == []
