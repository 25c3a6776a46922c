"""A new activation is one row of a table: everything else knows it at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.__main__ import _run
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
