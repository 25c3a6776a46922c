"""A step of every model of the zoo is whole: no node without its call, no gradient from nowhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.pytorch.recorder.data import Output
from parity.pytorch.recorder.recorder import Recorder
from tests.pytorch.recorder.models import MODELS

U = {"float32": 2.0**-24, "float64": 2.0**-53}


def recorded(name, steps=2):
    torch.manual_seed(3)
    module, make_batch, loss = MODELS[name]()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    with Recorder(module) as recorder:
        for step in range(steps):
            optimizer.zero_grad()
            loss(module, *make_batch(step)).backward()
            optimizer.step()
    return module, recorder.steps


def is_sum(arrived, shares):
    """Whether a tensor is the sum of its shares: of one, bit for bit; of more, within their γ."""
    if len(shares) == 1:
        return np.array_equal(arrived.array, shares[0].array)
    exact = sum(share.array.astype(np.float64) for share in shares)
    magnitude = sum(np.abs(share.array.astype(np.float64)) for share in shares)
    return bool(np.all(np.abs(arrived.array - exact) <= len(shares) * U[arrived.dtype] * magnitude))


@pytest.mark.parametrize("name", MODELS)
def test_every_node_has_its_call_and_every_gradient_its_senders(name):
    _, steps = recorded(name)
    assert len(steps) == 2
    for step in steps:
        for backward in step.backwards:
            assert backward.grad_out, "nothing ran"
            for number, node in backward.nodes.items():
                known = node.call is not None or node.custom is not None or node.geometry is not None
                assert known or node.parameter is not None, node.name
                if node.call is not None:
                    assert any(output and output.node == number for output in node.call.outputs)
            for number in backward.grad_out:
                for slot, arrived in enumerate(backward.grad_out[number]):
                    shares = backward.shares(Output(number, slot))
                    if arrived is None:
                        assert not shares
                    elif shares:
                        assert is_sum(arrived, shares), backward.nodes[number].name
                    else:
                        assert any(root.output == Output(number, slot) for root in backward.roots)
            for number, leaf in backward.leaves.items():
                shares = backward.shares(Output(number, 0))
                before = [leaf.before] if leaf.before is not None else []
                assert is_sum(leaf.after, [*before, *shares])


@pytest.mark.parametrize("name", MODELS)
def test_what_one_operation_makes_is_what_the_next_one_takes(name):
    _, steps = recorded(name)
    for step in steps:
        assert [call.index for call in step.calls] == sorted({call.index for call in step.calls})
        for call in step.calls:
            assert call.source.endswith(".py:" + call.source.rpartition(":")[2])
        made = {id(result) for call in step.calls for result in call.tensors()}
        made |= {id(value) for call in step.calls for value in call.written.values()}
        taken = [value for call in step.calls for value in call.arguments.values() if id(value) in made]
        assert taken, "no result was ever used as it is"


@pytest.mark.parametrize("name", ["mlp_classifier", "resnet_block", "gpt"])
def test_updates_hold_what_the_optimizer_read_and_wrote(name):
    module, steps = recorded(name)
    named = dict(module.named_parameters())
    for step in steps:
        (update,) = step.updates
        assert update.optimizer == "SGD"
        assert update.count == step.index + 1
        assert [row.name for row in update.parameters] == list(named)
        leaves = {leaf.name: leaf for leaf in step.backwards[-1].leaves.values()}
        for row in update.parameters:
            assert row.hyperparameters["lr"] == 0.05
            assert np.array_equal(row.gradient.array, leaves[row.name].after.array)
            moved = row.before.array - np.float32(0.05) * row.gradient.array
            wrong = np.abs(row.after.array - moved)
            assert np.all(
                wrong <= 4 * U["float32"] * (np.abs(row.before.array) + np.abs(row.gradient.array))
            )
        inside = [call for call in step.calls if update.first <= call.index < update.last]
        assert inside
        assert {call.phase for call in inside} == {"update"}
    last = {row.name: row.after.array for row in steps[-1].updates[0].parameters}
    for key, parameter in named.items():
        assert np.array_equal(last[key], parameter.detach().numpy())


def test_modules_are_named_by_their_path_and_lines_by_the_users_file():
    _, steps = recorded("gpt")
    places = {(call.module, call.operation) for call in steps[0].calls}
    assert ("h.0.mlp.0", "aten.addmm.default") in places
    assert ("h.1.ln2", "aten.native_layer_norm.default") in places
    assert ("wte", "aten.embedding.default") in places
    attention = [call for call in steps[0].calls if call.operation == "aten.bmm.default"]
    assert {call.module for call in attention} == {"h.0", "h.1"}
    assert all(call.source.startswith("models.py:") for call in attention)
