"""Goldens of models that are no chain: frozen with their graph, replayed on both sides from the file."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from parity.errors import EnvironmentUnfit, UsageError
from parity.golden import read, record, replay, update
from parity.golden.result import Replay
from parity.pytorch.imported.case import BatchPeer, training_of
from reference.formula import Formula
from reference.operations import OPERATIONS
from tests.command import parity
from tests.golden.helpers import facts, rewrite


class Convolutional(nn.Module):
    """A strided convolution, batch norm, a kernel used twice, a residual, max pooling and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.twice, self.drop = nn.Conv2d(2, 2, 3, padding=1, groups=2), nn.Dropout(0.4)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        h = F.relu(self.norm(self.first(x)))
        h = F.max_pool2d(h + self.twice(F.silu(self.twice(h))), 2)
        return self.out(self.drop(h.flatten(1)))


class Attention(nn.Module):
    """Scaled dot-product attention with two heads, a residual, layer norm and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(6), nn.Linear(6, 18, bias=False), nn.Linear(6, 3)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).view(-1, 5, 3, 2, 3).permute(2, 0, 3, 1, 4).unbind(0)
        h = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 5, 6) * 0.7
        return self.out(h.mean(1))


def peer(kind: type[nn.Module]) -> BatchPeer:
    torch.manual_seed(5)
    model = kind()
    shape = (4, 1, 4, 4) if kind is Convolutional else (4, 5, 6)
    generator = torch.Generator().manual_seed(3)
    return BatchPeer(
        kind.__name__,
        model,
        torch.randn(shape, generator=generator),
        torch.randint(3, (4,), generator=generator),
    )


OPTIMIZERS = {"Convolutional": "adamw", "Attention": "sgd"}


@pytest.fixture(scope="module", params=[Convolutional, Attention], ids=lambda kind: kind.__name__)
def golden(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / f"{request.param.__name__}.safetensors"
    asked = training_of("cross_entropy", lr=0.05, steps=2, optimizer=OPTIMIZERS[request.param.__name__])
    assert record(asked, path, peer=peer(request.param)).outcome == "recorded"
    return path


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "c.safetensors"
    asked = training_of("cross_entropy", lr=0.05, steps=2)
    assert record(asked, path, peer=peer(Convolutional)).outcome == "recorded"
    return path


def test_both_sides_have_the_same_bits_here(ask, golden):
    """PyTorch's side too, without the model: masks are the golden's, statistics and moments go on."""
    found = replay(golden, bitwise=True)
    assert (found.verdict, found.differing, found.torch_side) == ("match", 0, "calls")
    assert {row.side for row in found.against_golden} == {"reference", "torch"}
    assert found.bits_compared > 4000
    code, out, _ = ask("replay", golden)
    assert code == 0
    assert f"run again by torch {torch.__version__}" in out


def test_without_torch_numpy_alone_replays_it(golden):
    done = parity("replay", "--no-torch", "--json", "-", golden, torch=False)
    assert done.returncode == 0, done.stderr
    found = Replay.model_validate(json.loads(done.stdout)["replays"][0])
    assert found.torch_side is None
    assert {row.side for row in found.formulas} == {"golden/reference", "golden/torch", "reference"}


def test_the_model_may_be_recorded_twice_and_has_one_digest(golden, tmp_path):
    kind = {"Convolutional": Convolutional, "Attention": Attention}[golden.stem]
    asked = training_of("cross_entropy", lr=0.05, steps=2, optimizer=OPTIMIZERS[golden.stem])
    again = tmp_path / golden.name
    record(asked, again, peer=peer(kind))
    assert read(again).digest == read(golden).digest


def test_one_number_changed_is_told_in_its_operation(convolutional, tmp_path):
    def change(_, arrays):
        arrays["1/torch/dW1"][1, 0, 2, 1] += 0.01

    bad = rewrite(convolutional, tmp_path / "bad.safetensors", change, reseal=True)
    found = replay(bad)
    first = found.first_divergence
    assert found.exit_code == 1
    assert (first.formula, first.side, first.step) == ("convolution_weight_gradient", "golden/torch", 1)
    assert first.index == [1, 0, 2, 1]
    assert {wrong.formula for wrong in found.wrong_formulas} == {
        "convolution_weight_gradient",
        "weight_update",
    }


def test_a_mask_that_is_no_mask_is_told(convolutional, tmp_path):
    """What was drawn is an operand of the product that takes it: here of step 0's alone."""
    name = next(n for n in facts(convolutional)["graph"]["nodes"] if n["name"].startswith("drawn"))["name"]
    masks = [n for n in read(convolutional).steps[0]["torch"] if n.startswith("drawn")]

    def change(_, arrays):
        arrays[f"0/torch/{masks[-1]}"][0, 0] += 3.0

    assert name in masks
    found = replay(rewrite(convolutional, tmp_path / "m.safetensors", change, reseal=True), torch=False)
    assert found.verdict == "mismatch"
    assert found.first_divergence.side == "golden/torch"


