"""Existing torch models, mirrored: what holds, what is caught, and what is named since it has no mirror."""

from __future__ import annotations

import copy
import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from parity.errors import UsageError
from parity.lockstep.run import run
from parity.pytorch.imported.case import BatchPeer, training_of
from parity.pytorch.imported.layers import mirror


class Net(nn.Module):
    """Children in another order than they run, and an activation that serves twice."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 2)
        self.act = nn.Tanh()
        self.hidden = nn.Linear(4, 3)
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        return self.out(self.act(self.hidden(self.act(self.first(x)))))


def nested():
    block = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Identity())
    return nn.Sequential(nn.Flatten(), block, nn.Sequential(nn.Linear(5, 2)), nn.Sigmoid()).eval()


def batch(*shape, outputs=2, dtype=torch.float32, samples=5):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, *shape, generator=generator, dtype=torch.float64)
    y = torch.rand(samples, outputs, generator=generator, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)


def walked(model, x, y, loss="mse", lr=0.5, steps=3):
    return run(training_of(loss, lr=lr, steps=steps), peer=BatchPeer("model", model, x, y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("model", "shape"), [(Net, (4,)), (nested, (2, 3)), (nested, (6,))])
def test_models_match_their_mirrors(model, shape, dtype):
    result = walked(model().to(dtype), *batch(*shape, dtype=dtype))
    assert result.verdict == "match"
    assert result.steps == 3
    assert {row.side for row in result.formulas} == {"reference", "torch"}
    assert result.environment["torch"]


def test_the_loss_may_be_torchs_own():
    result = walked(Net(), *batch(4), loss=nn.MSELoss(reduction="sum"))
    assert result.verdict == "match"
    assert result.config["training"]["loss"] == {"name": "mse", "reduction": "sum"}


def test_weights_are_copied_the_other_way_and_the_model_stays_as_it_is():
    model = Net()
    before = copy.deepcopy(model.state_dict())
    x, y = batch(4)
    found = mirror(model, x)
    assert [layer.path for layer in found.layers] == ["first", "hidden", "out"]
    assert found.sizes == (4, 4, 3, 2)
    assert [f.name for f in found.activations] == ["tanh", "tanh", "identity"]
    assert walked(model, x, y).verdict == "match"
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_hooks for module in model.modules())


def test_the_trained_copy_is_the_model_itself():
    """Its loss after three steps is the one that plain PyTorch reaches."""
    model, (x, y) = Net(), batch(4)
    result = walked(model, x, y, steps=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert result.loss["torch"][1] == loss.item()


class Sub(Net):
    """Calls what it is given between the hidden layer and the output."""

    def __init__(self, between, where="z"):
        super().__init__()
        self.between, self.where = between, where

    def forward(self, x):
        a = self.act(self.first(x))
        z = self.hidden(a)
        return self.out(self.act(self.between(z)))


SCALED_BACKWARD = type(
    "Scaled",
    (torch.autograd.Function,),
    {
        "forward": staticmethod(lambda ctx, z: z.view_as(z)),
        "backward": staticmethod(lambda ctx, g: 1.001 * g),
    },
)


def hooked(z):
    z.register_hook(lambda gradient: 1.001 * gradient)
    return z


@pytest.mark.parametrize("between", [SCALED_BACKWARD.apply, hooked], ids=["function", "hook"])
def test_a_backward_that_lies_is_caught_by_the_certificates(between):
    result = walked(Sub(between), *batch(4))
    assert result.verdict == "mismatch"
    assert result.first_divergence.side == "torch"
    path = {1: "first", 2: "hidden"}[result.first_divergence.layer]
    assert result.reason.endswith(f"of the model is {path}")


def with_forward(forward):
    return type("Mine", (Net,), {"forward": forward})()


def shared():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(4, 2))


NO_CHAIN = {
    "a function": lambda: Sub(torch.tanh),
    "in place": lambda: Sub(lambda z: z.mul_(2)),
    "detached": lambda: Sub(lambda z: z.detach()),
    "a residual": lambda: Sub(lambda z: z + 1),
    "transposed": lambda: Sub(lambda z: z.flip(0)),
    "at the end": lambda: with_forward(lambda self, x: 2 * Net.forward(self, x)),
    "at the beginning": lambda: with_forward(lambda self, x: Net.forward(self, 2 * x)),
    "batch norm": lambda: nn.Sequential(
        nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()), nn.Linear(3, 2)
    ),
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 1, 3), nn.Flatten()),
    "own leaf": lambda: nn.Sequential(nn.Linear(4, 2), type("Mine", (nn.ReLU,), {})()),
    "dropout at work": lambda: nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.1)).train(),
    "no bias": lambda: nn.Sequential(nn.Linear(4, 2, bias=False)),
    "shared": shared,
    "two activations": lambda: nn.Sequential(nn.Linear(4, 2), nn.Tanh(), nn.ReLU()),
    "activation first": lambda: nn.Sequential(nn.Tanh(), nn.Linear(4, 2)),
    "layer norm": lambda: nn.Sequential(nn.Linear(4, 2), nn.LayerNorm(2)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("what", NO_CHAIN)
def test_a_model_that_is_no_chain_is_trained_as_its_graph(what, dtype):
    model = NO_CHAIN[what]().to(dtype)
    before = copy.deepcopy(model.state_dict())
    result = walked(model, *batch(4, dtype=dtype))
    assert result.verdict == "match", result.reason
    assert result.steps == 3
    assert {row.side for row in result.formulas} == {"reference", "torch"}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


NO_MIRROR = {
    "no layer": (lambda: with_forward(lambda self, x: x[:, :2]), "no gradient reaches a parameter"),
    "no parameters": (lambda: nn.Sequential(nn.Flatten()), "it has no parameters"),
    "no module": (lambda: 3, "it has no parameters"),
    "half": (lambda: nn.Sequential(nn.Linear(4, 2)).half(), "its parameters are float16"),
    "frozen": (
        lambda: nn.Sequential(nn.Linear(4, 2).requires_grad_(False)),
        "no gradient reaches a parameter: it is frozen, or under no_grad",
    ),
    "hooks": (lambda: hook_first(nn.Sequential(nn.Linear(4, 2))), "0 has hooks of its own"),
    "not there yet": (lambda: nn.Sequential(nn.LazyLinear(2)), "not there yet"),
    "other features": (lambda: nn.Sequential(nn.Linear(3, 2)), "raised RuntimeError on x (5, 4)"),
    "other outputs": (lambda: nn.Sequential(nn.Linear(4, 3)), "y has shape (5, 2), where (5, 3) belongs"),
    "other outputs of a graph": (
        lambda: nn.Sequential(nn.Linear(4, 3, bias=False)),
        "Using a target size (torch.Size([5, 2])) that is different to the input size (torch.Size([5, 3]))",
    ),
    "tuple": (
        lambda: with_forward(lambda self, x: (Net.forward(self, x), x)),
        "its output is tuple, not one tensor",
    ),
    "on another device": (lambda: nn.Sequential(nn.Linear(4, 2, device="meta")), "0.weight is on meta"),
}


def hook_first(model):
    model[0].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize("what", NO_MIRROR)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_has_no_mirror_is_named_with_its_path(what):
    model, said = NO_MIRROR[what]
    with pytest.raises(UsageError) as error:
        walked(model(), *batch(4))
    assert str(error.value).startswith("model: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


class Fickle(Net):
    """Takes another path the second time."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return Net.forward(self, x) if self.calls < 3 else self.out(self.hidden(self.act(self.first(x))))


