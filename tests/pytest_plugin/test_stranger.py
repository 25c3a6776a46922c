"""A stranger's repository goes green by the README's steps; red, well explained, with a bug planted."""

from __future__ import annotations

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from itertools import chain
from pathlib import Path

import pytest

from parity.lockstep.environment import OLDEST_TORCH
from tests.pytest_plugin import stranger

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path):
    stranger.make(tmp_path)
    return tmp_path


def test_the_readme_shows_what_is_needed():
    assert set(stranger.blocks()) == {"test_network.py", ".github/workflows/parity.yml"}
    installing, testing = stranger.commands()
    assert len(installing) == 2
    assert len(testing) == 1
    assert any('"backprop-parity[test] @ $PARITY"' in line for line in installing)


def test_from_nothing_to_green_and_to_red(repository):
    _, testing = stranger.commands()
    python = Path(sys.executable)
    green = stranger.job(repository, testing, python)
    assert green.returncode == 0, green.stdout + green.stderr
    assert "::error" not in green.stdout
    summary = repository / "summary.md"
    assert summary.read_text(encoding="utf-8").startswith("## parity: every comparison holds")

    stranger.plant(repository)
    red = stranger.job(repository, testing, python)
    assert red.returncode == 1
    assert "hidden_delta (slide 5), layer 1: derivative-at-activation" in red.stdout
    assert "As it should be:  δ1 = (W2ᵀ δ2) ⊙ f′(z1)" in red.stdout
    assert "parity check network.py:step" in red.stdout
    errors = [line for line in red.stdout.splitlines() if line.startswith("::error")]
    assert len(errors) == 1, "one cause, one annotation"
    text = (repository / "network.py").read_text(encoding="utf-8").splitlines()
    planted = next(n for n, line in enumerate(text, 1) if stranger.BUG[1] in line)
    assert errors[0].startswith(f"::error file=network.py,line={planted},")
    assert "is where the number was likely computed" in errors[0]
    assert "hidden\\_delta" in summary.read_text(encoding="utf-8")
    case = next(ElementTree.parse(repository / "junit.xml").getroot().iter("testcase"))
    assert case.find("failure") is not None
    assert "hidden_delta" in case.find("properties/property").get("value")
    assert "hidden\\_delta" in (repository / "parity-report" / "index.md").read_text(encoding="utf-8")

    said = re.search(r"Outside pytest: (parity check .*)$", red.stdout, re.M)
    again = stranger.job(repository, [said[1]], python)
    assert again.returncode == 1, "the command that it gives shows it again"
    assert "hidden_delta (slide 5), layer 1: derivative-at-activation" in again.stdout


WORKFLOWS = ROOT / ".github" / "workflows"
WORKFLOW = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")


def test_every_job_of_our_own_is_a_script_that_runs_here():
    texts = [file.read_text(encoding="utf-8") for file in sorted(WORKFLOWS.iterdir())]
    lines = [re.findall(r"^ *- run: (.*)$", text, re.M) for text in texts]
    assert [len(found) for found in lines] == [text.count("run:") for text in texts] == [4, 3, 1]
    for line in chain(*lines):
        script = ROOT / line.split()[0]
        assert script.parent == ROOT / ".ci"
        assert os.access(script, os.X_OK)


def test_the_second_command_of_the_readme_is_the_whole_suite():
    """`.ci/run` runs the README's own commands: a part of the suite there would be a part of it here."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    commands = "".join(blocks).splitlines()
    assert commands[0].endswith("parity run")
    assert commands[1] == ".venv/bin/python -m pytest -n 2"


def test_the_workflows_versions_are_the_projects():
    environment = (ROOT / ".ci" / "environment").read_text(encoding="utf-8")
    oldest = ".".join(map(str, OLDEST_TORCH))
    assert f'oldest) torch="torch=={oldest}.' in environment
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pinned = set(re.findall(r"torch==([\d.]+)", readme))
    assert len(pinned) == 1
    assert f'pinned) torch="torch=={pinned.pop()}"' in environment
    assert set(re.findall(r"torch: (\w+)}", WORKFLOW)) == {"oldest", "pinned", "newest"}
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"torch>={oldest}"' in pyproject
    assert 'python: "3.11"' in WORKFLOW
    assert 'requires-python = ">=3.11"' in pyproject
