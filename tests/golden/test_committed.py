"""The committed goldens hold here, with PyTorch and without: one for each activation and format."""

from __future__ import annotations

import json

import pytest

from parity.golden import read, replay
from parity.golden.format import sidecar
from parity.golden.result import Replay
from reference.operations.activations import ACTIVATIONS
from tests.command import parity
from tests.golden.helpers import COMMITTED
from tests.goldens.__main__ import DTYPES, golden

FILES = sorted(COMMITTED.glob("*.safetensors"))


def test_each_activation_in_both_formats():
    assert {file.stem for file in FILES} == {f"{name}-{dtype}" for name in ACTIVATIONS for dtype in DTYPES}


def test_all_hold_with_no_torch_installed(tmp_path):
    result = tmp_path / "result.json"
    done = parity("replay", "--no-torch", COMMITTED, "--json", result, torch=False)
    assert (done.returncode, done.stderr) == (0, "")
    replays = [Replay.model_validate(found) for found in json.loads(result.read_text())["replays"]]
    assert len(replays) == len(FILES)
    for found in replays:
        assert found.verdict == "match"
        assert found.numbers_compared > 1000


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_holds_on_both_sides(file):
    found = replay(file)
    assert found.verdict == "match"
    assert {row.side for row in found.against_golden} == {"reference", "torch"}
    assert not [row for row in found.formulas if row.vacuous]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_small_complete_and_reviewed(file):
    beside = sidecar(file)
    assert file.stat().st_size < 20_000
    assert beside.stat().st_size < 20_000
    kept = read(file)
    assert kept.sides == ("reference", "torch")
    assert json.loads(beside.read_text())["digest"] == kept.digest


def test_the_documented_command_changes_nothing():
    before = {file: file.read_bytes() for file in FILES}
    assert golden("sigmoid", "float32").outcome == "unchanged"
    assert {file: file.read_bytes() for file in FILES} == before
