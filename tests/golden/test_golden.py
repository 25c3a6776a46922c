"""Record and replay: the same bits here, everything counted, everything said."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from parity.golden import read, record, replay
from parity.golden.result import Replay
from tests.golden.helpers import ROOT, config, facts, rewrite


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", ["xor", "iris"])
def test_what_is_recorded_here_has_the_same_bits_here(tmp_path, data, dtype):
    path = tmp_path / "g.safetensors"
    layers = {"xor": [2, 3, 1], "iris": [4, 8, 3]}[data]
    asked = config(network={"layers": layers, "dtype": dtype}, data={"name": data}, training={"batch": 7})
    record(asked, path)
    found = replay(path)
    assert found.verdict == "match"
    assert (found.differing, found.first_difference, found.causes) == (0, None, [])
    assert found.steps == 2
    assert found.bits_compared > 100
    assert replay(path, bitwise=True).exit_code == 0


def test_what_is_compared_is_counted(golden):
    """Each equation of a step is asked of two recorded sides and two of today's, and in three pairs."""
    equations = len(read(golden).case.architecture.layers) * 8 - 8 + 1
    assert replay(golden).tensors_compared == 3 * equations * (4 + 3 * 2)
    assert replay(golden, torch=False).tensors_compared == 3 * equations * (3 + 2 * 2)


def test_json_and_words(ask, golden, tmp_path):
    code, out, err = ask("replay", golden, "--json", "-")
    assert code == 0
    assert "match" in err
    found = json.loads(out)
    assert found["schema"] == "parity-replays/1"
    one = Replay.model_validate(found["replays"][0])
    assert (one.verdict, one.digest) == ("match", facts(golden)["digest"])
    assert {row.side for row in one.formulas} == {
        "golden/reference",
        "golden/torch",
        "reference",
        "torch",
    }
    assert "coincide" in ask("replay", golden, "--lang", "es")[1]


def test_the_schema_describes_a_replay(ask):
    code, out, _ = ask("schema", "replay")
    assert code == 0
    assert json.loads(out)["properties"]["schema"]["const"] == "parity-replay/1"
    assert ask("schema", "nonesuch")[0] == 2


@pytest.mark.parametrize("command", ["record", "replay"])
def test_help_imports_neither_torch_nor_numpy(command):
    program = "import sys; from parity.__main__ import _run; _run([sys.argv[1], '--help']); "
    program += "sys.exit(bool({'torch', 'numpy', 'flint'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program, command], cwd=ROOT, check=False).returncode == 0


def test_a_golden_says_nothing_of_the_machine_but_what_bits_depend_on(golden):
    text = json.dumps(facts(golden))
    assert set(facts(golden)) == {"schema", "config", "environment", "seed", "sides", "steps", "digest"}
    assert str(golden.parent) not in text
    assert platform.node() not in text


def test_the_sidecar_shows_what_a_review_needs(golden):
    beside = json.loads(golden.with_suffix(".json").read_text())
    assert beside["digest"] == facts(golden)["digest"]
    assert beside["config"]["training"]["steps"] == 3
    W1 = read(golden).steps[0]["torch"]["W1"]
    line = beside["tensors"]["0/torch/W1"]
    assert line["shape"] == [3, 2]
    assert line["first"] == [float(f"{value:.6g}") for value in W1.flat[:3]]
    assert (line["min"], line["max"]) == tuple(float(f"{value:.6g}") for value in (W1.min(), W1.max()))
    changed = {name for name in beside["tensors"] if name.endswith("W1_next")}
    assert len({beside["tensors"][name]["digest"] for name in changed}) > 1


def test_the_digest_is_of_the_contents_not_of_the_file(golden, tmp_path):
    """Tensors in another order on disk: another file, the same golden."""
    shuffled = tmp_path / "shuffled.safetensors"

    def turn_round(known, arrays):
        for name in reversed(list(arrays)):
            arrays[name] = arrays.pop(name)

    rewrite(golden, shuffled, turn_round, reseal=False)
    again = tmp_path / "again.safetensors"
    record(config(training={"steps": 3}), again)
    assert read(golden).digest == read(shuffled).digest == read(again).digest


@pytest.mark.parametrize(
    ("words", "sides"),
    [(["--no-torch"], {"reference"}), (["--no-reference"], {"torch"}), ([], {"reference", "torch"})],
)
def test_either_side_of_today_may_be_skipped(ask, golden, words, sides):
    found = json.loads(ask("replay", golden, *words, "--json", "-")[1])["replays"][0]
    assert {row["side"] for row in found["against_golden"]} == sides


def test_a_folder_stands_for_its_goldens(ask, tmp_path):
    for name in ("a", "b"):
        record(config(), tmp_path / f"{name}.safetensors", torch=False)
    code, out, _ = ask("replay", "--no-torch", tmp_path, tmp_path / "a.safetensors")
    assert code == 0
    assert "2 of 2 goldens hold" in out
