"""Modules of torch.nn and the reference's tables: each activation and loss is found, with its options."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from parity.config import names
from parity.errors import UsageError
from parity.lockstep.run import run
from parity.pytorch.imported.case import BatchPeer, training_of
from parity.pytorch.imported.names import activation_of, known_activations, loss_of
from parity.pytorch.modules import activation_module
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from tests.pytorch.test_imported import Net, batch, walked


def options_of(entry):
    """Other options than the defaults, each still sensible."""
    wanted = {"num_parameters": 3.0, "threshold": 0.1, "value": 0.05}
    return {o: wanted.get(o, 1.25 * v if v == v else 0.5) for o, v in entry.options.items()}


def module_of(entry):
    return activation_module(entry, torch.float32).eval()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_found_by_its_class_and_its_options(name):
    entry = ACTIVATIONS[name]
    chosen = entry.configured(**options_of(entry))
    found, table = activation_of(module_of(chosen))
    assert found.name == name
    assert dict(found.options) == dict(chosen.options)
    assert table == ({"name": name, **chosen.options} if chosen.options else name)
    assert entry.source.rpartition(".")[2] in known_activations()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_mirrored(name):
    entry = ACTIVATIONS[name].configured(**options_of(ACTIVATIONS[name]))
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), module_of(entry), nn.Linear(3, 2)).eval()
    result = walked(model, *batch(4), lr=0.25, steps=2)
    assert result.verdict == "match", result.first_divergence


def test_two_formulas_of_one_class_are_told_apart():
    assert activation_of(nn.GELU())[0].name == "gelu"
    assert activation_of(nn.GELU(approximate="tanh"))[0].name == "gelu_tanh"
    assert activation_of(nn.Softmax(dim=-1))[0].name == "softmax"
    assert activation_of(nn.Softmax(dim=0)) is None


@pytest.mark.parametrize("kind", ["Sigmoid", "Tanh", "ReLU"])
def test_a_class_is_its_activation_and_a_class_derived_from_it_is_not(kind):
    module = getattr(nn, kind)
    assert activation_of(module()) == (ACTIVATIONS[kind.lower()], kind.lower())
    assert activation_of(type("Own", (module,), {})()) is None
    assert activation_of(type(kind, (module,), {})()) is None


TOLD_WITH_EVERY_CALL = {"gaussian_nll"}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_is_found_by_its_class_and_its_options(name):
    entry = LOSSES[name]
    module = getattr(nn, entry.source.rpartition(".")[2])(reduction="sum")
    found = loss_of(module)
    if name in TOLD_WITH_EVERY_CALL:
        assert found is None
        return
    chosen, reduction = names.loss_of(found)
    assert (chosen.name, reduction) == (name, "sum")
    assert dict(chosen.options) == dict(entry.configured().options)


def test_a_loss_says_its_options():
    assert loss_of(nn.MSELoss()) == {"name": "mse", "reduction": "mean"}
    assert loss_of(nn.HuberLoss(delta=2)) == {"name": "huber", "reduction": "mean", "delta": 2.0}
    weighted = loss_of(nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0])))
    assert weighted["pos_weight"] == [1.0, 2.0]
    assert loss_of(nn.Linear(1, 1)) is None


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.1), torch.tensor([0, 1, 1, 0, 1])),
        (nn.CrossEntropyLoss(), torch.eye(2)[[0, 1, 1, 0, 1]]),
        (nn.MultiMarginLoss(), torch.tensor([0, 1, 1, 0, 1])),
        ({"name": "huber", "delta": 0.5}, torch.rand(5, 2)),
        ("l1", torch.rand(5, 2)),
    ],
    ids=["classes", "probabilities", "margins", "table", "name"],
)
def test_other_losses_and_optimizers(loss, y):
    config = training_of(loss, optimizer={"name": "sgd", "momentum": 0.9}, lr=0.1, steps=3)
    result = run(config, peer=BatchPeer("model", Net(), batch(4)[0], y))
    assert result.verdict == "match", result.first_divergence
    assert result.steps == 3


def test_a_loss_without_a_mirror_is_named():
    with pytest.raises(UsageError, match=r"loss: CTCLoss cannot be mirrored; known: .*MSELoss"):
        training_of(nn.CTCLoss())
