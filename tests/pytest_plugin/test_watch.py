"""`parity.watch` of the fixture: a training in a test, and how it fails."""

from __future__ import annotations

import json

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import warnings
import pytest
import torch
from torch import nn

def train(steps=2, wrap=lambda made: made):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randn(6, 4), torch.randn(6, 2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(wrap(net(x)), y).backward()
        optimizer.step()

class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.numpy() * 2)

    @staticmethod
    def backward(ctx, g):
        return g * 2

@pytest.mark.parity
def test_right(parity):
    with parity.watch(steps=1) as watched:
        train()
    assert watched.result.steps == 1

def test_opaque(parity):
    with parity.watch():
        train(wrap=Own.apply)

def test_accepted(parity):
    with parity.watch(accept=["Own"]):
        train(wrap=Own.apply)

def test_raises(parity):
    with parity.watch():
        train()
        raise LookupError("my own")

def test_question(parity):
    with parity.watch(every=0):
        train()

def test_wrong(parity):
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.impl("tanh", lambda x: (2 * x).sigmoid() * 2.001 - 1, "CPU")
    with parity.watch():
        train()
"""


@pytest.fixture
def said(pytester, monkeypatch):
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_net=TESTS)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--parity-report", "report")


def part(text, name):
    start = text.index(f"_ {name} _")
    return text[start : text.index("\n____", start) if "\n____" in text[start:] else None]


def test_a_training_fails_its_test_with_the_first_wrong_operation_or_with_what_is_left(said, pytester):
    said.assert_outcomes(passed=2, failed=4)
    text = said.stdout.str()
    wrong = part(text, "test_wrong")
    for words in ("step 0", "Sequential.1", "tanh, forward", "test_net.py:13", "the formula gives"):
        assert words in wrong
    assert "Again: pytest test_net.py::test_wrong" in wrong
    assert [line for line in wrong.splitlines() if line.endswith(": ParityError")] == [
        "test_net.py:53: ParityError"
    ]
    opaque = part(text, "test_opaque")
    assert "not certified: Own, the program's own code" in opaque
    assert "INCOMPLETE" in opaque
    assert "LookupError: my own" in part(text, "test_raises")
    assert "watch: steps and every are at least 1" in part(text, "test_question")

    facts = {one["test"].partition("::")[2]: one for one in comparisons(pytester)}
    assert facts["test_right"]["verdict"] == "match"
    assert facts["test_right"]["numbers"] > 100
    assert facts["test_opaque"]["verdict"] == "incomplete"
    assert facts["test_wrong"]["roots"][0]["formula"] == "Sequential.1 tanh forward"
    assert "test_raises" not in facts
    page = pytester.path / facts["test_wrong"]["report"]
    assert {file.name for file in page.iterdir()} == {"index.html", "report.md", "result.json"}
    assert "tanh" in (pytester.path / "report" / "index.md").read_text()


def comparisons(pytester):
    return json.loads((pytester.path / "report" / "comparisons.json").read_text())
