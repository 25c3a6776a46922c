"""A recorded model as JSON: its graph comes back, and PyTorch's calls run again to the same bits."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity.pytorch.imported.again import StoredSide
from parity.pytorch.imported.model import signature
from parity.pytorch.imported.side import ImportedSide
from parity.pytorch.imported.stored import of_json, to_json
from parity.pytorch.plain import plain, value_of
from tests.pytorch.recorder.models import MODELS, classes, mse

LOSSES = {mse: F.mse_loss, classes: F.cross_entropy}
NAMES = (
    "mlp_dropout",
    "weight_sharing",
    "residual_in_place",
    "in_place_on_saved",
    "cnn_channels_last",
    "u_net",
    "gru_cell",
    "lstm",
)


def imported(name: str) -> tuple[torch.nn.Module, ImportedSide, np.ndarray, np.ndarray]:
    torch.manual_seed(1)
    module, make_batch, loss = MODELS[name]()
    x, y = (tensor.numpy() for tensor in make_batch(0))
    return module, ImportedSide(copy.deepcopy(module), LOSSES[loss]), x, y


@pytest.mark.parametrize("name", NAMES)
def test_the_calls_run_again_to_the_same_bits(name):
    module, side, x, y = imported(name)
    model = side.record(x, y).model()
    start = {key: np.array(model.leaves[key]) for key in (*model.parameter_shapes(), *model.statistics)}
    assert model.calls is not None
    first = ImportedSide(copy.deepcopy(module), side.loss)
    first.begin(model, 0.1)
    torch.manual_seed(2)
    expected = first.step(x, y).kept()
    written = json.loads(json.dumps(to_json(model), allow_nan=False))
    again = of_json(written, expected, model.optimizer)
    assert signature(again.graph) == signature(model.graph)
    kept = {*model.statistics, "x", "y"}
    given = {key: expected[key] for key in model.example(0) if key not in kept}
    torch.manual_seed(3)  # what is drawn is given
    found = StoredSide(again, start, 0.1, lambda x, y: given).step(x, y)
    assert found.keys() == expected.keys()
    assert [key for key in found if not np.array_equal(found[key], expected[key], equal_nan=True)] == []


def test_what_is_drawn_is_what_was_given():
    """Another mask than PyTorch would draw, and the numbers follow it."""
    _, side, x, y = imported("mlp_dropout")
    model = side.record(x, y).model()
    mask = next(name for name in model.leaves if name.startswith("drawn") and model.leaves[name].any())
    kept = {*model.statistics, "x", "y"}
    given = {key: np.array(model.leaves[key]) for key in model.example(0) if key not in kept}
    given[mask] = np.zeros_like(given[mask])
    start = {key: np.array(model.leaves[key]) for key in model.parameter_shapes()}
    trace = StoredSide(model, start, 0.1, lambda x, y: given).step(x, y)
    assert not trace[mask].any()
    dropped = [node.name for node in model.graph.nodes if any(p and p.name == mask for p in node.parents)]
    assert dropped
    assert all(not trace[name].any() for name in dropped)


@pytest.mark.parametrize(
    "value", [None, True, 3, -0.5, float("inf"), float("-inf"), "mean", (1, (2.5, None)), 1 + 2j]
)
def test_plain_values(value):
    assert value_of(json.loads(json.dumps(plain(value), allow_nan=False))) == value


@pytest.mark.parametrize("written", [{}, {"float": 3}, {"complex": [1]}, {"other": 1}, [{"float": None}]])
def test_what_is_no_plain_value(written):
    with pytest.raises(ValueError, match="is no value"):
        value_of(written)
