"""Goldens are never overwritten, changed only if they must be, and never half written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from parity.errors import UsageError
from parity.golden import format as contents
from parity.golden import read, record, replay, update
from tests.golden.helpers import config, facts, rewrite
from tests.mutants.engine import BUGS, Engine


def test_an_existing_golden_is_never_overwritten(ask, golden):
    before = golden.read_bytes()
    code, out, err = ask("record", "--data", "xor", "-o", golden)
    assert (code, out) == (2, "")
    assert "never overwritten" in err
    assert err.count("\n") == 1
    assert golden.read_bytes() == before


def test_update_leaves_alone_what_is_inside_its_bounds(ask, tmp_path):
    path = tmp_path / "g.safetensors"
    record(config(), path)
    before, when = path.read_bytes(), path.stat().st_mtime_ns
    code, out, _ = ask("record", "--update", path)
    assert code == 0
    assert "left as it is" in out
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, when)


def test_update_changes_only_those_outside_and_says_which(ask, tmp_path):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    record(config(), good)
    record(config(), bad)
    untouched = good.read_bytes()

    def spoil(known, arrays):
        arrays["1/reference/dW1"][0, 0] += 0.5

    rewrite(bad, bad, spoil, reseal=True)
    assert replay(bad).exit_code == 1
    code, out, _ = ask("record", "--update", tmp_path)
    assert code == 0
    assert "bad.safetensors: outside its bounds" in out
    assert "weight_gradient" in out
    assert "good.safetensors: inside its bounds" in out
    assert good.read_bytes() == untouched
    assert replay(bad).exit_code == 0
    assert json.loads(bad.with_suffix(".json").read_text())["digest"] == facts(bad)["digest"]


def test_update_with_other_options_records_that_run(ask, tmp_path):
    path = tmp_path / "g.safetensors"
    words = ("record", "--data", "xor", "--steps", "2", "--update", "-o", path)
    assert ask(*words)[0] == 0  # there is none yet
    assert "left as it is" in ask(*words)[1]
    code, out, _ = ask(*words, "--activation", "tanh")
    assert code == 0
    assert "network.activation" in out
    assert read(path).case.architecture.activations[0].name == "tanh"
    assert "left as it is" in ask(*words, "--activation", "tanh,tanh")[1]


def test_an_update_does_not_drop_the_side_of_torch(tmp_path):
    path = tmp_path / "g.safetensors"
    record(config(), path)
    assert update(path, torch=False).outcome == "unchanged"
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--no-torch"):
        update(path, config(network={"activation": "tanh"}), torch=False)
    assert path.read_bytes() == before


def test_a_run_that_does_not_hold_is_not_recorded(ask, tmp_path, monkeypatch):
    bug = next(bug for bug in BUGS if bug.name == "db_averaged")
    monkeypatch.setattr(
        "parity.lockstep.run.Reference", lambda case, _: _Wrapped(bug.planted(Engine)(case))
    )
    code, out, _ = ask("record", "--data", "xor", "-o", tmp_path / "g.safetensors")
    assert code == 1
    assert "bias_gradient" in out
    assert "not written" in out
    assert list(tmp_path.iterdir()) == []


class _Wrapped:
    """A mutant with the little of the engine that a run also asks for."""

    name = "reference"

    def __init__(self, mutant) -> None:
        self.mutant, self.network = mutant, self

    def step(self, x, y):
        return self.mutant.step(x, y)

    def forward(self, x):
        return np.zeros((1, x.shape[1]))


def test_a_run_that_diverges_is_not_recorded(ask, tmp_path):
    words = ("--data", "iris", "--activation", "identity", "--lr", "1e20", "--steps", "50")
    code, out, _ = ask("record", *words, "-o", tmp_path / "g.safetensors")
    assert code == 5
    assert "not written" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["put", "_review"])
def test_interrupted_while_writing_leaves_no_half_file(ask, tmp_path, monkeypatch, where):
    right = getattr(contents, where)

    def interrupted(*arguments, **options):
        right(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(contents, where, interrupted)
    code, out, err = ask("record", "--data", "xor", "-o", tmp_path / "g.safetensors")
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_interrupted_in_an_update_leaves_the_golden_as_it_was(ask, tmp_path, monkeypatch):
    path = tmp_path / "g.safetensors"
    record(config(), path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(contents, "_review", _interrupt)
    assert ask("record", "--update", "-o", path, "--activation", "relu")[0] == 130
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def _interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "-o"),
        (["-o", "g.bin"], ".safetensors"),
        (["-o", "no/such/folder/g.safetensors"], "no/such/folder"),
        (["-o", "g.safetensors", "--data", "digits", "--steps", "100000"], "--steps"),
        (["-o", "g.safetensors", "--data", "mnist"], "mnist"),
        (["--update"], "FILE"),
        (["old.safetensors"], "-o"),
        (["old.safetensors", "-o", "g.safetensors"], "--update"),
        (["--update", "old.safetensors", "--steps", "3"], "config"),
        (["--update", "nowhere.safetensors"], "nowhere"),
        (["-o", "g.safetensors", "--lang", "fr"], "--lang"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_wrong_question_to_record_is_one_line_and_code_2(ask, tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask("record", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nowhere.safetensors"], "nowhere"),
        (["."], "no golden"),
        (["--no-torch", "--no-reference", "nowhere.safetensors"], "neither"),
        (["--json", "no/such/folder/r.json", "nowhere.safetensors"], "no/such/folder"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_wrong_question_to_replay_is_one_line_and_code_2(ask, tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask("replay", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
