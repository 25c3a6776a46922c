"""`parity watch SCRIPT`: somebody's script as a command line runs it, and what becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from tests.command import ROOT, parity
from tests.nightly import one_in

SCRIPT = """
import argparse, sys
import torch
from torch import nn
import beside
options = argparse.ArgumentParser()
options.add_argument("--steps", type=int, default=4)
options.add_argument("words", nargs="*")
asked = options.parse_args()
torch.manual_seed(0)
x, y = torch.randn(6, 4), torch.randn(6, 2)
model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(asked.steps):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print("loss", step, loss.item())
print("done", asked.words, __name__, __file__, beside.NAME, torch.get_num_threads())
"""

ENDS = {
    "raises": ("raise RuntimeError('my own')", 2),
    "exits well": ("sys.exit(0)", 0),
    "exits with a number": ("sys.exit(3)", 2),
    "exits with words": ("sys.exit('my last words')", 2),
}


@pytest.fixture
def script(tmp_path):
    (tmp_path / "beside.py").write_text("NAME = 'a neighbour'\n")

    def written(text=SCRIPT, name="train.py"):
        (tmp_path / name).write_text(text)
        return name

    return written


def test_a_script_runs_as_it_would_alone_and_is_certified(script, tmp_path):
    own = ["--steps", "5", "a", "--", "b"]
    name = script()
    alone = subprocess.run(
        [sys.executable, name, *own], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    done = parity("watch", name, "--steps", "2", "--all", "--", *own, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(alone.stdout)
    assert "MATCH: every operation of 2 steps" in done.stdout
    for words in ("Sequential.0", "addmm", "vjp", "optim.SGD", "train.py:16"):
        assert words in done.stdout
    assert done.stderr == ""


def test_json_on_stdout_is_all_that_is_there(script, tmp_path):
    text = SCRIPT + "import subprocess\nsubprocess.run(['echo', 'from a child'])\n"
    done = parity("watch", script(text), "--json", "-", "--steps", "1", folder=tmp_path)
    found = json.loads(done.stdout)
    assert (found["schema"], found["verdict"], found["steps"]) == ("parity-watch/1", "match", 1)
    for words in ("loss 3", "from a child", "MATCH"):
        assert words in done.stderr


def test_it_stops_where_it_is_told_to(script, tmp_path):
    options = (
        "--steps",
        "1",
        "--from",
        "2",
        "--every",
        "2",
        "--stop",
        "--lang",
        "es",
        "--json",
        "found.json",
    )
    done = parity("watch", *options, script(), "--", "--steps", "9", folder=tmp_path)
    assert done.returncode == 0
    assert "loss 2" in done.stdout
    assert "loss 3" not in done.stdout
    assert "COINCIDE" in done.stdout
    assert json.loads((tmp_path / "found.json").read_text())["steps"] == 1


@pytest.mark.parametrize("how", one_in(3, ENDS))
def test_how_a_script_ends_is_its_own_affair(how, script, tmp_path):
    ending, code = ENDS[how]
    done = parity("watch", script(SCRIPT + ending), "--steps", "2", folder=tmp_path)
    assert done.returncode == code
    assert "MATCH: every operation of 2 steps" in done.stdout
    assert ("my own" in done.stderr) == ("my own" in ending)
    assert "my last words" not in ending or "my last words" in done.stderr
    assert "parity/" not in done.stderr
    assert "runpy" not in done.stderr


WRONG = {
    "missing": (None, "none.py: there is no such file"),
    "empty": ("# nothing here\n", "train.py: is empty"),
    "no Python": ("x = 1\nif x\n", "train.py: line 2: expected ':'"),
    "binary": ("\0\1", "train.py: "),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_script_that_cannot_be_run_is_one_line(text, said, script, tmp_path):
    name = "none.py" if text is None else script(text)
    done = parity("watch", name, folder=tmp_path, torch=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"parity: {said}")
    assert done.stderr.count("\n") == 1


def test_compiled_code_is_held_to_its_own_with_probes(script, tmp_path):
    text = SCRIPT.replace(
        "optimizer =", 'whole = torch.compile(model, backend="aot_eager")\noptimizer =', 1
    )
    assert text.count("whole") == text.count("(model(") == 1
    text = text.replace("(model(", "(whole(")
    done = parity(
        "watch", script(text), "--probes", "--steps", "1", "--stop", "--json", "f.json", folder=tmp_path
    )
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "f.json").read_text())
    operations = {row["operation"] for row in found["rows"]}
    assert {"compiled Sequential", "probed addmm"} <= operations
    assert found["probed"] == 1
    assert "With probes: 1 runs of compiled code" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_a_device_that_is_not_there_is_one_line(ask, script, tmp_path):
    done = ask("watch", "--device", "cuda", script(SCRIPT), folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "parity: device cuda: this machine, or this build of torch, has no cuda device\n"
    assert ask("watch", "--device", "abacus", script(SCRIPT), folder=tmp_path).returncode == 2


@pytest.mark.nightly
def test_the_processor_is_a_device_too(script, tmp_path):
    assert parity("watch", "--device", "cpu", script(SCRIPT), folder=tmp_path).returncode == 0


def test_without_a_backward_pass_nothing_was_checked(script, tmp_path):
    text = SCRIPT.replace("    loss.backward()\n", "")
    done = parity("watch", script(text), folder=tmp_path)
    assert done.returncode == 5
    assert "no backward pass reached a parameter" in done.stdout


OPAQUE = SCRIPT.replace(
    "model = nn.Seq",
    """class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.detach().numpy() * 2)
    @staticmethod
    def backward(ctx, g):
        return g * 2

