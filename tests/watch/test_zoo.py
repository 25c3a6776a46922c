"""Every model of the zoo, watched: its formulas hold, and only what is named is left out."""

import pytest
import torch

import parity
from tests.pytorch.recorder.models import MODELS

LEFT = {
    "embedding_sparse": {"aten.embedding.default, backward", "optim.SGD of a sparse_coo gradient"},
    "checkpoint_reentrant": {"CheckpointFunction"},
}
"""What is not certified, by model: sparse gradients, a Function in Python."""


@pytest.mark.parametrize("name", MODELS)
def test_it_is_whole_or_what_is_left_is_named(name):
    torch.manual_seed(1)
    module, make_batch, loss = MODELS[name]()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
    batches = [make_batch(seed) for seed in range(2)]
    with parity.watch(module, optimizer=optimizer) as watched:
        for batch in batches:
            optimizer.zero_grad()
            loss(module, *batch).backward()
            optimizer.step()
    result = watched.result
    assert [f"{w.operation} {w.check} {w.operand} {w.ratio:.3g}" for w in result.wrong] == []
    assert {left.operation for left in result.coverage.not_certified} == LEFT.get(name, set())
    assert result.verdict == ("incomplete" if name in LEFT else "match")
