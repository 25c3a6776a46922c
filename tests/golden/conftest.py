"""A golden that is there to be replayed, spoilt and updated."""

from __future__ import annotations

import pytest

from parity.golden import record
from tests.golden.helpers import config


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """2-3-1 on XOR, three steps; recorded once for each file of tests."""
    path = tmp_path_factory.mktemp("golden") / "xor.safetensors"
    assert record(config(training={"steps": 3}), path).outcome == "recorded"
    return path