model = nn.Seq""",
).replace("model(x), y", "Own.apply(model(x)), y")


def test_what_is_not_certified_is_named_and_may_be_accepted(script, tmp_path):
    name = script(OPAQUE)
    done = parity("watch", name, folder=tmp_path)
    assert done.returncode == 5
    assert "not certified: Own, the program's own code" in done.stdout
    assert "INCOMPLETE" in done.stdout
    accepted = parity("watch", name, "--accept", "Own", folder=tmp_path)
    assert accepted.returncode == 0
    assert "Accepted without a certificate: Own." in accepted.stdout


def test_a_wrong_kernel_is_a_mismatch_and_has_a_page(script, tmp_path):
    planted = """
import torch, warnings
warnings.simplefilter("ignore")
library = torch.library.Library("aten", "IMPL")
library.impl("tanh", lambda x: (2 * x).sigmoid() * 2.001 - 1, "CPU")
"""
    done = parity("watch", script(planted + SCRIPT), "--report", "page", folder=tmp_path)
    assert done.returncode == 1
    assert "First wrong: step 0, Sequential.1, tanh, forward" in done.stdout
    for name in ("index.html", "report.md", "result.json"):
        assert (tmp_path / "page" / name).stat().st_size > 1000


def test_who_interrupts_is_told_how_far_all_held(script, tmp_path):
    text = SCRIPT.replace(
        "    print(", "    if step == 2:\n        __import__('time').sleep(60)\n    print("
    )
    text = text.replace(
        "    if step == 2:", "    print('now', flush=True) if step == 2 else None\n    if step == 2:"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "parity", "watch", script(text), "--steps", "9"],
        cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "now" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    assert "every operation of 3 steps" in out
    assert "Traceback" not in error


def test_a_narrow_terminal_has_fewer_columns(monkeypatch):
    from parity.render.texts import catalogue
    from parity.watch import text

    assert text._fitting(["module", "numbers", "verdict"], 120) == ["module", "numbers", "verdict"]
    assert text._fitting(["module", "numbers", "verdict"], 30) == ["module", "verdict"]
    assert all(f"watch.{name}" in catalogue("es") for name in text.DROPPED)


def test_help_and_schema_need_no_torch():
    done = parity("watch", "--help", torch=False)
    assert done.returncode == 0
    for option in ("--steps", "--from", "--every", "--sample", "--stop", "--accept", "--json", "--report"):
        assert option in done.stdout
    schema = json.loads(parity("schema", "watch", torch=False).stdout)
    assert schema["properties"]["schema"]["const"] == "parity-watch/1"
