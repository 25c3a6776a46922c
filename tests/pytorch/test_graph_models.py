"""Models that are no chain, trained step by step by the reference from their own recorded graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity.errors import UsageError
from parity.lockstep.lockstep import Reference
from parity.lockstep.run import run
from parity.pytorch.imported.case import BatchPeer, training_of
from parity.pytorch.imported.peer import GraphPeer
from tests.nightly import first_of
from tests.reports.lockstep import FILE

MODELS = '''
import torch.nn.functional as F
from torch import nn


class Convolutional(nn.Module):
    """Convolutions that stride and dilate, batch norm, a residual, max pooling and a kernel used twice."""

    def __init__(self, rate=0.0):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.down = nn.Conv2d(4, 3, 3, stride=2, padding=1)
        self.drop = nn.Dropout(rate)
        self.out = nn.Linear(12, 10)

    def forward(self, x):
        h = F.relu(self.norm(self.first(x.view(-1, 1, 8, 8))))
        h = F.max_pool2d(h + self.twice(F.silu(self.twice(h))), 2)
        return self.out(self.drop(self.down(h).flatten(1)))


class Transformer(nn.Module):
    """A block before which the norm stands: scaled dot-product attention, GELU, two residuals."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.mix = nn.Linear(16, 48, bias=False), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
        self.out = nn.Linear(16, 10)

    def forward(self, x):
        h = self.embed(x.view(-1, 8, 8))
        q, k, v = self.qkv(self.norm1(h)).view(-1, 8, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        h = h + self.mix(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 8, 16))
        h = h + self.down(F.gelu(self.up(self.norm2(h))))
        return self.out(h.mean(1))


def dropping():
    return Convolutional(0.2)
