"""Networks in rows against the same ones as a person writes them, and through every command."""

from __future__ import annotations

import inspect
import json
from operator import attrgetter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from parity.config.config import read
from parity.config.module_names import MODULES, TYPES
from parity.config.modules import module_rows
from parity.errors import UsageError
from parity.lockstep.run import model_peer, run
from parity.pytorch.declared import declared
from tests.nightly import in_turn

MUST = inspect.Parameter.empty


def row(kind, **options):
    return {"type": kind, **options}


CNN = [
    row("Unflatten", dim=1, unflattened_size=[1, 4, 4]),
    row("Conv2d", name="first", in_channels=1, out_channels=2, kernel_size=3),
    row("BatchNorm2d", num_features=2),
    row("ReLU", name="relu"),
    row("Conv2d", name="second", in_channels=2, out_channels=2, kernel_size=3, padding=1),
    row("add", **{"from": ["relu", "second"]}),
    row("MaxPool2d", kernel_size=2),
    row("Flatten"),
    row("Linear", name="out", in_features=2, out_features=2),
]
ATTENTION = [
    row("Embedding", name="embed", num_embeddings=6, embedding_dim=4),
    row("Linear", name="q", in_features=4, out_features=4),
    row("Linear", name="k", in_features=4, out_features=4, weights="q", **{"from": "embed"}),
    row("scaled_dot_product_attention", name="mixed", **{"from": ["q", "k", "embed"]}),
    row("add", name="sum", **{"from": ["embed", "mixed"]}),
    row("LayerNorm", normalized_shape=4),
    row("MultiheadAttention", embed_dim=4, num_heads=2, batch_first=True),
    row("select", dim=1, index=-1),
    row("GELU", approximate="tanh"),
    row("Linear", name="out", in_features=4, out_features=2),
]
NETWORKS = {"cnn": CNN, "attention": ATTENTION}
SAMPLES = 6


def config(name, **training):
    generator = np.random.default_rng(4)
    x = (
        generator.standard_normal((SAMPLES, 16))
        if name == "cnn"
        else generator.integers(6, size=(SAMPLES, 3))
    )
    return {
        "network": {"modules": NETWORKS[name], "dtype": "float64"},
        "data": {"x": x.tolist(), "y": np.eye(2)[generator.integers(2, size=SAMPLES)].tolist()},
        "training": {"loss": "cross_entropy", "lr": 0.1, "steps": 2, "batch": 0, **training},
    }


