"""A subject and all that it starts cannot read the verifier; no submission is taken for a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.check import landlock
from parity.check.process import CLOSED, OPEN, Limits, run
from tests.check.test_hostile import GOOD
from tests.command import parity

ROOT = CLOSED[1].parent
ISOLATED = """
import subprocess, sys
code = "import sys; sys.path[:0] = {paths!r}; import reference.arrays"
done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
if done.returncode:
    raise RuntimeError(done.stderr.splitlines()[-1])
"""


@pytest.fixture
def landlocked():
    """Where the kernel has no Landlock, Python's own hook is all there is."""
    readable = landlock.ruleset(CLOSED, OPEN)
    if readable is None:
        pytest.skip("no Landlock")
    os.close(readable)


@pytest.mark.usefixtures("landlocked")
def test_an_interpreter_that_skips_the_hook_cannot_read_the_verifier(ask, tmp_path):
    paths = [str(ROOT), str(Path(np.__file__).parents[1])]
    (tmp_path / "mine.py").write_text(ISOLATED.format(paths=paths) + GOOD)
    done = ask("check", "mine.py", folder=tmp_path)
    assert done.returncode == 2, done.stdout
    assert "PermissionError" in done.stderr
    free = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, check=False)
    assert free.returncode == 0  # without the check, that same program can


@pytest.mark.usefixtures("landlocked")
def test_a_program_in_any_language_cannot(tmp_path):
    ending = run(["/bin/cat", str(CLOSED[1] / "formulas.py")], tmp_path, Limits())
    assert ending.code != 0
    assert "Permission denied" in ending.output


@pytest.mark.usefixtures("landlocked")
def test_all_else_can_be_read_and_what_is_written_too(tmp_path):
    (tmp_path / "own.txt").write_text("own")
    beside = next(ROOT.glob("*.md"), Path(__file__))
    program = f"cat own.txt {beside} > copy && cat copy > /dev/null && ls {CLOSED[0]}"
    assert run(["/bin/sh", "-c", program], tmp_path, Limits()).code == 0


def test_a_kernel_without_it_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(landlock, "CREATE_RULESET", -1)
    assert landlock.ruleset(CLOSED, OPEN) is None
    (tmp_path / "mine.py").write_text(GOOD)
    assert run([sys.executable, "-P", "mine.py"], tmp_path, Limits()).code == 0


def test_a_file_beside_the_subject_is_not_taken_for_the_verifiers_module(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    for name in ("reference", "typer", "traceback"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    assert parity("check", "mine.py", folder=tmp_path).returncode == 0


def test_submissions_may_have_the_names_of_modules(tmp_path):
    for name in ("multiprocessing", "reference", "socket"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    done = parity("check", ".", "--json", "all.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "all.json").read_text())["submissions"]
    assert {name: entry["verdict"] for name, entry in found.items()} == dict.fromkeys(found, "match")
    assert len(found) == 3
