"""`parity list`, `--version` and the nearest name."""

from __future__ import annotations

import json

import pytest

import parity
from reference.operations import OPERATIONS
from reference.operations.activations import ACTIVATIONS


def test_the_version(ask):
    assert ask("--version") == (0, f"parity {parity.__version__}\n", "")


def test_everything_that_can_be_named_is_listed(ask):
    code, out, _ = ask("list")
    assert code == 0
    for said in (*ACTIVATIONS, *OPERATIONS, "digits", "negative_slope = 0.01", "value = (must be given)"):
        assert said in out


def test_a_kind_as_json(ask):
    code, out, _ = ask("list", "losses", "--json", "-")
    assert code == 0
    listed = json.loads(out)
    assert set(listed) == {"schema", "losses"}
    assert listed["losses"]["huber"]["options"] == {"delta": "1.0"}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "--activation", "tahn"], "tanh"),
        (["run", "--loss", "msee"], "mse"),
        (["run", "--optimizer", "adan"], "adam"),
        (["list", "loses"], "losses"),
        (["schema", "reply"], "replay"),
    ],
)
def test_the_nearest_name_is_asked_for(ask, words, meant):
    code, _, err = ask(*words)
    assert code == 2
    assert err.count("\n") == 1
    assert f"did you mean {meant!r}?" in err