@pytest.fixture(params=NETWORKS)
def file(request, tmp_path):
    """The network as a TOML file."""
    asked = config(request.param)
    lines = ["[network]", 'dtype = "float64"']
    for one in asked["network"]["modules"]:
        lines += ["[[network.modules]]", *(f"{key} = {json.dumps(value)}" for key, value in one.items())]
    for table in ("data", "training"):
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in asked[table].items())]
    path = tmp_path / f"{request.param}.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class Handwritten(nn.Module):
    """CNN, as a person writes it."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.second, self.out = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, x):
        h = F.relu(self.norm(self.first(x.view(-1, 1, 4, 4))))
        return self.out(F.max_pool2d(h + self.second(h), 2).flatten(1))


def test_it_is_the_module_that_a_person_writes():
    x = np.random.default_rng(2).standard_normal((5, 16))
    module, shape = declared(module_rows(CNN), x, seed=3)
    torch.manual_seed(3)
    by_hand = Handwritten().double()
    for mine, theirs in zip(module.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert shape == (2, 2)
    assert torch.equal(module(torch.from_numpy(x)), by_hand(torch.from_numpy(x)))


def test_weights_are_shared():
    module, _ = declared(module_rows(ATTENTION), np.zeros((2, 3)), seed=0)
    assert module.q.weight is module.k.weight
    assert module.q.bias is module.k.bias


@pytest.mark.parametrize("name", TYPES)
def test_arguments_and_defaults_are_pytorchs(name):
    known = TYPES[name]
    found = attrgetter(known.source.removeprefix("torch."))(torch)
    if not isinstance(found, type):
        assert callable(found)
        return
    theirs = inspect.signature(found).parameters
    for option, default in known.options.items():
        assert option in theirs, option
        if option not in ("batch_first", "dim"):  # these must be said here
            wanted = theirs[option].default
            assert ("required" if wanted is MUST else wanted) == default, option
    missing = {key for key, one in theirs.items() if one.default is MUST} - known.options.keys()
    assert missing - {"args", "kwargs"} == set()
    assert name not in MODULES or known.source == f"torch.nn.{name}"


@pytest.mark.parametrize(("name", "optimizer"), in_turn(NETWORKS, ["sgd", "adamw"]))
def test_both_sides_train_it_and_match(name, optimizer):
    asked = config(name, optimizer=optimizer, lr=0.01, steps=3)
    read_config = read(asked, {})
    found = run(read_config, peer=model_peer(read_config))
    assert found.verdict == "match", found.first_divergence
    assert found.steps == 3
    assert found.loss["torch"][0] > found.loss["torch"][1]


def test_every_command_takes_it(file, tmp_path, ask):
    code, out, err = ask("run", "--config", file, "--json", "-", "--report", tmp_path / "page")
    assert code == 0, err
    assert json.loads(out)["verdict"] == "match"
    assert (
        "second.weight" in (page := (tmp_path / "page" / "index.html").read_text())
        or "embed.weight" in page
    )
    for words in (["explain", "W2_next[0,0]"], ["explain", "loss", "--step", "1"], ["graph"]):
        if file.stem == "cnn" and words[-1] == "W2_next[0,0]":
            words = ["explain", "W2_next[0,0,0,0]"]
        code, out, err = ask(*words, "--config", file)
        assert code == 0, err
        assert out
    golden = tmp_path / "golden.safetensors"
    assert ask("record", "--config", file, "-o", golden)[0] == 0
    file.write_text("", encoding="utf-8")  # a golden needs nothing but itself
    code, out, err = ask("replay", golden)
    assert code == 0, err
    assert "match" in out


def test_a_chain_of_layers_is_mirrored_as_the_deck_writes_it(ask, tmp_path):
    text = "".join(
        f"[[network.modules]]\ntype = {json.dumps(kind)}\n{rest}\n"
        for kind, rest in (
            ("Linear", "in_features = 2\nout_features = 3"),
            ("Tanh", ""),
            ("Linear", "in_features = 3\nout_features = 1"),
        )
    )
    (tmp_path / "chain.toml").write_text(text + '[data]\nname = "xor"\n[training]\nsteps = 2\n')
    code, out, err = ask("run", "--config", tmp_path / "chain.toml", "--json", "-")
    assert code == 0, err
    assert {row["formula"] for row in json.loads(out)["formulas"]} >= {"hidden_delta", "affine"}


X = np.zeros((3, 16))
WRONG = {
    "does not fit": (
        [*CNN[:-1], row("Linear", in_features=3, out_features=2)],
        r"row 9, linear9 \(Linear\): does not take \(N, 2\): mat1 and mat2 shapes",
    ),
    "of two rows": (
        [*CNN[:5], row("add", **{"from": ["input", "second"]})],
        r"row 6, add6 \(add\): does not take \(N, 16\), \(N, 2, 2, 2\): The size",
    ),
    "nothing left": ([CNN[0], row("MaxPool2d", kernel_size=9)], r"row 2, .* does not take \(N, 1, 4, 4\)"),
    "argument": (
        [row("Linear", in_features="16", out_features=2)],
        r"row 1, linear1 \(Linear\): PyTorch refuses it: ",
    ),
    "samples": ([row("reshape", shape=[-1])], r"row 1, .* the first dimension must stay the samples'"),
    "name": (
        [row("Linear", name="train", in_features=16, out_features=2)],
        "PyTorch's modules have something",
    ),
    "too large": (
        [row("Linear", in_features=10**9, out_features=10**9)],
        "more than 50,000,000 parameters",
    ),
    "weights": (
        [
            row("Linear", name="a", in_features=16, out_features=2),
            row("Linear", in_features=2, out_features=2, weights="a"),
        ],
        r"row 2, linear2 \(Linear\): has no parameters of the same names and shapes as a",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_row_that_pytorch_refuses_is_named_with_the_shape_that_it_was_given(name):
    rows, said = WRONG[name]
    with pytest.raises(UsageError, match=said) as caught:
        declared(module_rows(rows), X, seed=0)
    assert "\n" not in str(caught.value)


def test_what_an_embedding_has_no_row_for_is_named_by_its_sample():
    x = np.array([[0.0, 1], [2, 5], [7, 0]])
    with pytest.raises(UsageError, match=r"row 1, embed .*from 0 to 5; sample 2 of the data has 7"):
        declared(module_rows(ATTENTION), x, seed=0)


def test_outputs_are_as_many_as_the_data_have():
    asked = read(config("cnn") | {"data": {"name": "digits"}}, {})
    with pytest.raises(UsageError, match=r"row 1, unflatten1 \(Unflatten\): does not take \(N, 64\)"):
        model_peer(asked).resolve(asked)
    rows = [row("Linear", in_features=64, out_features=3)]
    asked = read({"network": {"modules": rows}, "data": {"name": "digits"}}, {})
    with pytest.raises(
        UsageError, match=r"the last row gives \(N, 3\); digits and the loss need \(N, 10\)"
    ):
        model_peer(asked).resolve(asked)