def test_a_formula_that_was_changed_since_is_a_regression(convolutional, monkeypatch):
    known = OPERATIONS["convolution"]
    right = known.vjps["W"]

    def wrong(*values, **options):
        return 1.001 * right.function(*values, **options)

    wrong.__signature__ = inspect.signature(right.function)
    changed = Formula(right.name, right.latex, wrong, right.takes)
    row = replace(known, vjps={**known.vjps, "W": changed})
    monkeypatch.setitem(OPERATIONS, "convolution", row)
    found = replay(convolutional, torch=False)
    assert found.exit_code == 1
    assert {wrong.formula for wrong in found.wrong_formulas} == {"convolution_weight_gradient"}


def test_update_needs_no_model(convolutional, tmp_path):
    def change(_, arrays):
        arrays["0/reference/a1"][0, 0, 0, 0] += 1.0

    bad = rewrite(convolutional, tmp_path / "u.safetensors", change, reseal=True)
    assert update(bad).outcome == "updated"
    assert update(bad).outcome == "unchanged"
    assert replay(bad, bitwise=True).exit_code == 0
    steps, again = read(convolutional).steps, read(bad).steps
    for sides, others in zip(steps, again, strict=True):
        for side, trace in sides.items():
            assert all(np.array_equal(tensor, others[side][name]) for name, tensor in trace.items())


def test_update_with_another_model_records_it(convolutional, tmp_path):
    path = tmp_path / "o.safetensors"
    asked = training_of("cross_entropy", lr=0.05, steps=2)
    record(asked, path, peer=peer(Convolutional))
    assert update(path, asked, peer=peer(Convolutional)).outcome == "unchanged"
    made = update(path, asked, peer=peer(Attention))
    assert (made.outcome, made.changed) == ("updated", ("model",))
    with pytest.raises(UsageError, match="--model"):
        update(path, training_of("cross_entropy", lr=0.1, steps=2))


MODEL = """
import torch
from torch import nn


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.two(torch.tanh(self.one(x)))


def chain():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
"""


@pytest.mark.parametrize("factory", ["Chain", "chain"])
def test_record_a_model_on_the_command_line(ask, tmp_path, monkeypatch, factory):
    """A chain of layers is mirrored as the deck has it, one of functions is a graph; weights are kept."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo_of_goldens.py").write_text(MODEL, encoding="utf-8")
    words = ["--model", "zoo_of_goldens.py:" + factory, "--data", "iris", "--steps", "2", "--lr", "0.1"]
    assert ask("record", *words, "-o", "g.safetensors")[0] == 0
    (tmp_path / "zoo_of_goldens.py").unlink()
    assert ask("replay", "--bitwise", "g.safetensors")[0] == 0
    known = facts(tmp_path / "g.safetensors")
    assert known["model"] == "zoo_of_goldens.py:" + factory
    assert ("graph" in known) == (factory == "Chain")
    listed = json.loads((tmp_path / "g.json").read_text())
    assert ("operations" in listed) == (factory == "Chain")
    assert "graph" not in listed
    assert ask("record", "--no-torch", "-o", "h.safetensors", *words)[0] == 2


def _unknown(known, _):
    next(n for n in known["graph"]["nodes"] if "operation" in n)["operation"] = "nonesuch"


def _backwards(known, _):
    known["graph"]["nodes"].reverse()


def _no_nodes(known, _):
    known["graph"] = {"nodes": []}


def _not_a_graph(known, _):
    known["graph"] = 3


def _odd_name(known, _):
    known["graph"]["nodes"][0]["name"] = "../x"


def _huge(known, _):
    node = next(n for n in known["graph"]["nodes"] if n.get("operation") == "convolution")
    node["options"]["padding"] = [10**9, 10**9]


def _other_options(known, _):
    node = next(n for n in known["graph"]["nodes"] if n.get("operation") == "convolution")
    node["options"]["stride"] = [3, 0]


def _another_parameter(known, _):
    leaf = next(n for n in known["graph"]["nodes"] if n["name"] == "W2" or n["name"].startswith("W"))
    leaf["given"] = True


def _no_mask(_, arrays):
    for name in [name for name in arrays if "drawn" in name]:
        del arrays[name]


@pytest.mark.parametrize(
    "change",
    [
        _unknown,
        _backwards,
        _no_nodes,
        _not_a_graph,
        _odd_name,
        _huge,
        _other_options,
        _another_parameter,
        _no_mask,
    ],
)
def test_a_damaged_graph_is_one_line_and_code_2(ask, convolutional, tmp_path, change):
    bad = rewrite(convolutional, tmp_path / "d.safetensors", change, reseal=True)
    code, out, err = ask("replay", "--no-torch", bad)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "d.safetensors" in err


def test_calls_of_no_table_are_not_run(convolutional, tmp_path):
    def change(known, _):
        known["graph"]["calls"][0][0] = "aten.set_.source_Storage"

    bad = rewrite(convolutional, tmp_path / "c.safetensors", change, reseal=True)
    with pytest.raises(EnvironmentUnfit, match="set_"):
        replay(bad)
    assert replay(bad, torch=False).verdict == "match"


def test_calls_that_were_not_kept(convolutional, tmp_path):
    def change(known, _):
        known["graph"]["calls"] = None

    bad = rewrite(convolutional, tmp_path / "n.safetensors", change, reseal=True)
    with pytest.raises(UsageError, match="--no-torch"):
        replay(bad)
