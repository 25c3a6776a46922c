"""The composite action's steps, run here: an empty repository, green, and red with a bug planted."""

from __future__ import annotations

import re

import pytest

from tests.command import ROOT
from tests.nightly import but
from tests.pytest_plugin import action, stranger


def test_the_action_says_all_that_it_takes():
    text = action.ACTION.read_text(encoding="utf-8")
    assert set(action.defaults(text)) == {
        "subject",
        "tests",
        "config",
        "report",
        "lang",
        "install",
        "torch",
    }
    assert [step.name for step in action.steps(text)] == ["install", "check"]
    used = {name for step in action.steps(text) for name in step.variables.values()} | {"install"}
    assert used == set(action.defaults(text)), "every input is read, and every one that is read is there"


def test_an_empty_repository_is_told_that_nothing_was_checked(tmp_path):
    empty = action.job(tmp_path)
    assert empty.returncode == 5, empty.stdout + empty.stderr


@pytest.mark.parametrize("green_first", but([False], [False, True]), ids=["red", "green to red"])
def test_a_network_with_a_bug_is_red(tmp_path, green_first):
    stranger.make(tmp_path)
    if green_first:
        green = action.job(tmp_path)
        assert green.returncode == 0, green.stdout + green.stderr
        pages = [*tmp_path.glob("parity-report/**/index.html")]
        assert len(pages) == 1
    stranger.plant(tmp_path)
    red = action.job(tmp_path, lang="es")
    assert red.returncode == 1, red.stdout + red.stderr
    [told] = [line for line in red.stdout.splitlines() if line.startswith("::error")]
    assert "file=network.py" in told
    assert "es donde probablemente se calculó el número" in told
    assert "hidden" in (tmp_path / "summary.md").read_text()


def test_a_subject_that_is_not_there(tmp_path):
    missing = action.job(tmp_path, subject="nothing.py")
    assert missing.returncode == 2
    assert "nothing.py: there is no such file" in missing.stderr


@pytest.mark.nightly
def test_a_subject_of_its_own(tmp_path):
    (tmp_path / "network.py").write_text(stranger.NETWORK)
    assert action.job(tmp_path, subject="network.py").returncode == 0


@pytest.mark.parametrize("hook", ["parity-check", "parity-replay"])
def test_a_hook_is_a_command_that_there_is(hook):
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entry = re.search(rf"- id: {hook}\n(?:  .*\n)*?  entry: parity (\w+)", text)
    assert entry
    assert entry[1] in ("check", "replay")