def test_a_model_that_changes_its_mind_is_found_out():
    with pytest.raises(UsageError, match="not the same for every batch"):
        walked(Fickle(), *batch(4))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.ones((5, 4)), np.ones((5, 2)), "x is float64, the model float32"),
        (np.ones((5, 4), np.float32), np.ones((5,)), r"y has shape \(5,\), where \(5, 2\) belongs"),
        (np.ones((5, 4), np.float32), np.ones((4, 2)), "x has 5 samples, y has 4"),
        (np.ones((0, 4), np.float32), np.ones((0, 2)), "x has 0 samples"),
        (
            np.full((5, 4), np.nan, np.float32),
            np.ones((5, 2)),
            r"x\[0\] does not fit float32",
        ),
        ([[1.0]], np.ones((5, 2)), "x is no tensor or array"),
    ],
)
def test_batches_that_do_not_fit(x, y, said):
    with pytest.raises(UsageError, match=said):
        walked(Net(), x, y)


MODELS = """
from torch import nn

def digits():
    return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))

ready = digits()

def wrong():
    raise RuntimeError("not today")

def number():
    return 3

def frozen():
    return nn.Sequential(nn.Linear(4, 3).requires_grad_(False))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "zoo.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "zoo", raising=False)  # another test's, in the same process


@pytest.mark.parametrize("spec", ["zoo:digits", "zoo.py:digits", "zoo:ready"])
@pytest.mark.usefixtures("here")
def test_from_the_command_line(ask, spec):
    code, out, err = ask("run", "--model", spec, "--steps", "2", "--json", "-")
    assert code == 0, err
    result = json.loads(out)
    assert result["config"]["model"] == spec
    assert result["config"]["layers"] == "64-8-10"
    assert result["config"]["network"]["activation"] == ["tanh", "identity"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["zoo"], "expected module:factory"),
        (["zoo:"], "expected module:factory"),
        (["nowhere:digits"], "ModuleNotFoundError"),
        (["nowhere.py:digits"], "there is no file nowhere.py"),
        (["zoo:nobody"], "AttributeError"),
        (["zoo:wrong"], "RuntimeError: not today"),
        (["zoo:number"], "gave int, no torch.nn.Module"),
        (["zoo:frozen", "--data", "iris"], "no gradient reaches a parameter"),
        (["zoo:digits", "--data", "iris"], "raised RuntimeError"),
        (["zoo:digits", "--layers", "64-8-10"], "its network is its own; leave out layers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("here")
def test_wrong_models_are_one_line_and_code_2(ask, words, said):
    code, out, err = ask("run", "--steps", "1", "--model", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err
