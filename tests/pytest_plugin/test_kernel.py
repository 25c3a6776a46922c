"""`parity.kernel` of the fixture: a kernel in a test, and how it fails."""

from __future__ import annotations

import json

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import torch

def definition(x):
    return torch.tanh(x) * x

def test_right(parity):
    found = parity.kernel(lambda x: x * torch.tanh(x), definition, torch.randn(4, 3), dtype="float64")
    assert found.verdict == "match"

def test_wrong(parity):
    parity.kernel(lambda x: x * torch.tanh(x.detach()), definition, torch.ones(4, 3))

def test_question(parity):
    parity.kernel(abs, definition)
"""


@pytest.fixture
def said(pytester, monkeypatch):
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_tanh=TESTS)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--parity-report", "report")


def test_a_kernel_fails_its_test_with_the_first_wrong_number(said, pytester):
    said.assert_outcomes(passed=1, failed=2)
    text = said.stdout.str()
    for words in ("First wrong: gradient of x[", "on the given inputs", "rounding allows", "MISMATCH",
                  "Again: pytest test_tanh.py::test_wrong", "kernel: none of the inputs is a tensor",
                  "test_tanh.py:11: ParityError"):  # fmt: skip
        assert words in text
    kept = json.loads((pytester.path / "report" / "comparisons.json").read_text())
    facts = {one["test"].partition("::")[2]: one for one in kept}
    assert facts["test_right"]["verdict"] == "match"
    assert facts["test_right"]["kind"] == "kernel"
    assert facts["test_wrong"]["roots"][0]["formula"] == "gradient of x"
    assert facts["test_question"]["verdict"] == "error"
    assert (pytester.path / facts["test_wrong"]["report"] / "result.json").exists()
