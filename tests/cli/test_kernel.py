"""`parity kernel`, as a command line runs it."""

from __future__ import annotations

import json

import pytest

from tests.command import parity

PROGRAM = """
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(5, 3)
compiled = torch.compile(layer, backend="eager")

def definition(x, w):
    return torch.sigmoid(x @ w)

class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        y = torch.sigmoid(x @ w)
        ctx.save_for_backward(x, w, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, w, y = ctx.saved_tensors
        d = g * y * (1 - y)
        return d @ w.T, x.T @ d

class Wrong(Own):
    @staticmethod
    def backward(ctx, g):
        dx, dw = Own.backward(ctx, g)
        return dx, dw / len(g)

own, wrong, number = Own.apply, Wrong.apply, 7

def inputs():
    return torch.randn(4, 5), torch.randn(5, 3)

x = torch.randn(4, 5)

def failing():
    raise LookupError("no data")
"""


@pytest.fixture
def hold(tmp_path, monkeypatch, ask):
    (tmp_path / "mine.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)

    def held(candidate, definition="definition", inputs="inputs", *words):
        named = [f"mine.py:{name}" for name in (candidate, definition, inputs)]
        return ask("kernel", *named[:2], "--inputs", named[2], *words)

    return held


def test_a_right_and_a_wrong_one(hold, tmp_path):
    code, out, err = hold("own", "definition", "inputs", "--json", "right.json", "--dtype", "float64")
    assert (code, err) == (0, "")
    assert "MATCH" in out
    assert json.loads((tmp_path / "right.json").read_text())["contract"]["number_format"] == "float64"
    code, out, err = hold("wrong", "definition", "inputs", "--json", "-", "--lang", "es")
    assert code == 1
    found = json.loads(out)
    assert found["first_divergence"]["name"] == "w"
    assert found["candidate"] == "Wrong"
    assert "Primer error: gradiente de w[" in err


def test_a_file_runs_once_so_that_modules_share_their_parameters(hold):
    code, out, err = hold("compiled", "layer", "x")
    assert (code, err) == (0, "")
    assert "gradient of weight" in out


QUESTIONS = {
    "name": (("nobody", "definition", "inputs"), "CANDIDATE mine.py:nobody: AttributeError"),
    "function": (("number", "definition", "inputs"), "mine.py:number is int, no function"),
    "raises": (("own", "definition", "failing"), "raised LookupError: no data"),
    "inputs": (("own", "definition", "number"), "gives int, no tensor"),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_a_question_that_is_wrong_is_one_line(hold, case):
    words, said = QUESTIONS[case]
    code, _, err = hold(*words)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


def test_without_torch_the_environment_cannot_answer(tmp_path):
    found = parity("kernel", "a.py:b", "a.py:c", "--inputs", "a.py:d", folder=tmp_path, torch=False)
    assert found.returncode == 3


def test_the_schema(ask):
    _, out, _ = ask("schema", "kernel")
    found = json.loads(out)
    assert {"rows", "first_divergence", "wrong", "contract", "not_tried"} <= found["properties"].keys()