'''


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    (tmp_path / "graph_zoo.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(compile(MODELS, "graph_zoo.py", "exec"), space)
    return space


def numbers(samples, dtype):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(samples, 64, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(10, (samples,), generator=generator)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["Convolutional", "Transformer"])
def test_its_training_is_pytorchs_number_by_number(zoo, name, dtype, optimizer):
    torch.manual_seed(1)
    model = zoo[name]().to(dtype)
    x, y = numbers(6, dtype)
    peer = BatchPeer("model", model, x, y)
    found = run(training_of("cross_entropy", lr=0.01, steps=3, optimizer=optimizer), peer=peer)
    assert found.verdict == "match", found.reason
    assert found.steps == 3
    assert {row.side for row in found.formulas} == {"reference", "torch"}
    rule = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer](model.parameters(), lr=0.01)
    for _ in range(3):
        rule.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        rule.step()
    assert found.loss["torch"][1] == loss.item()


@pytest.mark.parametrize("name", ["Convolutional", "Transformer", "dropping"])
def test_from_the_command_line(zoo, ask, name):
    words = ["--data", "digits", "--loss", "cross_entropy", "--batch", "8", "--lr", "0.05", "--steps", "2"]
    code, out, err = ask("run", "--model", f"graph_zoo:{name}", *words, "--json", "-")
    assert code == 0, err
    assert json.loads(out)["verdict"] == "match"


@pytest.mark.parametrize(("factory", "data"), first_of([("Digits", "digits"), ("characters64", "sonnets")]))
def test_the_models_of_the_report_match_and_each_side_classifies_for_itself(
    factory, data, ask, monkeypatch
):
    """A few steps; `python -m tests.reports.lockstep` takes 200."""
    monkeypatch.chdir(Path(__file__).parents[2])
    words = ["run", "--model", f"{FILE}:{factory}", "--data", data, "--loss", "cross_entropy"]
    code, out, err = ask(*words, "--optimizer", "adamw", "--batch", "16", "--steps", "2", "--json", "-")
    assert code == 0, err
    found = json.loads(out)
    for shares in (found["accuracy"], found["accuracy_in_training"]):
        assert 0 < shares["reference"] == shares["torch"] < 1


def test_numpys_accuracy_is_of_its_own_numbers_in_evaluation(zoo):
    """With running statistics and without dropout, as the model itself has it."""
    torch.manual_seed(2)
    model = zoo["Convolutional"](0.4).double()
    x, y = numbers(12, torch.float64)
    peer = GraphPeer("model", model, x.numpy(), y.numpy())
    case = peer.case(training_of("cross_entropy", lr=0.1, steps=3))
    reference, side = Reference(case, peer.given), peer.side(case)
    predict = peer.predicts(reference.network)
    for _ in range(3):
        reference.step(case.x, case.y)
        side.step(case.x, case.y)
    ours, theirs = predict(case.x), side.predict(case.x)
    assert ours.shape == (10, 12)
    assert np.abs(ours - theirs).max() < 2.0**-30 < np.abs(theirs).max()
    reference.network.parameters["W2"][...] *= 1.5
    assert np.abs(predict(case.x) - theirs).max() > 2.0**-10
    assert side.module.training


class Scaled(torch.autograd.Function):
    """Its backward is not the derivative of its forward."""

    @staticmethod
    def forward(ctx, z):
        return z * 1

    @staticmethod
    def backward(ctx, g):
        return 1.001 * g


def hooked(z):
    z.register_hook(lambda gradient: 1.001 * gradient)
    return z


def lying(zoo, between):
    class Lying(zoo["Convolutional"]):
        def forward(self, x):
            return F.silu(between(super().forward(x)))

    return BatchPeer("model", Lying().double(), *numbers(6, torch.float64))


def test_a_hook_that_changes_a_gradient_of_a_graph_is_no_match(zoo):
    found = run(training_of("cross_entropy", lr=0.01, steps=1), peer=lying(zoo, hooked))
    assert found.verdict == "mismatch"
    assert found.first_divergence.side == "torch"


def test_a_function_of_a_strangers_in_a_graph_is_refused_by_name(zoo):
    with pytest.raises(UsageError, match=r"Scaled .* is no operation of PyTorch's"):
        run(training_of("cross_entropy", lr=0.01, steps=1), peer=lying(zoo, Scaled.apply))


class Stopping(torch.nn.Module):
    """Values that carry a gradient, and are taken once more without it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)

    def forward(self, x):
        h = self.first(x)
        h = h * torch.sigmoid(h.detach())
        with torch.no_grad():
            scale = self.second.weight.detach()[0]
        return self.second(scale * (h - h.amax(-1, keepdim=True).detach()))


def test_no_gradient_goes_back_where_the_model_stops_it():
    x, _ = numbers(6, torch.float32)
    y = torch.randn(6, 2, generator=torch.Generator().manual_seed(4))
    result = run(training_of("mse", steps=2), peer=BatchPeer("Stopping", Stopping(), x[:, :4], y))
    assert result.verdict == "match"
    assert any(row.formula == "detach" for row in result.formulas)


class Recurrent(torch.nn.Module):
    """An LSTM, of which the loss sees one or several of the tensors that its one call makes."""

    def __init__(self, taken):
        super().__init__()
        self.layer, self.taken = torch.nn.LSTM(8, 5, batch_first=True), taken
        self.out = torch.nn.Linear(5 * len(taken), 10)

    def forward(self, x):
        states, (hidden, cell) = self.layer(x.view(-1, 8, 8))
        made = {"y": states[:, -1], "h": hidden[0], "c": cell[0]}
        return self.out(torch.cat([made[name] for name in self.taken], 1))


class Split(torch.nn.Module):
    """Three parts of one value, of which two are not used."""

    def __init__(self):
        super().__init__()
        self.first, self.out = torch.nn.Linear(64, 12), torch.nn.Linear(4, 10)

    def forward(self, x):
        return self.out(self.first(x).split(4, 1)[1])


@pytest.mark.parametrize(
    "model",
    [
        lambda: Recurrent("y"),
        lambda: Recurrent("h"),
        lambda: Recurrent("c"),
        lambda: Recurrent("yhc"),
        Split,
    ],
)
def test_what_an_operation_makes_and_nobody_takes_has_no_gradient(model):
    torch.manual_seed(1)
    peer = BatchPeer("model", model(), *numbers(6, torch.float32))
    found = run(training_of("cross_entropy", lr=0.1, steps=3), peer=peer)
    assert found.verdict == "match", found.first_divergence
    assert found.undecided == 0
