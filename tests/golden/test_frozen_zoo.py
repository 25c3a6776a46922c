"""A recording of any model, frozen, written as JSON and thawed, says what it said."""

from __future__ import annotations

import json

import pytest
import torch

from parity.golden.replay_script import _Again
from parity.golden.script import ScriptGolden, certified, traces_of
from parity.pytorch.recorder.data import Call, Step
from parity.pytorch.recorder.frozen import Event, FrozenRecording, NodeRan, freeze, of_steps
from parity.pytorch.recorder.recorder import Recorder
from parity.pytorch.recorder.thawed import thaw
from parity.watch.result import WatchResult
from tests.pytorch.recorder.models import MODELS

SHOWN = (
    "cnn_channels_last",
    "in_place_on_views",
    "embedding_sparse",
    "gradient_penalty",
    "gpt_fused_attention",
    "mlp_dropout",
    "lstm",
)
"""Layouts, writes to views, sparse gradients, passes inside passes, masks, an opaque workspace."""


def recorded(name: str) -> list[Event]:
    torch.manual_seed(1)
    module, make_batch, loss = MODELS[name]()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05) if "sparse" not in name else None
    optimizer = optimizer or torch.optim.SGD(module.parameters(), lr=0.05)
    events: list[Event] = []
    batches = [make_batch(seed) for seed in range(2)]
    with Recorder(
        module,
        optimizer=optimizer,
        on_step=events.append,
        on_call=events.append,
        on_node=lambda passed, number: events.append(NodeRan(passed, number)),
    ):
        for batch in batches:
            optimizer.zero_grad()
            loss(module, *batch).backward()
            optimizer.step()
    return events


def told(result: WatchResult) -> dict[str, object]:
    return json.loads(result.to_json())


@pytest.mark.parametrize("name", SHOWN)
def test_it_says_what_it_said(name):
    events = recorded(name)
    frozen = freeze(events)
    tables = json.loads(json.dumps(frozen.tables, allow_nan=False))
    tensors = {key: one for step in frozen.tensors for key, one in step.items()}
    again = thaw(tables, tensors)
    live, later = told(certified(list(of_steps(events)), (), {})), told(certified(again, (), {}))
    assert later["wrong"] == []
    assert later == live
    assert later["steps"] == 2


@pytest.mark.parametrize("name", SHOWN)
def test_torch_computes_its_calls_again(name):
    """Each forward call alone, from its recorded operands, in their layout: the same bits here."""
    frozen: FrozenRecording = freeze(recorded(name))
    golden = ScriptGolden({"recording": frozen.tables}, traces_of(frozen))
    again = _Again(golden)
    result = again.tally.result({})
    calls = [e for e in golden.events if isinstance(e, Call) and e.phase != "update"]
    assert result.wrong == []
    assert again.differing == 0
    assert 0 < result.operations <= len(calls)
    assert sum(isinstance(event, Step) for event in golden.events) == again.tally.steps == 2
