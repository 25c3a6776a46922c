"""The public face: exit codes, one line for a wrong question, JSON to the letter, no half file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from parity.lockstep.lockstep import Reference
from parity.lockstep.result import Result
from parity.lockstep.tracefile import read

FEW = ["--data", "xor", "--steps", "3"]


def test_a_match(ask, tmp_path):
    file = tmp_path / "result.json"
    code, out, err = ask("run", *FEW, "--json", file)
    assert code == 0
    assert "MATCH" in out
    assert err == ""
    result = json.loads(file.read_text())
    assert Result.model_validate(result).verdict == "match"
    assert result["schema"] == "parity-result/1"
    assert result["steps"] == 3
    assert result["first_divergence"] is None
    assert result["wrong_formulas"] == []
    assert {"formula", "slide", "layer", "side", "verdict", "worst_ratio", "undecided", "vacuous"} <= set(
        result["formulas"][0]
    )
    assert {"quantity", "layer", "verdict", "max_abs", "worst_ratio", "undecided"} <= set(
        result["side_by_side"][0]
    )
    assert {row["side"] for row in result["formulas"]} == {"reference", "torch"}
    assert result["contract"]
    assert result["environment"]["torch"]


def test_json_on_stdout_is_nothing_but_json(ask):
    code, out, err = ask("run", *FEW, "--json", "-")
    assert code == 0
    assert json.loads(out)["verdict"] == "match"
    assert "MATCH" in err


def test_the_schema_describes_the_result(ask):
    code, out, _ = ask("schema")
    assert code == 0
    schema = json.loads(out)
    assert schema["properties"]["schema"]["const"] == "parity-result/1"
    assert {"verdict", "formulas", "side_by_side", "contract"} <= set(schema["required"])


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("nmant", [52, 105, 112])
def test_doctor_refuses_a_longdouble_that_is_no_judge(ask, monkeypatch, nmant, lang):
    """Double itself, as on some ARM; two doubles, as on PowerPC; in software, as in a browser."""
    real, other = np.finfo, SimpleNamespace(nmant=nmant)
    monkeypatch.setattr(np, "finfo", lambda of: other if of is np.longdouble else real(of))
    code, out, _ = ask("doctor", "--lang", lang)
    assert code == 3
    [line] = [line for line in out.splitlines() if "longdouble" in line and "128" in line]
    assert {"en": "refused as a judge", "es": "no se admite como juez"}[lang] in line
    code, out, _ = ask("doctor", "--json", "-")
    assert code == 3
    assert json.loads(out)["environment"]["longdouble_judges_float64"] is False


def test_doctor_says_what_it_found(ask):
    code, out, _ = ask("doctor")
    assert code == 0
    assert "torch" in out
    assert "reference_path" in out


def test_spanish(ask):
    code, out, _ = ask("run", *FEW, "--lang", "es")
    assert code == 0
    assert "COINCIDEN" in out


@pytest.mark.parametrize(
    "words", [["--keep-going"], ["--witness"], ["--threads", "2"], ["--dtype", "float64"]]
)
def test_options_that_change_how_not_what(ask, words):
    assert ask("run", *FEW, *words)[0] == 0


WRONG_OPTIONS = [
    (["--data", "mnist"], "mnist"),
    (["--layers", "2-x-1"], "--layers"),
    (["--layers", "2--1"], "--layers"),
    (["--layers", "2"], "--layers"),
    (["--layers", "2-0-1"], "--layers"),
    (["--layers", "2-1000000000-1"], "--layers"),
    (["--layers", "2-100000-100000-1"], "parameters"),
    (["--layers", "3-2-1"], "xor has 2 features"),
    (["--layers", "2-2-2"], "xor has 1 outputs"),
    (["--activation", "sigmoyd"], "sigmoyd"),
    (["--activation", "relu,tanh,relu"], "3 given for 2 layers"),
    (["--loss", "mean"], "mean"),
    (["--optimizer", "lion"], "lion"),
    (["--lr", "0"], "--lr"),
    (["--lr", "nan"], "--lr"),
    (["--lr", "fast"], "--lr"),
    (["--steps", "0"], "--steps"),
    (["--steps", "-3"], "--steps"),
    (["--batch", "-1"], "--batch"),
    (["--seed", "-1"], "--seed"),
    (["--dtype", "float16"], "--dtype"),
    (["--target", "species"], "target"),
    (["--lang", "fr"], "--lang"),
    (["--config", "nowhere.toml"], "nowhere.toml"),
    (["--data", "nowhere.csv"], "nowhere.csv"),
    (["--json", "no/such/folder/r.json"], "no/such/folder"),
    (["--trace", "no/such/folder/t.safetensors"], "no/such/folder"),
    (["--nonsense"], "--nonsense"),
    (["--certify", "sometimes"], "--certify"),
    (["--certify", "0"], "--certify"),
    (["--threads", "0"], "--threads"),
    (["--trace", "t.safetensors", "--steps", "100000000"], "--trace-every"),
]


@pytest.mark.parametrize(("words", "named"), WRONG_OPTIONS, ids=lambda value: " ".join(value)[:40])
def test_a_wrong_option_is_one_line_and_code_2(ask, tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    options = words if "--data" in words or "--config" in words else [*FEW[:2], *words]
    code, out, err = ask("run", *options)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert list(tmp_path.iterdir()) == []


WRONG_CONFIGS = {
    "truncated": ("[network]\nlayers = [2, 3", "not valid TOML"),
    "binary": (b"\xff\xfe\x00", "not valid TOML"),
    "unknown table": ("[netwrok]\nlayers = [2, 1]", "netwrok"),
    "unknown key": ("[network]\nlayer = [2, 1]", "network.layer"),
    "no table": ("network = 3", "network"),
    "zero layers": ("[network]\nlayers = []", "network.layers"),
    "zero units": ("[network]\nlayers = [2, 0, 1]", "network.layers[1]"),
    "a billion units": ("[network]\nlayers = [2, 1000000000, 1]", "network.layers[1]"),
    "fractional units": ("[network]\nlayers = [2, 2.5, 1]", "network.layers[1]"),
    "unknown activation": ('[network]\nactivation = "sigmoyd"', "sigmoyd"),
    "unknown parameter of an activation": ('[network]\nactivation = {name = "tanh", slope = 2}', "slope"),
    "wrong shape of W1": (
        "[network]\nlayers = [2, 1]\n[network.parameters]\nW1 = [[1.0], [2.0]]\nb1 = [0.0]",
        "network.parameters.W1",
    ),
    "missing parameter": ("[network]\nlayers = [2, 1]\n[network.parameters]\nW1 = [[1.0, 2.0]]", "b1"),
    "unknown parameter": (
        "[network]\nlayers = [2, 1]\n[network.parameters]\nW1 = [[1, 2]]\nb1 = [0]\nW7 = [[1]]",
        "W7",
    ),
    "NaN in a parameter": (
        "[network]\nlayers = [2, 1]\n[network.parameters]\nW1 = [[nan, 2.0]]\nb1 = [0.0]",
        "network.parameters.W1",
    ),
    "text in a parameter": (
        '[network]\nlayers = [2, 1]\n[network.parameters]\nW1 = [["a", 2.0]]\nb1 = [0.0]',
        "network.parameters.W1",
    ),
    "x without y": ("[data]\nx = [[1.0, 2.0]]", "x and y"),
    "NaN in x": ("[data]\nx = [[nan, 2.0]]\ny = [[1.0]]", "data.x[0][0]"),
    "ragged x": ("[data]\nx = [[1.0, 2.0], [3.0]]\ny = [[1.0], [0.0]]", "data.x[1]"),
    "more x than y": ("[data]\nx = [[1.0], [3.0]]\ny = [[1.0]]", "2 samples"),
    "a number too large for float32": ("[data]\nx = [[1e39]]\ny = [[1.0]]", "float32"),
    "two sources": ('[data]\nname = "xor"\nx = [[1.0]]\ny = [[1.0]]', "one of"),
    "negative rate": ("[training]\nlr = -1.0", "training.lr"),
    "unknown loss": ('[training]\nloss = "mee"', "mee"),
    "unknown reduction": ('[training]\nloss = {name = "mse", reduction = "max"}', "reduction"),
}


@pytest.mark.parametrize("what", WRONG_CONFIGS)
def test_a_wrong_config_is_one_line_naming_file_and_key(ask, tmp_path, what):
    text, named = WRONG_CONFIGS[what]
    file = tmp_path / "case.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    data = [] if "[data]" in str(text) else ["--data", "xor"]
    code, out, err = ask("run", "--config", file, *data)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err


def test_options_win_over_the_file_and_the_file_over_defaults(ask, tmp_path):
    file = tmp_path / "case.toml"
    file.write_text('[data]\nname = "iris"\n[training]\nsteps = 4\nlr = 0.25\nbatch = 7\n')
    code, out, _ = ask("run", "--config", file, "--steps", "2", "--json", "-")
    config = json.loads(out)["config"]
    assert code == 0
    assert (config["data"], config["steps"], config["lr"], config["batch"]) == ("iris", 2, 0.25, 7)


@pytest.mark.parametrize(
    ("certify", "tensors"), [("every", 6), ("2", 4), ("4", 3), ("last", 1)], ids=["every", "2", "4", "last"]
)
def test_fewer_certificates_are_counted_and_stated(ask, certify, tensors):
    words = ["run", "--data", "xor", "--steps", "6", "--json", "-"]
    everything = json.loads(ask(*words)[1])
    some = json.loads(ask(*words, "--certify", certify)[1])
    assert some["verdict"] == "match"
    assert some["tensors_compared"] * 6 == everything["tensors_compared"] * tensors
    assert (some["certified"] == "every step") == (certify == "every")


def test_divergence_of_training_is_undecided_and_says_so(ask):
    code, out, _ = ask("run", "--data", "iris", "--activation", "identity", "--lr", "1e20", "--steps", "50")
    assert code == 5
    assert "diverged" in out
    assert "UNDECIDED" in out


def imported_by(*words: str) -> set[str]:
    program = "import sys; from parity.__main__ import _run; _run(sys.argv[1:]); "
    program += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["doctor", "--help"]], ids=" ".join)
def test_help_imports_neither_torch_nor_numpy(words):
    modules = imported_by(*words)
    assert "parity.cli.app" in modules
    assert not {"torch", "numpy", "flint"} & modules


def _heed_ctrl_c() -> None:
    """Tests that run in a shell's background have inherited that Ctrl-C is not for them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_who_interrupts_is_told_how_far_all_held(ask, tmp_path, monkeypatch):
    def step(self, x, y, plain=Reference.step, seen=[]):  # noqa: B006 - counts the calls
        seen.append(x)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, x, y)

    monkeypatch.setattr(Reference, "step", step)
    monkeypatch.chdir(tmp_path)
    kept = ["--trace", "t.safetensors", "--json", "r.json", "--report", "page"]
    code, out, err = ask("run", "--data", "xor", "--steps", "9", *kept)
    assert code == 130
    assert "interrupted (Ctrl-C) after 3 steps" in out
    assert "Traceback" not in err
    result = json.loads((tmp_path / "r.json").read_text())
    assert (result["verdict"], result["steps"]) == ("match", 3)
    assert {key.step for key in read(tmp_path / "t.safetensors").places} == {0, 1, 2}
    assert (tmp_path / "page" / "index.html").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("ending", "after"),
    [(signal.SIGINT, 0.3), (signal.SIGTERM, 3.0)],
    ids=["Ctrl-C before the first step", "terminated in the middle"],
)
def test_interrupted_leaves_no_half_file(tmp_path, ending, after):
    words = [
        "run",
        "--data",
        "xor",
        "--steps",
        "1000000",
        "--trace-every",
        "1000",
        "--trace",
        "t.safetensors",
    ]
    program = [sys.executable, "-m", "parity", *words, "--json", "r.json"]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    with subprocess.Popen(
        program,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_ctrl_c,
    ) as process:
        time.sleep(after)
        process.send_signal(ending)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or leaving the block would wait for all its steps
    assert process.returncode != 0
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
