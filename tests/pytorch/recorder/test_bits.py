"""A training with the recorder is bit for bit the training without it."""

from __future__ import annotations

import contextlib

import pytest
import torch

from parity.pytorch.recorder.recorder import Recorder
from tests.pytorch.recorder.models import MODELS

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adamw_loop": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=False),
    "adamw_foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "adamw_fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
}


def bits(tensor):
    if tensor is None:
        return None
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    return dense.contiguous().reshape(-1).view(torch.uint8).tolist(), dense.stride()


def trained(name, optimizer, *, recorded, accumulate=1, steps=3):
    torch.manual_seed(3)
    module, make_batch, loss = MODELS[name]()
    made = OPTIMIZERS[optimizer](module.parameters())
    losses = []
    recorder = Recorder(module) if recorded else contextlib.nullcontext()
    with recorder:
        for step in range(steps):
            made.zero_grad(set_to_none=step % 2 == 0)
            for part in range(accumulate):
                found = loss(module, *make_batch(10 * step + part))
                found.backward()
                losses.append(found.item())
            if step:
                torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            made.step()
    gradients = [bits(p.grad) for p in module.parameters()]
    state = [bits(t) for s in made.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
    weights = [bits(t) for t in module.state_dict().values()]
    return losses, weights, gradients, state, torch.get_rng_state().tolist(), recorder


def compare(name, optimizer, **options):
    plain = trained(name, optimizer, recorded=False, **options)
    watched = trained(name, optimizer, recorded=True, **options)
    for ours, theirs in zip(plain[:5], watched[:5], strict=True):
        assert ours == theirs
    assert len(watched[5].steps) == 3 * options.get("accumulate", 1)
    return watched[5]


@pytest.mark.parametrize("name", [name for name in MODELS if name != "embedding_sparse"])
def test_every_model_of_the_zoo(name):
    compare(name, "adamw_foreach")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["mlp_tanh", "resnet_block", "gpt"])
def test_every_way_an_optimizer_runs(name, optimizer):
    recorder = compare(name, optimizer)
    assert [len(step.updates) for step in recorder.steps] == [1, 1, 1]


def test_sparse_gradients():
    torch.manual_seed(0)
    ours, theirs = (_sparse(recorded) for recorded in (True, False))
    assert ours == theirs


def _sparse(recorded):
    torch.manual_seed(3)
    module, make_batch, loss = MODELS["embedding_sparse"]()
    made = torch.optim.SGD(module.parameters(), lr=0.1)
    with Recorder(module) if recorded else contextlib.nullcontext():
        for step in range(3):
            made.zero_grad()
            loss(module, *make_batch(step)).backward()
            made.step()
    return [bits(t) for t in (*module.parameters(), *(p.grad for p in module.parameters()))]


@pytest.mark.parametrize("name", ["cnn_batch_norm", "gpt", "checkpoint_reentrant"])
def test_gradient_accumulation(name):
    recorder = compare(name, "adamw_loop", accumulate=2)
    assert [len(step.updates) for step in recorder.steps] == [0, 1] * 3


def test_two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        compare("resnet_block", "sgd")
        compare("gpt", "sgd")
    finally:
        torch.set_num_threads(before)
