"""A new activation, and a new operation, is one row of a table: everything else knows it at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import parity
from parity.__main__ import _run
from parity.errors import UsageError
from parity.golden import record, replay
from parity.golden.script import record_script
from parity.lockstep.run import run
from parity.pytorch.imported.case import BatchPeer, training_of
from reference.operation import define
from reference.operations import OPERATIONS
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.activations.activation import into


class Square(torch.nn.Module):
    """z², which PyTorch has no module for."""

    def forward(self, z):
        return z * z


@into
def square(z):
    return np.square(z)


ROW = Activation(
    "squared",
    square,
    lambda z, a, out=None: 2 * z,
    r"z^2",
    r"2 z",
    "torch.nn.Square",
)


@pytest.fixture
def row(monkeypatch):
    monkeypatch.setattr(torch.nn, "Square", Square, raising=False)
    monkeypatch.setitem(ACTIVATIONS, ROW.name, ROW)


def test_every_command_knows_it(row, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = ["--data", "iris", "--activation", "squared", "--lr", "0.01"]
    assert _run(["run", *case, "--steps", "5", "--trace", "t.safetensors", "--report", "page"]) == 0
    assert "squared" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert _run(["explain", "delta1[0,0]", *case]) == 0
    assert _run(["graph", *case[:4]]) == 0
    assert "squared" in capsys.readouterr().out
    assert _run(["record", *case, "--steps", "2", "-o", "g.safetensors"]) == 0
    assert _run(["replay", "g.safetensors"]) == 0


def test_a_wrong_row_is_caught(row, monkeypatch, capsys):
    wrong = Activation(
        **{f: getattr(ROW, f) for f in ("name", "function", "latex", "latex_derivative", "source")},
        derivative=lambda z, a, out=None: 3 * z,
    )
    monkeypatch.setitem(ACTIVATIONS, "squared", wrong)
    assert _run(["run", "--data", "iris", "--activation", "squared", "--lr", "0.01", "--steps", "2"]) == 1
    assert "output_delta" in capsys.readouterr().out


def hypotenuse(slope=lambda g, x, y: g * (x / y)):
    """√(x² + w²), which the table does not have."""
    return define(
        "hypot",
        (lambda x, w: np.sqrt(x * x + w * w), r"\sqrt{x^2 + w^2}"),
        {
            "x": (slope, r"g \frac{x}{y}"),
            "w": (lambda g, w, y: g * (w / y), r"g \frac{w}{y}"),
        },
        aten={"aten.hypot.default": "x w -> y"},
    )


class Hypotenuse(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)

    def forward(self, x):
        return torch.hypot(self.first(x), self.second(x))


def trained():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 4, generator=generator), torch.randn(5, 3, generator=generator)
    return run(training_of("mse", lr=0.1, steps=2), peer=BatchPeer("model", Hypotenuse(), x, y))


def watched():
    model = Hypotenuse()
    with parity.watch(model) as watching:
        model(torch.ones(2, 4)).sum().backward()
    return watching.result


def test_an_operation_out_of_the_table_is_refused_by_name():
    with pytest.raises(UsageError, match=r"hypot\.default is not in the table of operations"):
        trained()
    assert watched().verdict == "incomplete"


def test_with_its_row_it_is_trained_and_watched(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "hypot", hypotenuse())
    assert trained().verdict == "match"
    assert watched().verdict == "match"


def test_a_wrong_row_of_an_operation_is_caught(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "hypot", hypotenuse(lambda g, x, y: g * (y / x)))
    assert trained().verdict == "mismatch"
    found = watched()
    assert found.verdict == "mismatch"
    assert "hypot" in str(found.first_divergence)


@pytest.fixture
def frozen(tmp_path, monkeypatch):
    """A golden of the model, and one of a script that trains it, recorded with the row."""
    monkeypatch.setitem(OPERATIONS, "hypot", hypotenuse())
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 4, generator=generator), torch.randn(5, 3, generator=generator)
    graph, script = tmp_path / "graph.safetensors", tmp_path / "script.safetensors"
    asked = training_of("mse", lr=0.1, steps=2)
    assert record(asked, graph, peer=BatchPeer("model", Hypotenuse(), x, y)).outcome == "recorded"
    program = tmp_path / "train.py"
    program.write_text(
        "import torch\n"
        "one, two = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)\n"
        "optimizer = torch.optim.SGD([*one.parameters(), *two.parameters()], lr=0.1)\n"
        "x = torch.randn(5, 4)\n"
        "torch.hypot(one(x), two(x)).sum().backward()\n"
        "optimizer.step()\n",
        encoding="utf-8",
    )
    assert record_script(program, [], script, steps=1).outcome == "recorded"
    return graph, script


def test_record_and_replay_know_it(frozen):
    for golden in frozen:
        found = replay(golden, bitwise=True)
        assert (found.verdict, found.differing) == ("match", 0)


def test_a_row_that_went_wrong_since_is_a_regression(frozen, monkeypatch):
    graph, script = frozen
    monkeypatch.setitem(OPERATIONS, "hypot", hypotenuse(lambda g, x, y: g * (y / x)))
    wrong = {wrong.formula for wrong in replay(graph, torch=False).wrong_formulas}
    assert wrong == {"hypot_input_gradient"}
    found = replay(script, torch=False)
    assert found.exit_code == 1
    assert {(wrong.operation, wrong.operand) for wrong in found.operations.wrong} == {("hypot", "x")}


def test_a_row_that_is_gone_is_said(frozen, monkeypatch):
    graph, script = frozen
    monkeypatch.delitem(OPERATIONS, "hypot")
    with pytest.raises(UsageError, match="hypot is not in the table of operations"):
        replay(graph, torch=False)
    assert replay(script, torch=False).exit_code == 5
